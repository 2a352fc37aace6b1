/* A pin of a string that was freed. */
/* expect: pin-of-non-bstr */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("gone"));
#ifdef BUG
    SysFreeString(text);
    (void)SysAddRefString(text);
#else
    (void)SysAddRefString(text);
    SysReleaseString(text);
    SysFreeString(text);
#endif
    return 0;
}
