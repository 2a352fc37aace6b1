/* One element too early. */
/* expect: underrun */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    volatile int *numbers = CoTaskMemAlloc(4 * sizeof(int));
#ifdef BUG
    for (int i = 3; i >= -1; i--)
#else
    for (int i = 3; i >= 0; i--)
#endif
        numbers[i] = i;
    CoTaskMemFree((void *)numbers);
    return 0;
}
