/*
 * One broken rule a run, named by the argument; `ok` breaks none. What each must lead to, in a
 * plain run and under each tool, is said by the test that starts this program.
 */
#include <objbase.h>
#include <oleauto.h>

#include <stdio.h>
#include <string.h>

/* The compiler is to know nothing about the pointers, or it would see what is wrong with them. */
#define UNKNOWN(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

static void make_and_lose_bstr(void) {
    BSTR text = SysAllocString(OLESTR("nobody frees this"));
    UNKNOWN(text);
}

static void make_and_lose_block(void) {
    void *block = CoTaskMemAlloc(100);
    UNKNOWN(block);
}

/* Writes over what the calls before left on the stack: a pointer there would hide a leak. */
static __attribute__((noinline)) void forget(void) {
    char volatile stack[4096];
    size_t i;
    for (i = 0; i < sizeof stack; i += 1) {
        stack[i] = 0;
    }
}

/* Several, so that a stray copy of one pointer in a register cannot hide all. */
static __attribute__((noinline)) void repeat(void (*action)(void)) {
    int i;
    for (i = 0; i < 8; i += 1) {
        action();
    }
}

static void double_free(void) {
    BSTR text = SysAllocString(OLESTR("freed twice"));
    BSTR again = text;
    UNKNOWN(again);
    SysFreeString(text);
    SysFreeString(again);
}

static void double_free_task(void) {
    void *block = CoTaskMemAlloc(24), *again = block;
    UNKNOWN(again);
    CoTaskMemFree(block);
    CoTaskMemFree(again);
}

static void foreign_free(void) {
    /* What olemem never handed out: on the stack, in the shape of a BSTR. */
    struct {
        DWORD pad, bytes;
        OLECHAR units[12];
    } shape;
    BSTR text = shape.units;
    memset(&shape, 0, sizeof shape);
    shape.bytes = 4;
    UNKNOWN(text);
    SysFreeString(text);
}

static void foreign_free_task(void) {
    char stack[64];
    void *block = stack;
    memset(stack, 0, sizeof stack);
    UNKNOWN(block);
    CoTaskMemFree(block);
}

static void interior_free(void) {
    BSTR text = SysAllocString(OLESTR("from the second unit on"));
    text += 8;
    UNKNOWN(text);
    SysFreeString(text);
}

static void interior_free_task(void) {
    char *block = (char *)CoTaskMemAlloc(64);
    block += 16;
    UNKNOWN(block);
    CoTaskMemFree(block);
}

static void family_mismatch(void) {
    BSTR text = SysAllocString(OLESTR("not a task block"));
    void *block = text;
    UNKNOWN(block);
    CoTaskMemFree(block);
}

static void realloc_freed(void) {
    void *block = CoTaskMemAlloc(24), *again = block;
    UNKNOWN(again);
    CoTaskMemFree(block);
    CoTaskMemFree(CoTaskMemRealloc(again, 48));
}

static void overrun(void) {
    /* 5 units: the block is rounded up to 16, and that slack is there; the next byte is not. */
    BSTR text = SysAllocString(OLESTR("short"));
    size_t block = (sizeof(void *) + 5 * sizeof(OLECHAR) + sizeof(OLECHAR) + 15) / 16 * 16;
    char *end = (char *)text - sizeof(void *) + block;
    UNKNOWN(end);
    *end = 1;
    SysFreeString(text);
}

/* 5 units, and 16 bytes are a block's measure: behind the terminator there is slack, and nothing in it. */
static void read_past_terminator(void) {
    BSTR text = SysAllocString(OLESTR("short"));
    OLECHAR *behind = text + 6;
    UNKNOWN(behind);
    printf("%u\n", (unsigned)*behind);
    SysFreeString(text);
}

/* Shortened in place: the room is there still, and not the string's. */
static void read_past_shortened(void) {
    BSTR text = SysAllocString(OLESTR("a string that is not short"));
    OLECHAR *behind;
    SysReAllocStringLen(&text, NULL, 5);
    behind = text + 8;
    UNKNOWN(behind);
    printf("%u\n", (unsigned)*behind);
    SysFreeString(text);
}

