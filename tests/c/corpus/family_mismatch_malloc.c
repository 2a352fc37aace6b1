/* A string freed by IMalloc. */
/* expect: family-mismatch */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    IMalloc *allocator = NULL;
    if (FAILED(CoGetMalloc(1, &allocator)))
        return 1;
    BSTR text = SysAllocString(OLESTR("a string"));
#ifdef BUG
    IMalloc_Free(allocator, text);
#endif
    SysFreeString(text);
    IMalloc_Release(allocator);
    return 0;
}
