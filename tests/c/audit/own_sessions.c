/* A program with sessions of its own, each of which finds a string that is freed twice, and is not asked what it found. */
#include <objbase.h>
#include <oleauto.h>

#include <stdio.h>

/* The compiler is to know nothing about the pointers, or it would see what is wrong with them. */
#define UNKNOWN(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

int main(void) {
    for (int i = 0; i < 3; i++) {
        olemem_session own = olemem_session_begin(NULL);
        BSTR text = SysAllocString(OLESTR("freed twice")), again = text;
        UNKNOWN(again);
        SysFreeString(text);
        SysFreeString(again);
        olemem_report_release(olemem_session_end(own));
    }
    puts("went on");
    return 0;
}
