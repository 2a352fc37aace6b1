/*
 * Globals that own a BSTR: their destructors run when main has returned, and free it. One is made before the first
 * allocation, one after.
 */
#include <objbase.h>
#include <oleauto.h>

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

} // namespace

int main(int count, char **) {
    early.fill();
    local();
    if (count > 1) {
        SysAllocString(OLESTR("lost"));
    }
    return 0;
}
