/* A stale pointer that is written through. */
/* expect: write-after-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    volatile OLECHAR *text = SysAllocString(OLESTR("gone"));
#ifdef BUG
    SysFreeString((BSTR)text);
    text[1] = 'x';
#else
    text[1] = 'x';
    SysFreeString((BSTR)text);
#endif
    return 0;
}
