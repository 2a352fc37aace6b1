/*
 * A program that opens the library by name, loses a block, and closes the library again: once, and is then killed by a
 * signal if it is asked for that; or twice.
 */
#include <objbase.h>
#include <oleauto.h>

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef BSTR(STDAPICALLTYPE *Alloc)(OLECHAR const *);

static int open_and_close(char const *path) {
    void *library, *symbol;
    Alloc alloc;
    if ((library = dlopen(path, RTLD_NOW)) == NULL) {
        return 1;
    }
    if ((symbol = dlsym(library, "SysAllocString")) == NULL) {
        return 2;
    }
    memcpy(&alloc, &symbol, sizeof alloc);
    alloc(OLESTR("lost"));
    return dlclose(library) == 0 ? 0 : 3;
}

int main(int count, char **arguments) {
    char const *what = count > 2 ? arguments[2] : "";
    int rounds = strcmp(what, "twice") == 0 ? 2 : 1, failed;
    if (count < 2) {
        return 1;
    }
    for (; rounds > 0; rounds -= 1) {
        if ((failed = open_and_close(arguments[1])) != 0) {
            return failed;
        }
    }
    if (strcmp(what, "and-die") == 0) {
        raise(SIGTERM);
    }
    puts("closed");
    return 0;
}
