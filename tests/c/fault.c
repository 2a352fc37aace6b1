/*
 * Allocations that are made to fail, whichever function asks for them: what each gives then, and which ones fail by
 * which plan. `fault audited` does the same within a session.
 */
#define COBJMACROS
#include <windows.h>

#include <objbase.h>
#include <oleauto.h>
#include <pthread.h>
#include <shlwapi.h>
#include <string.h>

#include "check.h"

static olemem_fault_plan plan(void) {
    olemem_fault_plan plan = {0};
    plan.size = sizeof plan;
    return plan;
}

/* The first allocation from here on fails. */
static olemem_fault first(void) {
    olemem_fault_plan chosen = plan();
    chosen.nth = 1;
    return olemem_fault_begin(&chosen);
}

/* One failed, and it is over. */
static int one(olemem_fault fault) {
    return olemem_fault_failures(fault) == 1 && olemem_fault_end(fault) == 1;
}

/* --------------------------------------------------------------------------- what functions give */

static void strings(void) {
    olemem_fault fault = first();
    CHECK(SysAllocString(OLESTR("text")) == NULL && one(fault));
    fault = first();
    CHECK(SysAllocStringLen(NULL, 0) == NULL && one(fault));
    fault = first();
    CHECK(SysAllocStringByteLen("abc", 3) == NULL && one(fault));

    /* The old string is whole. */
    BSTR text = SysAllocString(OLESTR("old"));
    BSTR before = text;
    fault = first();
    CHECK(SysReAllocString(&text, OLESTR("a much longer text")) == FALSE && one(fault));
    CHECK(text == before && SysStringLen(text) == 3 && text[0] == 'o');
    fault = first();
    CHECK(SysReAllocStringLen(&text, NULL, 1000) == FALSE && one(fault));
    CHECK(text == before && SysStringLen(text) == 3);
    BSTR none = NULL;
    fault = first();
    CHECK(SysReAllocStringLen(&none, NULL, 1) == FALSE && none == NULL && one(fault));

    BSTR joined = (BSTR)&joined;
    fault = first();
    CHECK(VarBstrCat(text, text, &joined) == E_OUTOFMEMORY && joined == NULL && one(fault));
    fault = first();
    CHECK(SysAddRefString(text) == E_OUTOFMEMORY && one(fault));
    SysFreeString(text);
}

static void task_memory(void) {
    olemem_fault fault = first();
    CHECK(CoTaskMemAlloc(8) == NULL && one(fault));
    void *block = CoTaskMemAlloc(8);
    fault = first();
    CHECK(CoTaskMemRealloc(block, 1000) == NULL && one(fault));

    IMalloc *task = NULL;
    CHECK(SUCCEEDED(CoGetMalloc(1, &task)));
    CHECK(IMalloc_GetSize(task, block) == 8);
    fault = first();
    CHECK(IMalloc_Alloc(task, 8) == NULL && one(fault));
    fault = first();
    CHECK(IMalloc_Realloc(task, block, 1000) == NULL && one(fault));
    /* What needs no memory is not counted. */
    fault = first();
    block = IMalloc_Realloc(task, block, 4);
    CHECK(block != NULL);
    CHECK(olemem_fault_allocations(fault) == 0 && olemem_fault_end(fault) == 0);
    IMalloc_Free(task, block);
    IMalloc_Release(task);

    LPWSTR copy = (LPWSTR)&copy;
    fault = first();
    CHECK(SHStrDupW(OLESTR("text"), &copy) == E_OUTOFMEMORY && copy == NULL && one(fault));
    LPOLESTR guid = (LPOLESTR)&guid;
    fault = first();
    CHECK(StringFromCLSID(&IID_IMalloc, &guid) == E_OUTOFMEMORY && guid == NULL && one(fault));
}

/* ------------------------------------------------------------------------------------ which ones */

/* Which of twelve allocations fail: a BSTR and a block, by turns, the sizes growing. */
static unsigned failing(const olemem_fault_plan *chosen) {
    unsigned failed = 0;
    olemem_fault fault = olemem_fault_begin(chosen);
    for (unsigned i = 0; i < 12; i++) {
        void *block = i % 2 ? CoTaskMemAlloc(i * 16) : NULL;
        BSTR text = i % 2 ? NULL : SysAllocStringLen(NULL, i * 8);
        failed |= (unsigned)(block == NULL && text == NULL) << i;
        CoTaskMemFree(block);
        SysFreeString(text);
    }
    olemem_fault_end(fault);
    return failed;
}

