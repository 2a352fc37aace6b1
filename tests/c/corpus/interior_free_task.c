/* The middle of a block of task memory. */
/* expect: interior-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *block = CoTaskMemAlloc(64);
#ifdef BUG
    CoTaskMemFree(block + 32);
#endif
    CoTaskMemFree(block);
    return 0;
}
