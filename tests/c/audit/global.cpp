/*
 * Globals that own a BSTR: their destructors run when main has returned, and free it. One is made before the first
 * allocation, one after.
 */
#include <objbase.h>
#include <oleauto.h>

#include <string_view>

namespace {

class Text {
public:
    explicit Text(bool fills) {
        if (fills) {
            fill();
        }
    }
    ~Text() {
        SysFreeString(text);
    }
    Text(Text const &) = delete;
    Text &operator=(Text const &) = delete;
    void fill() {
        text = SysAllocString(OLESTR("a global's"));
    }

private:
    BSTR text = nullptr;
};

Text early(false);
Text late(true);

Text &local() {
    static Text text(true);
    return text;
}

/* One that is never destroyed, so that whoever comes late finds it. */
BSTR for_ever() {
    static BSTR const text = SysAllocString(OLESTR("of a static"));
    return text;
}

} // namespace

int main(int count, char **arguments) {
    early.fill();
    local();
    std::string_view const what = count > 1 ? arguments[1] : "";
    if (what == "lose") {
        SysAllocString(OLESTR("lost"));
    } else if (what == "keep") {
        for_ever();
    } else if (what == "on-purpose") {
        return olemem_ignore(for_ever()) == 1 ? 0 : 1;
    }
    return 0;
}
