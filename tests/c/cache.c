/*
 * The cache of freed strings and pins, through the C functions. The argument says what is checked:
 *
 *   windows      what Windows was seen to do; the cache is on and empty. Windows' own and Wine's pass it.
 *   off          the cache is off: by the environment, or not asked for.
 *   set-no-cache SetOaNoCache; the cache is on before.
 *   pins         SysAddRefString and SysReleaseString, with the cache off.
 *   leaks        strings that nobody frees, pinned or not; the cache is on, and what is in it is none.
 */
#define COBJMACROS
#include <objbase.h>
#include <oleauto.h>

#include <string.h>

#include "check.h"

#if defined(__MINGW32__)
/* Missing from MinGW's headers, and not from its library. */
void WINAPI SetOaNoCache(void);
#endif

static IMalloc *task_malloc(void) {
    IMalloc *result = NULL;
    CHECK(CoGetMalloc(MEMCTX_TASK, &result) == S_OK);
    return result;
}

static int is_live(BSTR text) {
    IMalloc *task = task_malloc();
    int answer = IMalloc_DidAlloc(task, (char *)text - sizeof(void *));
    IMalloc_Release(task);
    return answer == 1;
}

static void windows(void) {
    BSTR first, second, texts[20];
    int i;

    /* V050 */
    first = SysAllocString(OLESTR("test"));
    CHECK(first != NULL);
    SysFreeString(first);
    SysFreeString(first);
    CHECK(SysStringLen(first) == 4);
    CHECK(memcmp(first, OLESTR("test"), 10) == 0);
    /* V051 */
    second = SysAllocString(OLESTR("test"));
    CHECK(second == first);
    SysFreeString(second);
    /* V052 */
    for (i = 0; i < 20; i += 1) {
        char *block = (char *)CoTaskMemAlloc(64);
        CHECK(block != NULL);
        memset(block, 0, sizeof(void *));
        texts[i] = (BSTR)(void *)(block + sizeof(void *));
    }
    for (i = 0; i < 20; i += 1) {
        SysFreeString(texts[i]);
    }
    /* V053 */
    first = SysAllocStringLen(NULL, 24);
    CHECK(first == texts[0]);
    /* V054 */
    second = SysAllocStringLen(NULL, 16);
    CHECK(second == texts[1]);
    /* V055 */
    SysFreeString(first);
    SysFreeString(second);
    SysFreeString(first);
    SysFreeString(second);
}

static void off(void) {
    /* V056 */
    int i;
    for (i = 0; i < 3; i += 1) {
        BSTR text = SysAllocString(OLESTR("test"));
        CHECK(text != NULL && is_live(text));
        SysFreeString(text);
        CHECK(!is_live(text));
    }
}

static void set_no_cache(void) {
    /* V057 */
    BSTR before = SysAllocString(OLESTR("test"));
    SysFreeString(before);
    SetOaNoCache();
    off();
    CHECK(is_live(before));
}

#if !defined(_WIN32)

static void pins(void) {
    BSTR text = SysAllocString(OLESTR("text")), old;

    CHECK(SysAddRefString(NULL) == S_OK);
    SysReleaseString(NULL);

    /* A free waits for the last pin, and more of them change nothing. */
    CHECK(SysAddRefString(text) == S_OK);
    CHECK(SysAddRefString(text) == S_OK);
    SysFreeString(text);
    SysFreeString(text);
    SysReleaseString(text);
    CHECK(SysStringLen(text) == 4);
    CHECK(memcmp(text, OLESTR("text"), 10) == 0);
    SysReleaseString(text);
    CHECK(!is_live(text));
    CHECK(SysAddRefString(text) == E_INVALIDARG);

    /* A reallocation leaves the pinned string. */
    text = old = SysAllocString(OLESTR("text"));
    CHECK(SysAddRefString(old) == S_OK);
    CHECK(SysReAllocStringLen(&text, NULL, 2));
    CHECK(text != old && SysStringLen(text) == 2 && text[0] == 't' && text[1] == 'e');
    CHECK(SysStringLen(old) == 4 && old[3] == 't');
    SysReleaseString(old);
    CHECK(!is_live(old));
    SysFreeString(text);

    /* What was not freed is its owner's to free. */
    text = SysAllocString(OLESTR("text"));
    CHECK(SysAddRefString(text) == S_OK);
    SysReleaseString(text);
    SysReleaseString(text);
    CHECK(is_live(text));
    SysFreeString(text);
    CHECK(!is_live(text));
}

/* The compiler is to know nothing about the pointer. */
#define UNKNOWN(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

static __attribute__((noinline)) void lose(int pinned) {
    BSTR text = SysAllocString(OLESTR("nobody frees this"));
    if (pinned) {
        CHECK(SysAddRefString(text) == S_OK);
    }
    UNKNOWN(text);
}

/* Writes over what the calls before left on the stack: a pointer there would hide a leak. */
static __attribute__((noinline)) void forget(void) {
    char volatile stack[4096];
    size_t i;
    for (i = 0; i < sizeof stack; i += 1) {
        stack[i] = 0;
    }
}

static void leaks(void) {
    int i;
    for (i = 0; i < 8; i += 1) {
        lose(0);
        lose(1);
        SysFreeString(SysAllocString(OLESTR("freed into the cache")));
    }
    forget();
}

#endif

int main(int count, char **arguments) {
    const char *part = count > 1 ? arguments[1] : "";
    if (strcmp(part, "windows") == 0) {
        windows();
    } else if (strcmp(part, "off") == 0) {
        off();
    } else if (strcmp(part, "set-no-cache") == 0) {
        set_no_cache();
#if !defined(_WIN32)
    } else if (strcmp(part, "pins") == 0) {
        pins();
    } else if (strcmp(part, "leaks") == 0) {
        leaks();
#endif
    } else {
        fprintf(stderr, "unknown part: %s\n", part);
        return 2;
    }
    return checks_finish();
}
