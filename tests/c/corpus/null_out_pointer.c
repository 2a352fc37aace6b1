/* A result that nobody wants. */
/* expect: null-out-pointer */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR left = SysAllocString(OLESTR("left"));
    BSTR both = NULL;
#ifdef BUG
    HRESULT result = VarBstrCat(left, left, NULL);
#else
    HRESULT result = VarBstrCat(left, left, &both);
#endif
    SysFreeString(left);
    SysFreeString(both);
    return result == S_OK || result == E_INVALIDARG ? 0 : 1;
}
