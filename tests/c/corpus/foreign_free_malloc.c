/* Memory of malloc freed as task memory. */
/* expect: foreign-free */
#include <oleauto.h>
#include <objbase.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *text = malloc(16);
#ifdef BUG
    CoTaskMemFree(text);
#endif
    free(text);
    return 0;
}
