/* Two threads that both free one string. */
/* expect: double-free */
#include <oleauto.h>
#include <pthread.h>

static void *release(void *text)
{
    SysFreeString(text);
    return NULL;
}

int main(void)
{
    BSTR text = SysAllocString(OLESTR("shared"));
    pthread_t first, second;
    if (pthread_create(&first, NULL, release, text) != 0)
        return 1;
#ifdef BUG
    if (pthread_create(&second, NULL, release, text) != 0)
        return 1;
#else
    if (pthread_create(&second, NULL, release, NULL) != 0)
        return 1;
#endif
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    return 0;
}
