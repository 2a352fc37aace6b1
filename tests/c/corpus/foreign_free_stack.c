/* An array on the stack freed as a string. */
/* expect: foreign-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    OLECHAR text[] = OLESTR("on the stack");
#ifdef BUG
    SysFreeString(text);
#endif
    return text[0] == 'o' ? 0 : 1;
}
