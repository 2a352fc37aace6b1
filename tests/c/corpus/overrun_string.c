/* A unit behind the terminator. */
/* expect: overrun */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    volatile OLECHAR *text = SysAllocStringLen(NULL, 4);
    for (int i = 0; i < 4; i++)
        text[i] = 'x';
#ifdef BUG
    text[5] = 'x';
#endif
    SysFreeString((BSTR)text);
    return 0;
}
