/* A literal freed as a string. */
/* expect: foreign-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

static OLECHAR literal[] = OLESTR("a literal");

int main(void)
{
#ifdef BUG
    SysFreeString(literal);
#endif
    return literal[0] == 'a' ? 0 : 1;
}
