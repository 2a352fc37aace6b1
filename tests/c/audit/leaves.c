/*
 * What a child does that ends without a report: one case a run, named by the argument; with another argument it aborts. What is
 * found while it runs is told all the same.
 */
#include <objbase.h>
#include <oleauto.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The compiler is to know nothing about the pointers, or it would see what is wrong with them. */
#define UNKNOWN(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

static char object;

static HRESULT fail_with_data(BSTR *text) {
    *text = SysAllocString(OLESTR("x"));
    return E_FAIL;
}

static void call(void) {
    BSTR text;
    OLEMEM_CALL("IText::get_Text", &object, fail_with_data(OLEMEM_OUT_BSTR("text", &text)));
}

/* Frees more than the quarantine holds, where the block is that was written to. */
static void write_late(void) {
    char *block = CoTaskMemAlloc(10), *same = block;
    int i;
    UNKNOWN(same);
    CoTaskMemFree(block);
    *same = 'x';
    for (i = 0; i < 40; i += 1) {
        CoTaskMemFree(CoTaskMemAlloc(64 * 1024));
    }
}

static void lose(void) {
    BSTR text = SysAllocString(OLESTR("lost"));
    UNKNOWN(text);
}

int main(int count, char **arguments) {
    char const *what = count > 1 ? arguments[1] : "";
    pid_t child;
    int status;
    SysFreeString(SysAllocString(OLESTR("used")));
    child = fork();
    if (child == 0) {
        if (strcmp(what, "call") == 0) {
            call();
        } else if (strcmp(what, "late") == 0) {
            write_late();
        } else {
            lose();
        }
        if (count > 2) {
            abort();
        }
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : 1;
}
