/* A freed buffer that is filled. */
/* expect: write-after-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    volatile char *buffer = CoTaskMemAlloc(100);
#ifdef BUG
    CoTaskMemFree((void *)buffer);
    buffer[99] = 1;
#else
    buffer[99] = 1;
    CoTaskMemFree((void *)buffer);
#endif
    return 0;
}
