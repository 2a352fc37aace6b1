/* A pin that is never taken back. */
/* expect: unbalanced-pin */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("pinned"));
    if (FAILED(SysAddRefString(text)))
        return 1;
    SysFreeString(text);
#ifndef BUG
    SysReleaseString(text);
#endif
    return 0;
}
