/* A copy of a freed string. */
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
#endif
    BSTR copy = SysAllocStringLen(text, 4);
#ifndef BUG
    SysFreeString(text);
#endif
    SysFreeString(copy);
    return 0;
}
