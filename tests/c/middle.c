/* So many blocks held, and so many strings copied from the middle of one of them: what runs under callgrind. */
#include <combaseapi.h>
#include <oleauto.h>
#include <stdlib.h>

enum { UNITS = 8 };

int main(int count, char **arguments)
{
    unsigned long held, times, done;
    OLECHAR **blocks;
    int failed = 0;
    if (count != 3)
        return 2;
    held = strtoul(arguments[1], NULL, 10);
    times = strtoul(arguments[2], NULL, 10);
    blocks = calloc(held, sizeof *blocks);
    if (blocks == NULL || held == 0)
        return 2;
    for (done = 0; done < held; done++) {
        int unit;
        blocks[done] = CoTaskMemAlloc(2 * UNITS * sizeof **blocks);
        if (blocks[done] == NULL)
            return 2;
        for (unit = 0; unit < 2 * UNITS; unit++)
            blocks[done][unit] = u'a';
    }
    for (done = 0; done < times; done++) {
        BSTR text = SysAllocStringLen(blocks[done % held] + UNITS / 2, UNITS);
        failed |= SysStringLen(text) != UNITS;
        SysFreeString(text);
    }
    for (done = 0; done < held; done++)
        CoTaskMemFree(blocks[done]);
    free(blocks);
    return failed;
}
