/* What a static keeps until the process ends: on purpose, or not. */
#include <objbase.h>
#include <oleauto.h>
#include <string.h>

static BSTR text;
static void *block;

static void keep(void) {
    text = SysAllocString(OLESTR("of a static"));
    block = CoTaskMemAlloc(8);
}

int main(int count, char **arguments) {
    keep();
    if (count > 1 && strcmp(arguments[1], "on-purpose") == 0) {
        return olemem_ignore(text) == 1 && olemem_ignore(block) == 1 ? 0 : 1;
    }
    return 0;
}