/* A source that ends where its string does, and a count that goes on. */
static void copy_past_terminator(void) {
    BSTR text = SysAllocString(OLESTR("short"));
    BSTR copy = SysAllocStringLen(text, 7);
    UNKNOWN(copy);
    SysFreeString(copy);
    SysFreeString(text);
}

/* Whatever becomes of a string's block, its new end is the end, and all before it is there. */
static void ends_move(void) {
    IMalloc *task = NULL;
    UINT from, to, i;
    OLECHAR source[80];
    for (i = 0; i < 80; i += 1) {
        source[i] = (OLECHAR)('a' + i % 26);
    }
    for (from = 0; from < 40; from += 1) {
        for (to = 0; to < 80; to += 3) {
            BSTR text = SysAllocStringLen(source, from);
            OLECHAR volatile *units;
            SysReAllocStringLen(&text, NULL, to);
            units = text;
            for (i = 0; i < to; i += 1) {
                units[i] = source[i];
            }
            /* Inside of its own old string, as far as that goes. */
            SysReAllocStringLen(&text, text + to / 2, from + 1);
            units = text;
            for (i = 0; i <= from; i += 1) {
                units[i] = 0;
            }
            SysFreeString(text);
        }
    }
    if (CoGetMalloc(MEMCTX_TASK, &task) == S_OK) {
        /* A string's block by the other door: all of it is the holder's. */
        BSTR text = SysAllocString(OLESTR("short"));
        char *block = (char *)text - sizeof(void *);
        SIZE_T size = task->lpVtbl->GetSize(task, block);
        block = (char *)task->lpVtbl->Realloc(task, block, size + 8);
        memset(block, 0, size + 8);
        task->lpVtbl->Free(task, block);
        task->lpVtbl->Release(task);
    }
}

static void use_after_free(void) {
    BSTR text = SysAllocString(OLESTR("read too late"));
    BSTR again = text;
    UNKNOWN(again);
    SysFreeString(text);
    /* By the library, which only a tool for any code sees, and by this file. */
    printf("%u\n", SysStringLen(again));
    printf("%u\n", (unsigned)again[0]);
}

/* No rule is broken: a global owns it. But only a pointer past the start of the block is left. */
static BSTR volatile held;

static void still_held(void) {
    held = SysAllocString(OLESTR("owned by a global"));
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*action)(void);
        int repeated;
    } rows[] = {
        {"leak-bstr", make_and_lose_bstr, 1},
        {"leak-task", make_and_lose_block, 1},
        {"double-free", double_free, 0},
        {"double-free-task", double_free_task, 0},
        {"foreign-free", foreign_free, 0},
        {"foreign-free-task", foreign_free_task, 0},
        {"interior-free", interior_free, 0},
        {"interior-free-task", interior_free_task, 0},
        {"family-mismatch", family_mismatch, 0},
        {"realloc-freed", realloc_freed, 0},
        {"overrun", overrun, 0},
        {"read-past-terminator", read_past_terminator, 0},
        {"read-past-shortened", read_past_shortened, 0},
        {"copy-past-terminator", copy_past_terminator, 0},
        {"ends-move", ends_move, 0},
        {"use-after-free", use_after_free, 0},
        {"still-held", still_held, 0},
    };
    const char *wanted = count == 2 ? arguments[1] : "";
    size_t i;
    if (strcmp(wanted, "ok") == 0) {
        SysFreeString(SysAllocString(OLESTR("fine")));
        CoTaskMemFree(CoTaskMemAlloc(100));
        puts("done");
        return 0;
    }
    for (i = 0; i < ARRAYSIZE(rows); i += 1) {
        if (strcmp(wanted, rows[i].name) == 0) {
            if (rows[i].repeated) {
                repeat(rows[i].action);
            } else {
                rows[i].action();
            }
            forget();
            puts("done");
            return 0;
        }
    }
    fprintf(stderr, "unknown: %s\n", wanted);
    return 2;
}
