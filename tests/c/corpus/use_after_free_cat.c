/* A freed string joined to another. */
/* expect: use-after-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR left = SysAllocString(OLESTR("left"));
    BSTR right = SysAllocString(OLESTR("right"));
    BSTR both = NULL;
#ifdef BUG
    SysFreeString(right);
#endif
    (void)VarBstrCat(left, right, &both);
#ifndef BUG
    SysFreeString(right);
#endif
    SysFreeString(left);
    SysFreeString(both);
    return 0;
}
