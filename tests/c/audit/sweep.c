/*
 * A component's method and its sloppy twin, for `olemem sweep`; and programs that a sweep must get to the end of,
 * whatever they do.
 */
#include <oleauto.h>
#include <objbase.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* [out]: NULL after a failure, and nothing is left behind. */
static HRESULT careful_join(const OLECHAR *left, const OLECHAR *right, BSTR *joined)
{
    HRESULT hr = E_OUTOFMEMORY;
    *joined = NULL;
    BSTR first = SysAllocString(left);
    BSTR second = SysAllocString(right);
    if (first != NULL && second != NULL)
        hr = VarBstrCat(first, second, joined);
    SysFreeString(second);
    SysFreeString(first);
    return hr;
}

/* The same as long as there is memory. */
static HRESULT sloppy_join(const OLECHAR *left, const OLECHAR *right, BSTR *joined)
{
    *joined = NULL;
    BSTR first = SysAllocString(left);
    volatile OLECHAR *begin = first;
    begin[0] = left[0]; /* NULL is not looked for */
    BSTR second = SysAllocString(right);
    if (second == NULL)
        return E_OUTOFMEMORY; /* first is forgotten */
    HRESULT hr = VarBstrCat(first, second, joined);
    if (FAILED(hr))
        SysFreeString(second); /* and once more below */
    SysFreeString(second);
    SysFreeString(first);
    return hr;
}

typedef HRESULT join(const OLECHAR *, const OLECHAR *, BSTR *);

/* The caller: 0, or 3 if there was no memory. What must hold after a failure is asserted. */
static int use(join *callee)
{
    BSTR joined;
    HRESULT hr = callee(OLESTR("left"), OLESTR("right"), &joined);
    if ((joined == NULL) != FAILED(hr))
        abort();
    SysFreeString(joined);
    return FAILED(hr) ? 3 : 0;
}

/* Some blocks; how many could be had. */
static int blocks(int wanted)
{
    int had = 0;
    for (int i = 0; i < wanted; i++) {
        void *block = CoTaskMemAlloc(8);
        had += block != NULL;
        CoTaskMemFree(block);
    }
    return had;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "careful") == 0)
        return use(careful_join);
    if (strcmp(what, "sloppy") == 0)
        return use(sloppy_join);
    if (strcmp(what, "retry") == 0) {
        while (blocks(3) < 3)
            ;
        return 0;
    }
    if (strcmp(what, "hang") == 0) {
        while (blocks(1) == 0)
            pause();
        return 0;
    }
    if (strcmp(what, "ignore-end") == 0) {
        signal(SIGTERM, SIG_IGN);
        while (blocks(1) == 0)
            pause();
        return 0;
    }
    if (strcmp(what, "_exit") == 0) {
        if (blocks(2) < 2)
            _exit(4);
        return 0;
    }
    if (strcmp(what, "kill") == 0) {
        if (blocks(2) < 2)
            raise(SIGKILL);
        return 0;
    }
    if (strcmp(what, "child") == 0) {
        pid_t child = fork();
        if (child == 0) {
            if (blocks(2) < 2)
                abort();
            return 0;
        }
        int status = 0;
        waitpid(child, &status, 0);
        return 0;
    }
    if (strcmp(what, "status") == 0) {
        blocks(1);
        return 7;
    }
    if (strcmp(what, "families") == 0) {
        BSTR text = SysAllocStringLen(NULL, 500);
        void *block = CoTaskMemAlloc(8);
        int had = (text != NULL) + (block != NULL);
        SysFreeString(text);
        CoTaskMemFree(block);
        return 2 - had;
    }
    if (strcmp(what, "many") == 0)
        return 20 - blocks(20);
    if (strcmp(what, "prints") == 0) {
        printf("%d\n", blocks(1));
        return 0;
    }
    return 0;
}
