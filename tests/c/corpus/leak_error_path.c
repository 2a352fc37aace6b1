/* A way out that forgets what was allocated before it. */
/* expect: leak */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

static HRESULT join(const OLECHAR *left, const OLECHAR *right, BSTR *joined)
{
    *joined = NULL;
    BSTR first = SysAllocString(left);
    if (right == NULL) {
#ifndef BUG
        SysFreeString(first);
#endif
        return E_INVALIDARG;
    }
    BSTR second = SysAllocString(right);
    HRESULT result = VarBstrCat(first, second, joined);
    SysFreeString(first);
    SysFreeString(second);
    return result;
}

int main(void)
{
    BSTR joined;
    return join(OLESTR("left"), NULL, &joined) == E_INVALIDARG && joined == NULL ? 0 : 1;
}
