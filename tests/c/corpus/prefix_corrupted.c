/* A length written by hand. */
/* expect: prefix-corrupted */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("short"));
#ifdef BUG
    ((volatile UINT *)(void *)text)[-1] = 500;
#endif
    SysFreeString(text);
    return 0;
}
