/* A string freed again after many others came and went. */
/* expect: double-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("twice"));
    SysFreeString(text);
    for (int i = 0; i < 2000; i++)
        SysFreeString(SysAllocString(OLESTR("other")));
#ifdef BUG
    SysFreeString(text);
#endif
    return 0;
}
