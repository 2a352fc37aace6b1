/* A freed string made longer. */
/* expect: use-after-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("gone"));
#ifdef BUG
    SysFreeString(text);
    (void)SysReAllocStringLen(&text, NULL, 100);
#else
    (void)SysReAllocStringLen(&text, NULL, 100);
    SysFreeString(text);
#endif
    return 0;
}
