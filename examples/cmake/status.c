#include "status.h"

HRESULT get_StatusText(BSTR *text)
{
    if (text == NULL)
        return E_POINTER;
    *text = SysAllocString(OLESTR("Ready"));
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}

HRESULT status_text_of_tab(int tab, BSTR *text)
{
    if (text == NULL)
        return E_POINTER;
    *text = SysAllocString(OLESTR("Tab ?"));
    if (*text == NULL)
        return E_OUTOFMEMORY;
    /* The mistake: SysReAllocString would have freed the old string. */
    *text = SysAllocString(*text);
    if (*text != NULL)
        (*text)[4] = (OLECHAR)(OLESTR('0') + tab);
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}
