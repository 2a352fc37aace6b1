/*
 * Vectors of bytes: made of BSTRs and turned into them (V210 to V229, in C).
 *
 * Built with a Windows compiler as well and judged there by Wine; where olemem keeps to what Windows documents and
 * Wine does not, it stands under `#ifndef _WIN32`.
 */
#include <windows.h>
#include <objbase.h>
#include <oleauto.h>

#include <string.h>

#include "check.h"

/* Bytes before a descriptor that belong to its block. */
#define HIDDEN 16

static IMalloc *task;

#ifdef __cplusplus
#define TASK(method, block) (task->method(block))
#define TASK_RELEASE() (task->Release())
#else
#define TASK(method, block) (task->lpVtbl->method(task, block))
#define TASK_RELEASE() (task->lpVtbl->Release(task))
#endif

static SAFEARRAYBOUND bound(ULONG count, LONG lower) {
    SAFEARRAYBOUND made;
    made.cElements = count;
    made.lLbound = lower;
    return made;
}

/* V210, V211: two dimensions, and what Windows lays out before and behind the descriptor. */
static void shape(void) {
    SAFEARRAYBOUND bounds[2];
    SAFEARRAY *array;
    unsigned char *block;
    LONG at = 77;
    VARTYPE type = 77;

    bounds[0] = bound(3, 5);
    bounds[1] = bound(4, -2);
    array = SafeArrayCreate(VT_UI1, 2, bounds);
    CHECK(array != NULL);
    block = (unsigned char *)array - HIDDEN;
    CHECK(array->cDims == 2 && array->fFeatures == FADF_HAVEVARTYPE);
    CHECK(array->cbElements == 1 && array->cLocks == 0);
    CHECK(array->rgsabound[0].cElements == 4 && array->rgsabound[0].lLbound == -2);
    CHECK(((DWORD *)array)[-1] == VT_UI1);
    CHECK(TASK(DidAlloc, block) == 1);
    CHECK(TASK(GetSize, block) == HIDDEN + sizeof *array + sizeof *bounds);
    CHECK(TASK(DidAlloc, array->pvData) == 1 && TASK(GetSize, array->pvData) == 12);

    CHECK(SafeArrayGetDim(array) == 2 && SafeArrayGetElemsize(array) == 1);
    CHECK(SafeArrayGetLBound(array, 1, &at) == S_OK && at == 5);
    CHECK(SafeArrayGetUBound(array, 1, &at) == S_OK && at == 7);
    CHECK(SafeArrayGetLBound(array, 2, &at) == S_OK && at == -2);
    CHECK(SafeArrayGetUBound(array, 2, &at) == S_OK && at == 1);
    CHECK(SafeArrayGetLBound(array, 0, &at) == DISP_E_BADINDEX);
    CHECK(SafeArrayGetUBound(array, 3, &at) == DISP_E_BADINDEX && at == 1);
    CHECK(SafeArrayGetVartype(array, &type) == S_OK && type == VT_UI1);
    CHECK(SafeArrayDestroy(array) == S_OK);
    CHECK(TASK(DidAlloc, block) == 0);
}

