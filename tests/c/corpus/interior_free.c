/* A string freed by the pointer that went through it. */
/* expect: interior-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("  trimmed"));
    BSTR word = text;
    while (*word == ' ')
        word++;
#ifdef BUG
    SysFreeString(word);
#endif
    SysFreeString(text);
    return 0;
}
