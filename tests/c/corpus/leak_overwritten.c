/* An [in, out] string whose old value is overwritten. */
/* expect: leak */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

static HRESULT rename_it(BSTR *name)
{
    BSTR renamed = SysAllocString(OLESTR("renamed"));
    if (renamed == NULL)
        return E_OUTOFMEMORY;
#ifndef BUG
    SysFreeString(*name);
#endif
    *name = renamed;
    return S_OK;
}

int main(void)
{
    BSTR name = SysAllocString(OLESTR("old"));
    HRESULT result = rename_it(&name);
    SysFreeString(name);
    return result;
}
