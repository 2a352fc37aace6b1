/*
 * A spy of the task allocator in C: it counts, it adds a header to every block, it makes allocations
 * fail.
 *
 * Nothing here knows olemem. The same file is built with a Windows compiler and run under Wine; what
 * Wine is known to do wrong stands outside of _WIN32.
 */
#define COBJMACROS
#include <windows.h>

#include <objbase.h>
#include <objidl.h>
#include <oleauto.h>

#include <initguid.h>

#include <string.h>

#include "check.h"

/* --------------------------------------------------------------------------------- the spy */

enum { HEADER = 32 };

typedef struct Spy {
    IMallocSpy base;
    LONG references;
    LONG queries;
    /* Bytes before each block. */
    SIZE_T header;
    /* A request of so many bytes fails; 0 for none. */
    SIZE_T refused;
    /* How often each method was called, and what the last one of its kind was told. */
    int pre[6], post[6];
    SIZE_T size;
    void *request, *actual;
    BOOL spyed;
} Spy;

enum { ALLOC, FREE, REALLOC, GET_SIZE, DID_ALLOC, MINIMIZE };

static Spy *self(IMallocSpy *This) {
    return (Spy *)This;
}

static void *undone(const Spy *spy, void *request, BOOL spyed) {
    return request != NULL && spyed ? (char *)request - spy->header : request;
}

static void *offset(const Spy *spy, void *actual) {
    return actual != NULL ? (char *)actual + spy->header : NULL;
}

static HRESULT STDMETHODCALLTYPE spy_QueryInterface(IMallocSpy *This, REFIID iid, void **object) {
    self(This)->queries += 1;
    if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_IMallocSpy)) {
        *object = NULL;
        return E_NOINTERFACE;
    }
    *object = This;
    IMallocSpy_AddRef(This);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE spy_AddRef(IMallocSpy *This) {
    return (ULONG)InterlockedIncrement(&self(This)->references);
}

static ULONG STDMETHODCALLTYPE spy_Release(IMallocSpy *This) {
    return (ULONG)InterlockedDecrement(&self(This)->references);
}

static SIZE_T STDMETHODCALLTYPE spy_PreAlloc(IMallocSpy *This, SIZE_T request) {
    Spy *spy = self(This);
    spy->pre[ALLOC] += 1;
    spy->size = request;
    return request != 0 && request == spy->refused ? 0 : request + spy->header;
}

static void *STDMETHODCALLTYPE spy_PostAlloc(IMallocSpy *This, void *actual) {
    self(This)->post[ALLOC] += 1;
    self(This)->actual = actual;
    return offset(self(This), actual);
}

static void *STDMETHODCALLTYPE spy_PreFree(IMallocSpy *This, void *request, BOOL spyed) {
    Spy *spy = self(This);
    spy->pre[FREE] += 1;
    spy->request = request;
    spy->spyed = spyed;
    return undone(spy, request, spyed);
}

static void STDMETHODCALLTYPE spy_PostFree(IMallocSpy *This, BOOL spyed) {
    self(This)->post[FREE] += 1;
    self(This)->spyed = spyed;
}

static SIZE_T STDMETHODCALLTYPE spy_PreRealloc(IMallocSpy *This, void *request, SIZE_T size,
                                               void **newRequest, BOOL spyed) {
    Spy *spy = self(This);
    spy->pre[REALLOC] += 1;
    spy->request = request;
    spy->size = size;
    spy->spyed = spyed;
    *newRequest = undone(spy, request, spyed);
    return size != 0 && size == spy->refused ? 0 : size + spy->header;
}

static void *STDMETHODCALLTYPE spy_PostRealloc(IMallocSpy *This, void *actual, BOOL spyed) {
    (void)spyed;
    self(This)->post[REALLOC] += 1;
    self(This)->actual = actual;
    return offset(self(This), actual);
}

static void *STDMETHODCALLTYPE spy_PreGetSize(IMallocSpy *This, void *request, BOOL spyed) {
    Spy *spy = self(This);
    spy->pre[GET_SIZE] += 1;
    spy->request = request;
    spy->spyed = spyed;
    return undone(spy, request, spyed);
}

static SIZE_T STDMETHODCALLTYPE spy_PostGetSize(IMallocSpy *This, SIZE_T actual, BOOL spyed) {
    self(This)->post[GET_SIZE] += 1;
    return spyed ? actual - self(This)->header : actual;
}

static void *STDMETHODCALLTYPE spy_PreDidAlloc(IMallocSpy *This, void *request, BOOL spyed) {
    Spy *spy = self(This);
    spy->pre[DID_ALLOC] += 1;
    spy->spyed = spyed;
    return undone(spy, request, spyed);
}

