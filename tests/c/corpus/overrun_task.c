/* One byte too many. */
/* expect: overrun */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    volatile char *text = CoTaskMemAlloc(5);
    const char *from = "hello";
#ifdef BUG
    for (int i = 0; i < 6; i++)
#else
    for (int i = 0; i < 5; i++)
#endif
        text[i] = from[i];
    CoTaskMemFree((void *)text);
    return 0;
}
