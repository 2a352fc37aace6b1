/* A string freed as task memory. */
/* expect: family-mismatch */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("a string"));
#ifdef BUG
    CoTaskMemFree(text);
#endif
    SysFreeString(text);
    return 0;
}