/* V212 to V214. */
static void types(void) {
    static const struct {
        VARTYPE type;
        size_t size;
    } known[] = {{VT_I2, 2},       {VT_I4, 4},
                 {VT_R4, 4},       {VT_R8, 8},
                 {VT_CY, 8},       {VT_DATE, 8},
                 {VT_ERROR, 4},    {VT_BOOL, 2},
                 {VT_DECIMAL, 16}, {VT_I1, 1},
                 {VT_UI1, 1},      {VT_UI2, 2},
                 {VT_UI4, 4},      {VT_I8, 8},
                 {VT_UI8, 8},      {VT_INT, 4},
                 {VT_UINT, 4},     {VT_BSTR, sizeof(BSTR)},
                 {VT_INT_PTR, sizeof(INT_PTR)}};
    static const VARTYPE none[] = {VT_EMPTY, VT_NULL, 15, VT_UI1 | VT_ARRAY, VT_UI1 | VT_BYREF};
    SAFEARRAYBOUND one = bound(3, 7);
    size_t index;

    for (index = 0; index < sizeof known / sizeof *known; index++) {
        VARTYPE type = known[index].type;
        size_t size = known[index].size;
        SAFEARRAY *apart = SafeArrayCreate(type, 1, &one);
        SAFEARRAY *whole = SafeArrayCreateVector(type, 7, 3);
        VARTYPE found = 0;
        CHECK(apart != NULL && whole != NULL);
        CHECK(SafeArrayGetElemsize(apart) == size && SafeArrayGetElemsize(whole) == size);
        CHECK(SafeArrayGetVartype(whole, &found) == S_OK && found == type);
        CHECK((apart->fFeatures & ~FADF_BSTR) == FADF_HAVEVARTYPE);
        CHECK((whole->fFeatures & ~(FADF_BSTR | FADF_FIXEDSIZE)) == (FADF_HAVEVARTYPE | 0x2000));
#ifndef _WIN32
        CHECK(whole->fFeatures & FADF_FIXEDSIZE);
#endif
        CHECK(!(apart->fFeatures & FADF_BSTR) == (type != VT_BSTR));
        CHECK((char *)whole->pvData == (char *)(whole + 1));
        CHECK(TASK(GetSize, (char *)whole - HIDDEN) == HIDDEN + sizeof *whole + 3 * size);
        CHECK(SafeArrayDestroy(apart) == S_OK && SafeArrayDestroy(whole) == S_OK);
    }
    for (index = 0; index < sizeof none / sizeof *none; index++) {
        CHECK(SafeArrayCreate(none[index], 1, &one) == NULL);
        CHECK(SafeArrayCreateVector(none[index], 0, 1) == NULL);
    }
#ifndef _WIN32
    /* Of these Windows makes arrays, too. */
    CHECK(SafeArrayCreate(VT_VARIANT, 1, &one) == NULL);
    CHECK(SafeArrayCreateVector(VT_UNKNOWN, 0, 1) == NULL);
#endif
    CHECK(SafeArrayCreate(VT_UI1, 0, &one) == NULL);
    CHECK(SafeArrayCreate(VT_UI1, 0x10000, &one) == NULL);
    CHECK(SafeArrayCreate(VT_UI1, 1, NULL) == NULL);
}

/* V215 to V219. */
static void locks(void) {
    SAFEARRAY *array = SafeArrayCreateVector(VT_UI1, 0, 3);
    void *data = &array;
    LONG at;
    VARTYPE type;

    CHECK(SafeArrayAccessData(array, &data) == S_OK && data == array->pvData);
    CHECK(SafeArrayLock(array) == S_OK && array->cLocks == 2);
    CHECK(SafeArrayDestroy(array) == DISP_E_ARRAYISLOCKED);
    CHECK(SafeArrayUnlock(array) == S_OK);
    CHECK(SafeArrayDestroy(array) == DISP_E_ARRAYISLOCKED);
    CHECK(SafeArrayUnaccessData(array) == S_OK);
    CHECK(SafeArrayUnaccessData(array) == E_UNEXPECTED && array->cLocks == 0);
    array->cLocks = 0xFFFE;
    CHECK(SafeArrayLock(array) == S_OK);
    CHECK(SafeArrayAccessData(array, &data) == E_UNEXPECTED && data == NULL);
    CHECK(array->cLocks == 0xFFFF);
    array->cLocks = 0;
    array->fFeatures &= (USHORT)~FADF_HAVEVARTYPE;
    CHECK(SafeArrayGetVartype(array, &type) == E_INVALIDARG);

    CHECK(SafeArrayGetDim(NULL) == 0 && SafeArrayGetElemsize(NULL) == 0);
    CHECK(SafeArrayDestroy(NULL) == S_OK);
    CHECK(SafeArrayLock(NULL) == E_INVALIDARG && SafeArrayUnlock(NULL) == E_INVALIDARG);
    CHECK(SafeArrayAccessData(NULL, &data) == E_INVALIDARG);
    CHECK(SafeArrayUnaccessData(NULL) == E_INVALIDARG);
    CHECK(SafeArrayGetLBound(NULL, 1, &at) == E_INVALIDARG);
    CHECK(SafeArrayGetUBound(NULL, 1, &at) == E_INVALIDARG);
    CHECK(SafeArrayGetVartype(NULL, &type) == E_INVALIDARG);
    CHECK(SafeArrayAccessData(array, NULL) == E_INVALIDARG);
    CHECK(SafeArrayGetLBound(array, 1, NULL) == E_INVALIDARG);
    CHECK(SafeArrayGetUBound(array, 1, NULL) == E_INVALIDARG);
    CHECK(SafeArrayGetVartype(array, NULL) == E_INVALIDARG);
    CHECK(array->cLocks == 0);
    CHECK(SafeArrayDestroy(array) == S_OK);
}

