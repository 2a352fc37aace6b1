/* A string freed twice. */
/* expect: double-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("twice"));
    SysFreeString(text);
#ifdef BUG
    SysFreeString(text);
#endif
    return 0;
}
