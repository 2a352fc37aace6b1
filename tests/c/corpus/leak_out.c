/* An [out] string that its caller never frees. */
/* expect: leak */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

static HRESULT get_text(BSTR *text)
{
    *text = SysAllocString(OLESTR("status"));
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}

int main(void)
{
    BSTR text = NULL;
    if (FAILED(get_text(&text)))
        return 1;
    UINT units = SysStringLen(text);
#ifndef BUG
    SysFreeString(text);
#endif
    return units == 6 ? 0 : 1;
}
