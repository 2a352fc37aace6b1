/* An LPWSTR freed as a BSTR. */
/* expect: family-mismatch */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    LPOLESTR text = CoTaskMemAlloc(12);
    memcpy(text, OLESTR("plain"), 12);
#ifdef BUG
    SysFreeString(text);
#endif
    CoTaskMemFree(text);
    return 0;
}