/* V220, V223, V229: there and back, whatever the length. */
static void round_trip(void) {
    unsigned char bytes[40];
    UINT length;

    for (length = 0; length < sizeof bytes; length++) {
        BSTR sent;
        BSTR received = NULL;
        SAFEARRAY *array = NULL;
        UINT index;

        for (index = 0; index < length; index++)
            bytes[index] = (unsigned char)(7 * index + length);
        sent = SysAllocStringByteLen((const char *)bytes, length);
        CHECK(VectorFromBstr(sent, &array) == S_OK && array != NULL);
        CHECK(array->cDims == 1 && array->cbElements == 1);
        CHECK(array->fFeatures == FADF_HAVEVARTYPE);
        CHECK(array->rgsabound[0].cElements == length && array->rgsabound[0].lLbound == 0);
        CHECK(TASK(GetSize, array->pvData) == length);
        CHECK(memcmp(array->pvData, bytes, length) == 0);
        /* A lock is no obstacle. */
        CHECK(SafeArrayLock(array) == S_OK);
        CHECK(BstrFromVector(array, &received) == S_OK && received != NULL);
        CHECK(SafeArrayUnlock(array) == S_OK);
        CHECK(SysStringByteLen(received) == length && memcmp(received, bytes, length) == 0);
        CHECK(((unsigned char *)received)[length] == 0 && ((unsigned char *)received)[length + 1] == 0);
        CHECK(SafeArrayDestroy(array) == S_OK);
        SysFreeString(received);
        SysFreeString(sent);
    }
}

/* V221, V222, V224, V225. */
static void refused(void) {
    SAFEARRAYBOUND bounds[2];
    SAFEARRAY *array = NULL;
    BSTR text = NULL;
    LONG at = 77;

    CHECK(VectorFromBstr(NULL, &array) == S_OK && array != NULL);
    CHECK(SafeArrayGetUBound(array, 1, &at) == S_OK && at == -1);
    CHECK(BstrFromVector(array, &text) == S_OK);
    CHECK(text != NULL && SysStringByteLen(text) == 0);
    CHECK(VectorFromBstr(text, NULL) == E_INVALIDARG);
    CHECK(BstrFromVector(array, NULL) == E_INVALIDARG);
    SysFreeString(text);
    CHECK(SafeArrayDestroy(array) == S_OK);

    text = NULL;
    CHECK(BstrFromVector(NULL, &text) == E_INVALIDARG && text == NULL);

    bounds[0] = bounds[1] = bound(2, 0);
    array = SafeArrayCreate(VT_UI1, 2, bounds);
    text = (BSTR)&array;
#ifndef _WIN32
    CHECK(BstrFromVector(array, &text) == DISP_E_TYPEMISMATCH && text == NULL);
#else
    CHECK(FAILED(BstrFromVector(array, &text)) && text == NULL);
#endif
    CHECK(SafeArrayDestroy(array) == S_OK);

    array = SafeArrayCreate(VT_UI2, 1, bounds);
    text = (BSTR)&array;
#ifndef _WIN32
    CHECK(BstrFromVector(array, &text) == DISP_E_TYPEMISMATCH && text == NULL);
#else
    CHECK(FAILED(BstrFromVector(array, &text)) && text == NULL);
#endif
    CHECK(SafeArrayDestroy(array) == S_OK);
}

/* V226: the strings in an array go with it. */
static void strings(void) {
    SAFEARRAY *array = SafeArrayCreateVector(VT_BSTR, 0, 3);
    BSTR *names;
    void *data = NULL;

    CHECK(SafeArrayAccessData(array, &data) == S_OK);
    names = (BSTR *)data;
    CHECK(names[0] == NULL && names[2] == NULL);
    names[0] = SysAllocString(OLESTR("one"));
    names[2] = SysAllocString(OLESTR("three"));
    CHECK(SafeArrayUnaccessData(array) == S_OK);
    CHECK(SafeArrayDestroy(array) == S_OK);
}

/* Without elements in one dimension there are none, whatever the others promise. */
static void nothing(void) {
    SAFEARRAYBOUND bounds[4];
    int empty;

    for (empty = 0; empty < 4; empty++) {
        SAFEARRAY *array;
        int at;

        for (at = 0; at < 4; at++)
            bounds[at] = bound(at == empty ? 0 : 0xFFFFFFFF, 0);
        array = SafeArrayCreate(VT_BSTR, 4, bounds);
        CHECK(array != NULL && SafeArrayGetDim(array) == 4);
        CHECK(SafeArrayDestroy(array) == S_OK);
    }
}

int main(void) {
    CHECK(CoGetMalloc(MEMCTX_TASK, &task) == S_OK);
    shape();
    types();
    locks();
    round_trip();
    refused();
    strings();
    nothing();
    TASK_RELEASE();
    return checks_finish();
}
