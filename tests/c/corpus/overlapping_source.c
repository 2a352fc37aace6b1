/* A string replaced by its own tail. */
/* expect: overlapping-source */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("prefix:rest"));
#ifdef BUG
    (void)SysReAllocString(&text, text + 7);
#else
    BSTR rest = SysAllocString(text + 7);
    SysFreeString(text);
    text = rest;
#endif
    SysFreeString(text);
    return 0;
}
