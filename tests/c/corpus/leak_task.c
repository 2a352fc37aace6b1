/* Task memory that is never freed. */
/* expect: leak */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    int *numbers = CoTaskMemAlloc(10 * sizeof(int));
    if (numbers == NULL)
        return 1;
    memset(numbers, 0, 10 * sizeof(int));
#ifndef BUG
    CoTaskMemFree(numbers);
#endif
    return 0;
}