static int STDMETHODCALLTYPE spy_PostDidAlloc(IMallocSpy *This, void *request, BOOL spyed,
                                              int actual) {
    (void)spyed;
    self(This)->post[DID_ALLOC] += 1;
    self(This)->request = request;
    return actual;
}

static void STDMETHODCALLTYPE spy_PreHeapMinimize(IMallocSpy *This) {
    self(This)->pre[MINIMIZE] += 1;
}

static void STDMETHODCALLTYPE spy_PostHeapMinimize(IMallocSpy *This) {
    self(This)->post[MINIMIZE] += 1;
}

static IMallocSpyVtbl spy_table = {
    spy_QueryInterface,  spy_AddRef,      spy_Release,         spy_PreAlloc,
    spy_PostAlloc,       spy_PreFree,     spy_PostFree,        spy_PreRealloc,
    spy_PostRealloc,     spy_PreGetSize,  spy_PostGetSize,     spy_PreDidAlloc,
    spy_PostDidAlloc,    spy_PreHeapMinimize, spy_PostHeapMinimize,
};

static void spy_init(Spy *spy) {
    memset(spy, 0, sizeof *spy);
    spy->base.lpVtbl = &spy_table;
    spy->references = 1;
}

/* How often the spy was called since this was last asked. */
static int calls(Spy *spy) {
    int sum = 0;
    for (int i = 0; i < 6; i++) {
        sum += spy->pre[i] + spy->post[i];
        spy->pre[i] = spy->post[i] = 0;
    }
    return sum;
}

/* One call of that kind was seen, and nothing else. */
#define ONE(spy, which)                                                                            \
    do {                                                                                           \
        CHECK((spy)->pre[which] == 1 && (spy)->post[which] == 1);                                  \
        CHECK(calls(spy) == 2);                                                                    \
    } while (0)

/* ---------------------------------------------------------------------------- what it sees */

static void registration(IMalloc *task) {
    Spy spy;
    spy_init(&spy);
    CHECK(CoRegisterMallocSpy(NULL) == E_INVALIDARG);
    CHECK(CoRevokeMallocSpy() == CO_E_OBJNOTREG);
    CHECK(CoRegisterMallocSpy(&spy.base) == S_OK);
    CHECK(spy.queries == 1 && spy.references == 2);
    CHECK(CoRegisterMallocSpy(NULL) == E_INVALIDARG);
    CHECK(CoRegisterMallocSpy(&spy.base) == CO_E_OBJISREG);
    IMalloc_Free(task, NULL);
    CoTaskMemFree(NULL);
    CHECK(calls(&spy) == 0);
    CHECK(CoRevokeMallocSpy() == S_OK);
    CHECK(spy.references == 1);
    CHECK(CoRevokeMallocSpy() == CO_E_OBJNOTREG);
}

static void every_method(IMalloc *task) {
    Spy spy;
    void *before = CoTaskMemAlloc(8);
    spy_init(&spy);
    CHECK(CoRegisterMallocSpy(&spy.base) == S_OK);
    for (SIZE_T size = 0; size < 20; size++) {
        void *block = CoTaskMemAlloc(size);
        CHECK(block != NULL && block == spy.actual && spy.size == size);
        ONE(&spy, ALLOC);
        CHECK(IMalloc_GetSize(task, block) == size);
        CHECK(spy.request == block && spy.spyed);
        ONE(&spy, GET_SIZE);
        CHECK(IMalloc_DidAlloc(task, block) == 1);
        CHECK(spy.request == block && spy.spyed);
        ONE(&spy, DID_ALLOC);
        void *moved = CoTaskMemRealloc(block, size + 100);
        CHECK(moved != NULL && moved == spy.actual);
        CHECK(spy.request == block && spy.size == size + 100 && spy.spyed);
        ONE(&spy, REALLOC);
        CoTaskMemFree(moved);
        CHECK(spy.request == moved && spy.spyed);
        ONE(&spy, FREE);
    }
    IMalloc_HeapMinimize(task);
    ONE(&spy, MINIMIZE);
    CoTaskMemFree(before);
    CHECK(spy.request == before && !spy.spyed);
    ONE(&spy, FREE);
    CHECK(CoRevokeMallocSpy() == S_OK);
}

static void failures(void) {
    Spy spy;
    spy_init(&spy);
    CHECK(CoRegisterMallocSpy(&spy.base) == S_OK);
    spy.refused = 77;
    CHECK(CoTaskMemAlloc(77) == NULL);
    CHECK(spy.pre[ALLOC] == 1 && calls(&spy) == 1);
    /* No machine has so much. */
    CHECK(CoTaskMemAlloc((SIZE_T)-1 / 2) == NULL);
    CHECK(spy.actual == NULL);
    ONE(&spy, ALLOC);
#ifndef _WIN32
    char *block = CoTaskMemAlloc(4);
    CHECK(block != NULL);
    memcpy(block, "abc", 4);
    calls(&spy);
    CHECK(CoTaskMemRealloc(block, 77) == NULL);
    CHECK(spy.pre[REALLOC] == 1 && calls(&spy) == 1);
    CHECK(strcmp(block, "abc") == 0);
    CHECK(CoTaskMemRealloc(block, 0) == NULL);
    CHECK(spy.spyed && spy.actual == NULL);
    ONE(&spy, REALLOC);
#endif
    CHECK(CoRevokeMallocSpy() == S_OK);
}

