/* A text as long as the string and one unit more. */
/* expect: terminator-overwritten */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    volatile OLECHAR *text = SysAllocStringLen(NULL, 4);
#ifdef BUG
    for (int i = 0; i < 5; i++)
#else
    for (int i = 0; i < 4; i++)
#endif
        text[i] = 'x';
    SysFreeString((BSTR)text);
    return 0;
}
