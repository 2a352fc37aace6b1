/* So many strings of so many units made, and freed at once: by the Windows names, or with malloc doing the same
 * work. What runs under callgrind. */
#include <oleauto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 };

static BSTR with_malloc(const OLECHAR *text, UINT units)
{
    const UINT bytes = units * (UINT)sizeof *text;
    char *block = malloc((8 + bytes + 2 + 15) & ~(size_t)15);
    BSTR bstr;
    if (block == NULL)
        return NULL;
    memset(block, 0, 4);
    memcpy(block + 4, &bytes, sizeof bytes);
    bstr = (BSTR)(void *)(block + 8);
    memcpy(bstr, text, bytes);
    bstr[units] = 0;
    return bstr;
}

int main(int count, char **arguments)
{
    OLECHAR text[MOST];
    unsigned long times, done, seen = 0;
    UINT units;
    int number;
    if (count != 4)
        return 2;
    units = (UINT)strtoul(arguments[2], NULL, 10);
    times = strtoul(arguments[3], NULL, 10);
    if (units > MOST)
        return 2;
    for (number = 0; number < MOST; number++)
        text[number] = u'a';
    if (strcmp(arguments[1], "bstr") == 0) {
        for (done = 0; done < times; done++) {
            BSTR volatile bstr = SysAllocStringLen(text, units);
            seen += ((UINT *)(void *)bstr)[-1];
            SysFreeString(bstr);
        }
    } else {
        for (done = 0; done < times; done++) {
            BSTR volatile bstr = with_malloc(text, units);
            seen += ((UINT *)(void *)bstr)[-1];
            free((char *)(void *)bstr - 8);
        }
    }
    if (seen != times * units * sizeof *text)
        return 1;
    printf("%lu\n", seen);
    return 0;
}