static void plans(void) {
    olemem_fault_plan chosen = plan();
    CHECK(failing(NULL) == 0xFFF && failing(&chosen) == 0xFFF);
    chosen.nth = 3;
    CHECK(failing(&chosen) == 0x004);
    chosen.then = OLEMEM_THEN_ALWAYS;
    CHECK(failing(&chosen) == 0xFFC);
    chosen.then = OLEMEM_THEN_AS_CHOSEN;
    chosen.family = OLEMEM_FAMILY_TASK;
    CHECK(failing(&chosen) == 0x020);
    chosen = plan();
    chosen.every = 4;
    CHECK(failing(&chosen) == 0x888);
    chosen.then = OLEMEM_THEN_NEVER;
    CHECK(failing(&chosen) == 0x008);
    chosen = plan();
    chosen.above = 150;
    CHECK(failing(&chosen) == 0xC00);
    chosen = plan();
    chosen.rate = 0.5;
    chosen.seed = 7;
    unsigned by_seed = failing(&chosen);
    CHECK(by_seed != 0 && by_seed != 0xFFF && failing(&chosen) == by_seed);
    chosen.rate = 1;
    CHECK(failing(&chosen) == 0xFFF);
}

/* A sweep by hand: of three allocations each fails in turn. */
static HRESULT join(BSTR *joined) {
    HRESULT hr = E_OUTOFMEMORY;
    *joined = NULL;
    BSTR left = SysAllocString(OLESTR("left"));
    BSTR right = SysAllocString(OLESTR("right"));
    if (left && right)
        hr = VarBstrCat(left, right, joined);
    SysFreeString(left);
    SysFreeString(right);
    return hr;
}

static void sweep(void) {
    olemem_fault_plan chosen = plan();
    for (chosen.nth = 1;; chosen.nth++) {
        BSTR joined;
        olemem_fault fault = olemem_fault_begin(&chosen);
        HRESULT hr = join(&joined);
        if (olemem_fault_end(fault) == 0) {
            CHECK(hr == S_OK && SysStringLen(joined) == 9);
            SysFreeString(joined);
            break;
        }
        CHECK(hr == E_OUTOFMEMORY && joined == NULL);
    }
    CHECK(chosen.nth == 4);
}

/* ---------------------------------------------------------------------------------------- misuse */

static void refused(olemem_fault_plan chosen) {
    CHECK(olemem_fault_begin(&chosen) == 0);
}

static void *on_another_thread(void *fault) {
    /* Neither its failures nor its number are this thread's. */
    void *block = CoTaskMemAlloc(8);
    int is_free = block != NULL && olemem_fault_end(*(olemem_fault *)fault) == 0;
    CoTaskMemFree(block);
    return is_free ? fault : NULL;
}

static void misuse(void) {
    olemem_fault_plan chosen = plan();
    chosen.size = sizeof chosen - 1;
    refused(chosen);
    chosen = plan();
    chosen.nth = chosen.every = 1;
    refused(chosen);
    chosen = plan();
    chosen.rate = 1.5;
    refused(chosen);
    chosen.rate = -0.5;
    refused(chosen);
    chosen = plan();
    chosen.family = 3;
    refused(chosen);
    chosen = plan();
    chosen.then = 3;
    refused(chosen);
    CHECK(olemem_fault_end(0) == 0 && olemem_fault_failures(12345) == 0);
    CHECK(olemem_fault_allocations(0) == 0);

    olemem_fault fault = first();
    pthread_t thread;
    void *answer = NULL;
    CHECK(pthread_create(&thread, NULL, on_another_thread, &fault) == 0);
    CHECK(pthread_join(thread, &answer) == 0 && answer == &fault);
    CHECK(CoTaskMemAlloc(8) == NULL && one(fault));
    CHECK(olemem_fault_end(fault) == 0);

    /* In any order. */
    olemem_fault outer = first();
    olemem_fault inner = first();
    CHECK(olemem_fault_end(outer) == 0);
    CHECK(CoTaskMemAlloc(8) == NULL && one(inner));
    void *block = CoTaskMemAlloc(8);
    CHECK(block != NULL);
    CoTaskMemFree(block);
}

static void all(void) {
    strings();
    task_memory();
    plans();
    sweep();
    misuse();
}

int main(int argc, char **argv) {
#ifdef AUDITED
    if (argc > 1 && strcmp(argv[1], "audited") == 0) {
        olemem_session session = olemem_session_begin(NULL);
        all();
        CHECK(olemem_session_check(session));
        return checks_finish();
    }
#else
    (void)argc;
    (void)argv;
#endif
    all();
    return checks_finish();
}
