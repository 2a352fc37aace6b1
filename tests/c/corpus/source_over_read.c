/* A count that the source does not hold. */
/* expect: source-over-read */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    BSTR text = SysAllocString(OLESTR("short"));
#ifdef BUG
    BSTR copy = SysAllocStringLen(text, 50);
#else
    BSTR copy = SysAllocStringLen(text, 5);
#endif
    SysFreeString(copy);
    SysFreeString(text);
    return 0;
}
