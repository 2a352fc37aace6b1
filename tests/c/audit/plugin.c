/*
 * A program that opens the library by name, loses a block, closes the library again, and is then killed by a signal that
 * nobody is there any more to handle.
 */
#include <objbase.h>
#include <oleauto.h>

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef BSTR(STDAPICALLTYPE *Alloc)(OLECHAR const *);

int main(int count, char **arguments) {
    void *library, *symbol;
    Alloc alloc;
    if (count < 2 || (library = dlopen(arguments[1], RTLD_NOW)) == NULL) {
        return 1;
    }
    if ((symbol = dlsym(library, "SysAllocString")) == NULL) {
        return 2;
    }
    memcpy(&alloc, &symbol, sizeof alloc);
    alloc(OLESTR("lost"));
    if (dlclose(library) != 0) {
        return 3;
    }
    if (count > 2) {
        raise(SIGTERM);
    }
    puts("closed");
    return 0;
}
