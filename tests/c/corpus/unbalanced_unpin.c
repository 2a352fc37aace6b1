/* A pin taken back that was never given. */
/* expect: unbalanced-pin */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("pinned"));
#ifdef BUG
    SysReleaseString(text);
#endif
    SysFreeString(text);
    return 0;
}
