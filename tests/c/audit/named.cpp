/* Functions with the names of others: those of namespaces are crates of Rust's, that of the last one is the C library's. */
#include <windows.h>
#include <oleauto.h>

namespace core {
struct Browser {
    BSTR title = nullptr;
    void put_Title(const WCHAR *text);
};
__attribute__((noinline)) void Browser::put_Title(const WCHAR *text) { title = SysAllocString(text); }
} // namespace core

namespace alloc {
__attribute__((noinline)) BSTR text() { return SysAllocString(u"of alloc"); }
} // namespace alloc

__attribute__((noinline)) static BSTR start_thread() { return SysAllocString(u"of start_thread"); }

static BSTR volatile kept[3];

int main() {
    core::Browser browser;
    browser.put_Title(u"of core");
    kept[0] = browser.title;
    kept[1] = alloc::text();
    kept[2] = start_thread();
    return 0;
}