static void outstanding(void) {
    Spy spy;
    spy_init(&spy);
    CHECK(CoRegisterMallocSpy(&spy.base) == S_OK);
    void *block = CoTaskMemAlloc(1);
    CHECK(CoRevokeMallocSpy() == E_ACCESSDENIED);
    CHECK(CoRegisterMallocSpy(&spy.base) == CO_E_OBJISREG);
    CHECK(CoRevokeMallocSpy() == E_ACCESSDENIED);
    void *later = CoTaskMemAlloc(2);
    CoTaskMemFree(block);
    CHECK(spy.references == 2);
    calls(&spy);
    CoTaskMemFree(later);
    ONE(&spy, FREE);
    CHECK(spy.references == 1);
    CHECK(CoRevokeMallocSpy() == CO_E_OBJNOTREG);
    CoTaskMemFree(CoTaskMemAlloc(3));
    CHECK(calls(&spy) == 0);
}

static void strings(void) {
    Spy spy;
    spy_init(&spy);
    CHECK(CoRegisterMallocSpy(&spy.base) == S_OK);
    BSTR text = SysAllocString(OLESTR("Test"));
    CHECK(spy.size == (sizeof(void *) == 8 ? 32 : 16));
    CHECK((char *)text - (char *)spy.actual == (ptrdiff_t)sizeof(void *));
    ONE(&spy, ALLOC);
    void *start = spy.actual;
    CHECK(SysReAllocStringLen(&text, NULL, 300));
    CHECK(spy.request == start && spy.spyed);
    ONE(&spy, REALLOC);
    start = spy.actual;
    SysFreeString(text);
    CHECK(spy.request == start && spy.spyed);
    CHECK(spy.pre[FREE] == 1 && spy.post[FREE] == 1);
#ifndef _WIN32
    /* Wine asks for the size first, to see whether its cache would keep the string. */
    CHECK(calls(&spy) == 2);
#endif
    CHECK(CoRevokeMallocSpy() == S_OK);
}

#ifndef _WIN32
/* Wine ignores the size that PreAlloc gives, so a header would be another block's memory there. */
static void headers(IMalloc *task) {
    Spy spy;
    char *before = CoTaskMemAlloc(4);
    CHECK(before != NULL);
    spy_init(&spy);
    spy.header = HEADER;
    CHECK(IMalloc_DidAlloc(task, before) == 1);
    CHECK(CoRegisterMallocSpy(&spy.base) == S_OK);
    CHECK(IMalloc_GetSize(task, before) == 4 && !spy.spyed);
    for (SIZE_T size = 1; size < 40; size++) {
        char *block = CoTaskMemAlloc(size);
        CHECK(block == (char *)spy.actual + HEADER);
        memset(spy.actual, 0xFF, HEADER + size);
        CHECK(IMalloc_GetSize(task, block) == size);
        CHECK(IMalloc_DidAlloc(task, block) == 1 && spy.request == block);
        block = CoTaskMemRealloc(block, size * 50);
        CHECK(block == (char *)spy.actual + HEADER);
        memset(block + size, 0xFF, size * 49);
        for (SIZE_T i = 0; i < HEADER + size * 50; i++) {
            if (((unsigned char *)spy.actual)[i] != 0xFF) {
                CHECK(!"the block moved with its header");
            }
        }
        CoTaskMemFree(block);
    }
    BSTR text = SysAllocString(OLESTR("some text"));
    CHECK(SysReAllocStringLen(&text, text + 5, 4));
    CHECK(SysStringLen(text) == 4 && memcmp(text, OLESTR("text"), 10) == 0);
    CHECK(CoRevokeMallocSpy() == E_ACCESSDENIED);
    CHECK(SysReAllocStringLen(&text, NULL, 400));
    CHECK(spy.references == 2);
    SysFreeString(text);
    CHECK(spy.references == 1);
    CoTaskMemFree(before);
}
#endif

int main(void) {
    IMalloc *task = NULL;
    CHECK(CoGetMalloc(MEMCTX_TASK, &task) == S_OK);
    registration(task);
    every_method(task);
    failures();
    outstanding();
    strings();
#ifndef _WIN32
    headers(task);
#endif
    IMalloc_Release(task);
    return checks_finish();
}
