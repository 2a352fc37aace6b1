/* The length of a freed string. */
/* expect: use-after-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("gone"));
    volatile UINT units = SysStringLen(text);
    SysFreeString(text);
#ifdef BUG
    units = SysStringLen(text);
#endif
    (void)units;
    return 0;
}
