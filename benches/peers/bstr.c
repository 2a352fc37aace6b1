/* Pairs and batches by the Windows names: the same file over olemem and over Wine. It is told what to do on
 * standard input, "pair UNITS TIMES" or "batch UNITS TIMES", and answers with nanoseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <oleauto.h>

#ifdef _WIN32
static double now(void)
{
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart * 1e9 / (double)frequency.QuadPart;
}
#else
#include <time.h>
static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}
#endif

enum { BATCH = 1000, MOST = 4096 };

static OLECHAR text[MOST];
static BSTR live[BATCH];

static void check(BSTR bstr, UINT units)
{
    if (bstr == NULL || SysStringLen(bstr) != units || memcmp(bstr, text, units * sizeof *bstr) != 0 ||
        bstr[units] != 0) {
        fprintf(stderr, "a wrong string\n");
        exit(1);
    }
}

static double pairs(UINT units, unsigned long times)
{
    unsigned long done;
    double begin;
    BSTR volatile bstr = SysAllocStringLen(text, units);
    check(bstr, units);
    SysFreeString(bstr);
    begin = now();
    for (done = 0; done < times; done++) {
        bstr = SysAllocStringLen(text, units);
        SysFreeString(bstr);
    }
    return now() - begin;
}

static double batches(UINT units, unsigned long times)
{
    unsigned long done;
    int number;
    double spent = 0;
    for (done = 0; done < times; done++) {
        double begin = now();
        for (number = 0; number < BATCH; number++)
            live[number] = SysAllocStringLen(text, units);
        spent += now() - begin;
        check(live[BATCH - 1], units);
        begin = now();
        for (number = 0; number < BATCH; number++)
            SysFreeString(live[number]);
        spent += now() - begin;
    }
    return spent;
}

int main(void)
{
    char work[16];
    unsigned units;
    unsigned long times;
    int number;
    for (number = 0; number < MOST; number++)
        text[number] = (OLECHAR)(0x20 + number);
    while (scanf("%15s %u %lu", work, &units, &times) == 3) {
        if (units > MOST)
            return 1;
        printf("%.0f\n", strcmp(work, "pair") == 0 ? pairs(units, times) : batches(units, times));
        fflush(stdout);
    }
    return 0;
}
