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

__attribute__((noinline)) static UINT show(void)
{
    BSTR text = NULL;
    if (FAILED(get_text(&text)))
        return 0;
    UINT units = SysStringLen(text);
#ifndef BUG
    SysFreeString(text);
#endif
    return units;
}

/* What is left of the pointer on the stack would look to a leak checker as if somebody had it. */
__attribute__((noinline)) static void forget(void)
{
    volatile char stack[4096];
    for (size_t index = 0; index < sizeof stack; index++)
        stack[index] = 0;
}

int main(void)
{
    UINT units = show();
    forget();
    return units == 6 ? 0 : 1;
}
