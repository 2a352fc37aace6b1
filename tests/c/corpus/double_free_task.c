/* Task memory freed twice, by two names of it. */
/* expect: double-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *one = CoTaskMemAlloc(40);
    char *other = one;
    CoTaskMemFree(one);
#ifdef BUG
    CoTaskMemFree(other);
#else
    (void)other;
#endif
    return 0;
}
