/*
 * Where calls come from: one case a run, named by the argument. Each loses blocks, at lines that say so; what must be
 * told of them is said by the test that starts this program.
 */
#define _GNU_SOURCE
#define COBJMACROS
#include <objbase.h>
#include <oleauto.h>

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <ucontext.h>
#endif

/* A call that is followed by this is none that the compiler makes a jump of. */
#define GOES_ON __asm__ volatile("" : : : "memory")

__attribute__((noinline)) static BSTR inner(UINT length) {
    BSTR made = SysAllocStringLen(OLESTR("abcdefgh"), length); /* inner */
    GOES_ON;
    return made;
}

__attribute__((noinline)) static BSTR middle(UINT length) {
    BSTR made = inner(length); /* middle */
    GOES_ON;
    return made;
}

__attribute__((noinline)) static BSTR outer(UINT length) {
    BSTR made = middle(length); /* outer */
    GOES_ON;
    return made;
}

static void chain(void) {
    outer(8);
    GOES_ON;
}

static BSTR deeper(unsigned depth) {
    BSTR made = depth == 0 ? inner(8) : deeper(depth - 1);
    GOES_ON;
    return made;
}

static void deep(void) {
    deeper(20000);
    GOES_ON;
}

static void *in_thread(void *nothing) {
    chain();
    return nothing;
}

/* The smallest stack that the system gives, and what the audit itself may need. */
static void small(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, 64 * 1024) != 0
        || pthread_create(&thread, &attributes, in_thread, NULL) != 0) {
        abort();
    }
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

/* Every function with a result of its own kind, and the methods of IMalloc. */
static void each(void) {
    IMalloc *heap = NULL;
    BSTR text = NULL;
    BSTR other = NULL;
    LPOLESTR copy = NULL;
    LPVOID block = NULL;

    text = SysAllocString(OLESTR("1"));                    /* lost 1 */
    text = SysAllocStringLen(OLESTR("2"), 1);              /* lost 2 */
    text = SysAllocStringByteLen("3", 1);                  /* lost 3 */
    other = NULL;
    SysReAllocString(&other, OLESTR("4"));                 /* lost 4 */
    other = NULL;
    SysReAllocStringLen(&other, OLESTR("5"), 1);           /* lost 5 */
    VarBstrCat(text, text, &other);                        /* lost 6 */
    block = CoTaskMemAlloc(7);                             /* lost 7 */
    block = CoTaskMemRealloc(NULL, 8);                     /* lost 8 */
    StringFromCLSID(&IID_IMalloc, &copy);                  /* lost 9 */
    StringFromIID(&IID_IMalloc, &copy);                    /* lost 10 */
    SHStrDupW(OLESTR("11"), &copy);                        /* lost 11 */
    SHStrDupA("12", &copy);                                /* lost 12 */
    CoGetMalloc(1, &heap);
    block = IMalloc_Alloc(heap, 13);                       /* lost 13 */
    block = IMalloc_Realloc(heap, NULL, 14);               /* lost 14 */
    (void)block;
}

#if defined(__x86_64__) || defined(__aarch64__)

/* CoTaskMemAlloc, called with anything in the register that frame pointers are in. */
LPVOID alloc_with_frame(SIZE_T size, void *frame);

#define TEXT(name) TEXT_OF(name)
#define TEXT_OF(name) #name
#define C_NAME(name) TEXT(__USER_LABEL_PREFIX__) name

__asm__(".text\n"
        ".globl " C_NAME("alloc_with_frame") "\n"
        ".p2align 4\n"
        C_NAME("alloc_with_frame") ":\n"
#ifdef __x86_64__
#ifdef __ELF__
        ".type alloc_with_frame, @function\n"
#endif
        "    pushq %rbp\n"
        "    movq %rsi, %rbp\n"
#ifdef __APPLE__
        "    callq " C_NAME("CoTaskMemAlloc") "\n"
#else
        "    callq CoTaskMemAlloc@PLT\n"
#endif
        "    popq %rbp\n"
        "    ret\n"
#else
#ifdef __ELF__
        ".type alloc_with_frame, %function\n"
#endif
        "    stp x29, x30, [sp, -16]!\n"
        "    mov x29, x1\n"
        "    bl " C_NAME("CoTaskMemAlloc") "\n"
        "    ldp x29, x30, [sp], 16\n"
        "    ret\n"
#endif
#ifdef __ELF__
        ".size alloc_with_frame, . - alloc_with_frame\n"
#endif
);

/* What is no frame, and what is none that leads anywhere. */
static void broken(void) {
    uintptr_t frames[16];
    uintptr_t here = (uintptr_t)frames;
    SIZE_T size = 1;
    memset(frames, 0xAA, sizeof frames);

    alloc_with_frame(size++, NULL);
    alloc_with_frame(size++, (void *)1);
    alloc_with_frame(size++, (void *)UINTPTR_MAX);
    alloc_with_frame(size++, (void *)(UINTPTR_MAX - 7));
    alloc_with_frame(size++, (void *)(UINTPTR_MAX - 15));
    alloc_with_frame(size++, (void *)((UINTPTR_MAX >> 1) - 7));
    alloc_with_frame(size++, (void *)(here + 1));
    alloc_with_frame(size++, (void *)(here - 65536));
    alloc_with_frame(size++, malloc(64));
    alloc_with_frame(size++, (void *)65536);

    /* To itself. */
    frames[0] = (uintptr_t)&frames[0];
    alloc_with_frame(size++, frames);
    /* To and fro. */
    frames[0] = (uintptr_t)&frames[2];
    frames[2] = (uintptr_t)&frames[0];
    alloc_with_frame(size++, frames);
    /* Down. */
    frames[4] = here - 4096;
    alloc_with_frame(size++, &frames[4]);
    /* Far up: beyond the stack, wherever that ends. */
    frames[6] = (here + ((uintptr_t)1 << 32)) & ~(uintptr_t)7;
    alloc_with_frame(size++, &frames[6]);
    /* To an address that is none, and to nowhere. */
    frames[8] = (uintptr_t)&frames[10] + 3;
    alloc_with_frame(size++, &frames[8]);
    frames[10] = 0;
    frames[11] = 0;
    alloc_with_frame(size++, &frames[10]);
    GOES_ON;
}

#else

static void broken(void) {
}

#endif

#ifdef __linux__

static ucontext_t before, within;

static void on_another_stack(void) {
    chain();
}

static void coroutine(void) {
    enum { SIZE = 256 * 1024 };
    if (getcontext(&within) != 0) {
        abort();
    }
    within.uc_stack.ss_sp = malloc(SIZE);
    within.uc_stack.ss_size = SIZE;
    within.uc_link = &before;
    makecontext(&within, on_another_stack, 0);
    if (swapcontext(&before, &within) != 0) {
        abort();
    }
}

#else

static void coroutine(void) {
    chain();
}

#endif

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {
        {"chain", chain}, {"deep", deep},     {"small", small},
        {"each", each},   {"broken", broken}, {"coroutine", coroutine},
    };
    size_t index;
    for (index = 0; count > 1 && index < sizeof cases / sizeof *cases; index++) {
        if (strcmp(arguments[1], cases[index].name) == 0) {
            cases[index].run();
            return 0;
        }
    }
    return 3;
}
