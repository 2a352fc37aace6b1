/* A callee that frees its [in] string, which the caller frees as well. */
/* expect: double-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

static HRESULT put_text(BSTR text)
{
    HRESULT result = SysStringLen(text) > 0 ? S_OK : E_INVALIDARG;
#ifdef BUG
    SysFreeString(text);
#endif
    return result;
}

int main(void)
{
    BSTR text = SysAllocString(OLESTR("lent"));
    HRESULT result = put_text(text);
    SysFreeString(text);
    return result;
}
