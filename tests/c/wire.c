/*
 * A BSTR on its way to another process and back, as proxies and stubs send it.
 *
 * Built with a Windows compiler as well and judged there by Wine; what Wine is known to do wrong, and what is
 * olemem's own, stands under `#ifndef _WIN32`.
 */
#include <windows.h>
#include <objbase.h>
#include <oleauto.h>
#ifdef _WIN32
#include <rpcndr.h>
#endif

#include <string.h>

#include "check.h"

/* MSHCTX_DIFFERENTMACHINE, and little-endian. */
static ULONG flags[16] = {0x00100002};

/*
 * A VARIANT that leads to a variable with the string "marshal test", as Wine 8.0 wrote it (V202), the number that
 * stands for the pointer made 1: any but zero will do. The string begins at 28; a VARIANT that holds it itself (V201)
 * has 8 as its type, and lacks the number 4.
 */
static const unsigned char by_ref[64] = {
    8,   0, 0,   0, 0,   0, 0,   0, 8,    0x40, 0,   0, 0,   0, 0,   0, 8,   0x40, 0,   0, 4,   0,
    0,   0, 1,   0, 0,   0, 0x0C, 0, 0,    0,    0x18, 0, 0,  0, 0x0C, 0, 0,  0,    'm', 0, 'a', 0,
    'r', 0, 's', 0, 'h', 0, 'a', 0, 'l',  0,    ' ', 0, 't', 0, 'e', 0, 's', 0,    't', 0};

static unsigned char *round_up(unsigned char *buffer) {
    return buffer + (4 - ((size_t)buffer & 3)) % 4;
}

/* V190 to V193. */
static void text(void) {
    static const unsigned char header[12] = {0x0D, 0, 0, 0, 0x1A, 0, 0, 0, 0x0D, 0, 0, 0};
    BSTR sent = SysAllocString(OLESTR("marshal test1"));
    BSTR received = NULL;
    ULONG storage[24];
    unsigned char *buffer = (unsigned char *)storage;
    size_t index;

    CHECK(BSTR_UserSize(flags, 1, &sent) == 42);
    CHECK(BSTR_UserSize(flags, 0, &sent) == 38);
    memset(storage, 0xEE, sizeof storage);
    CHECK(BSTR_UserMarshal(flags, buffer, &sent) == buffer + 38);
    CHECK(memcmp(buffer, header, sizeof header) == 0);
    for (index = 0; index < 13; index++) {
        CHECK(buffer[12 + 2 * index] == (unsigned char)sent[index]);
        CHECK(buffer[13 + 2 * index] == 0);
    }
    CHECK(buffer[38] == 0xEE);

    CHECK(BSTR_UserUnmarshal(flags, buffer, &received) == buffer + 38);
    CHECK(received != NULL && received != sent);
    CHECK(SysStringByteLen(received) == 26);
    CHECK(memcmp(received, sent, 28) == 0);

    /* V203b: what was there is gone, and nothing is freed twice. */
    CHECK(BSTR_UserUnmarshal(flags, buffer, &received) == buffer + 38);
    CHECK(SysStringByteLen(received) == 26 && memcmp(received, sent, 28) == 0);
    BSTR_UserFree(flags, &received);
    CHECK(received == NULL);
    SysFreeString(sent);
}

/* V194 to V196, V200. */
static void nothing(void) {
    static const unsigned char null_wire[12] = {0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0};
    static const unsigned char empty_wire[12] = {0};
    ULONG storage[3];
    unsigned char *buffer = (unsigned char *)storage;
    BSTR none = NULL;
    BSTR empty = SysAllocString(OLESTR(""));
    BSTR received = NULL;

    CHECK(BSTR_UserSize(flags, 0, &none) == 12);
    CHECK(BSTR_UserMarshal(flags, buffer, &none) == buffer + 12);
    CHECK(memcmp(buffer, null_wire, 12) == 0);
    CHECK(BSTR_UserUnmarshal(flags, buffer, &received) == buffer + 12);
    CHECK(received == NULL);
    BSTR_UserFree(flags, &received);
    CHECK(received == NULL);

    /* A string that is replaced by none is freed. */
    received = SysAllocString(OLESTR("old"));
    CHECK(BSTR_UserUnmarshal(flags, buffer, &received) == buffer + 12);
    CHECK(received == NULL);

    CHECK(BSTR_UserSize(flags, 0, &empty) == 12);
    CHECK(BSTR_UserMarshal(flags, buffer, &empty) == buffer + 12);
    CHECK(memcmp(buffer, empty_wire, 12) == 0);
    CHECK(BSTR_UserUnmarshal(flags, buffer, &received) == buffer + 12);
    CHECK(received != NULL && SysStringByteLen(received) == 0);
    BSTR_UserFree(flags, &received);
    BSTR_UserFree(flags, &empty);
}

/* V197 to V199. */
static void odd(void) {
    static const unsigned char wire[16] = {2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 'a', 'b', 'c', 'd'};
    ULONG storage[4];
    unsigned char *buffer = (unsigned char *)storage;
    BSTR sent = SysAllocStringByteLen("abc", 3);
    BSTR received = NULL;

    ((unsigned char *)sent)[3] = 'd';
    CHECK(BSTR_UserSize(flags, 0, &sent) == 16);
    CHECK(BSTR_UserMarshal(flags, buffer, &sent) == buffer + 16);
    CHECK(memcmp(buffer, wire, 16) == 0);
    CHECK(BSTR_UserUnmarshal(flags, buffer, &received) == buffer + 16);
    CHECK(received != NULL && memcmp(received, "abc", 3) == 0);
#ifndef _WIN32
    CHECK(SysStringByteLen(received) == 3);
#endif
    BSTR_UserFree(flags, &received);
    SysFreeString(sent);
}

/* Wherever a buffer begins, and whatever the length. */
static void places(void) {
    ULONG storage[40];
    unsigned char *buffer = (unsigned char *)storage;
    UINT len;
    size_t start;

    for (len = 0; len < 12; len++) {
        BSTR sent = SysAllocStringLen(OLESTR("twelve units"), len);
        for (start = 0; start < 9; start++) {
            unsigned char *block = round_up(buffer + start);
            unsigned char *end = block + 12 + 2 * len;
            BSTR received = NULL;
            CHECK(BSTR_UserSize(flags, (ULONG)start, &sent) == (ULONG)(end - buffer));
            CHECK(BSTR_UserMarshal(flags, buffer + start, &sent) == end);
            CHECK(BSTR_UserUnmarshal(flags, buffer + start, &received) == end);
            CHECK(SysStringLen(received) == len);
            CHECK(memcmp(received, sent, 2 * len + 2) == 0);
            BSTR_UserFree(flags, &received);
        }
        SysFreeString(sent);
    }
}

#ifdef _WIN32
ULONG __RPC_USER VARIANT_UserSize(ULONG *, ULONG, VARIANT *);
unsigned char *__RPC_USER VARIANT_UserMarshal(ULONG *, unsigned char *, VARIANT *);
unsigned char *__RPC_USER VARIANT_UserUnmarshal(ULONG *, unsigned char *, VARIANT *);

/* V201 to V204, on who has VARIANTs: the bytes are those that the other systems read. */
static void variants(void) {
    static const BYTE kept[4] = {1, 0, 0, 0};
    LONGLONG storage[8];
    LONGLONG other[8];
    unsigned char *buffer = (unsigned char *)storage;
    BSTR text = SysAllocString(OLESTR("marshal test"));
    BSTR stale = SysAllocString(OLESTR("stale"));
    BSTR stale_value = stale;
    USER_MARSHAL_CB callback;
    MIDL_STUB_MESSAGE message;
    RPC_MESSAGE rpc;
    IMalloc *tasks = NULL;
    VARIANT variant;

    memset(&callback, 0, sizeof callback);
    memset(&message, 0, sizeof message);
    memset(&rpc, 0, sizeof rpc);
    message.RpcMsg = &rpc;
    message.Buffer = message.BufferStart = buffer;
    message.BufferEnd = buffer + sizeof storage;
    message.BufferLength = sizeof storage;
    rpc.DataRepresentation = NDR_LOCAL_DATA_REPRESENTATION;
    callback.Flags = flags[0];
    callback.pStubMsg = &message;
    callback.Signature = 0x55535243; /* USER_MARSHAL_CB_SIGNATURE, of four letters */

    VariantInit(&variant);
    V_VT(&variant) = VT_BSTR;
    V_BSTR(&variant) = text;
    CHECK(VARIANT_UserSize(&callback.Flags, 0, &variant) == 60);
    CHECK(VARIANT_UserMarshal(&callback.Flags, buffer, &variant) == buffer + 60);
    CHECK(buffer[0] == by_ref[0] && memcmp(buffer + 24, by_ref + 28, 36) == 0);
    CHECK(memcmp(buffer + 20, "\0\0\0", 4) != 0);

    VariantInit(&variant);
    V_VT(&variant) = VT_BSTR | VT_BYREF;
    V_BSTRREF(&variant) = &text;
    CHECK(VARIANT_UserSize(&callback.Flags, 0, &variant) == 64);
    CHECK(VARIANT_UserMarshal(&callback.Flags, buffer, &variant) == buffer + 64);
    CHECK(memcmp(buffer + 24, "\0\0\0", 4) != 0);
    memcpy(buffer + 24, kept, sizeof kept);
    CHECK(memcmp(buffer, by_ref, sizeof by_ref) == 0);

    memcpy(other, by_ref, sizeof by_ref);
    V_VT(&variant) = VT_EMPTY;
    V_BSTRREF(&variant) = &stale;
    CHECK(VARIANT_UserUnmarshal(&callback.Flags, (unsigned char *)other, &variant) ==
          (unsigned char *)other + 64);
    CHECK(V_VT(&variant) == (VT_BSTR | VT_BYREF));
    CHECK(V_BSTRREF(&variant) != &stale && V_BSTRREF(&variant) != &text);
    CHECK(stale == stale_value && SysStringLen(stale) == 5);
    CHECK(SysStringByteLen(*V_BSTRREF(&variant)) == 24);
    CHECK(memcmp(*V_BSTRREF(&variant), text, 26) == 0);
    CHECK(CoGetMalloc(1, &tasks) == S_OK);
#ifdef __cplusplus
    CHECK(tasks->GetSize(V_BSTRREF(&variant)) == sizeof(BSTR));
#else
    CHECK(tasks->lpVtbl->GetSize(tasks, V_BSTRREF(&variant)) == sizeof(BSTR));
#endif
    SysFreeString(*V_BSTRREF(&variant));
    CoTaskMemFree(V_BSTRREF(&variant));
    SysFreeString(stale);
    SysFreeString(text);
}
#else
/*
 * Of V202 to V204 what is the string's: it is read into a cell of its own, whose size is a pointer's. (The cell is the
 * caller's here. What makes it, VARIANT_UserUnmarshal, is there on Windows only.)
 */
static void variants(void) {
    BSTR text = SysAllocString(OLESTR("marshal test"));
    BSTR *cell = (BSTR *)CoTaskMemAlloc(sizeof(BSTR));
    IMalloc *tasks = NULL;
    BSTR user = NULL;
    ULONG storage[16];
    unsigned char *buffer = (unsigned char *)storage;
    size_t offset = 28;

    CHECK(CoGetMalloc(1, &tasks) == S_OK);
#ifdef __cplusplus
    CHECK(tasks->GetSize(cell) == sizeof(BSTR));
#else
    CHECK(tasks->lpVtbl->GetSize(tasks, cell) == sizeof(BSTR));
#endif
    *cell = NULL;
    CHECK(olemem_bstr_unmarshal(by_ref, sizeof by_ref, &offset, cell) == S_OK);
    CHECK(offset == sizeof by_ref);
    CHECK(SysStringByteLen(*cell) == 24 && memcmp(*cell, text, 26) == 0);
    memcpy(storage, by_ref, sizeof by_ref);
    CHECK(BSTR_UserUnmarshal(flags, buffer + 28, &user) == buffer + 64);
    CHECK(SysStringByteLen(user) == 24 && memcmp(user, text, 26) == 0);
    CHECK(user != *cell);
    BSTR_UserFree(flags, &user);
    BSTR_UserFree(flags, cell);
    CoTaskMemFree(cell);

    /* And it is sent as it was received. */
    CHECK(BSTR_UserMarshal(flags, buffer + 28, &text) == buffer + 64);
    CHECK(memcmp(buffer, by_ref, sizeof by_ref) == 0);
    SysFreeString(text);
}

/* NDR64, by its rules: Wine has none of it, and no bytes of Windows' are known. */
static void wide(void) {
    static const unsigned char wire[22] = {3, 0, 0, 0, 0, 0,   0, 0,   6, 0,   0,
                                           0, 3, 0, 0, 0, 'o', 0, 'l', 0, 'e', 0};
    static const unsigned char null_wire[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF};
    LONGLONG storage[5];
    unsigned char *buffer = (unsigned char *)storage;
    BSTR sent = SysAllocString(OLESTR("ole"));
    BSTR none = NULL;
    BSTR received = NULL;
    BSTR old;
    size_t start;

    CHECK(BSTR_UserSize64(flags, 0, &none) == 16);
    CHECK(BSTR_UserSize64(flags, 0, NULL) == 16);
    CHECK(BSTR_UserSize64(flags, 4, &sent) == 30);
    for (start = 0; start < 9; start++) {
        unsigned char *block = buffer + (start + 7) / 8 * 8;
        memset(storage, 0xEE, sizeof storage);
        CHECK(BSTR_UserSize64(flags, (ULONG)start, &sent) == (ULONG)(block + 22 - buffer));
        CHECK(BSTR_UserMarshal64(flags, buffer + start, &sent) == block + 22);
        CHECK(memcmp(block, wire, sizeof wire) == 0);
        CHECK(block[22] == 0xEE);
        CHECK(BSTR_UserUnmarshal64(flags, buffer + start, &received) == block + 22);
        CHECK(SysStringByteLen(received) == 6 && memcmp(received, sent, 8) == 0);
    }

    /* What is wrong changes nothing: the upper half of the count, and the rest of what BSTR_UserUnmarshal refuses. */
    old = received;
    memcpy(buffer, wire, sizeof wire);
    buffer[4] = 1;
    CHECK(BSTR_UserUnmarshal64(flags, buffer, &received) == NULL);
    buffer[4] = 0;
    buffer[8] = 7;
    CHECK(BSTR_UserUnmarshal64(flags, buffer, &received) == NULL);
    CHECK(BSTR_UserUnmarshal64(flags, buffer, NULL) == NULL);
    CHECK(received == old && SysStringLen(received) == 3);

    CHECK(BSTR_UserMarshal64(flags, buffer, &none) == buffer + 16);
    CHECK(memcmp(buffer, null_wire, sizeof null_wire) == 0);
    CHECK(BSTR_UserUnmarshal64(flags, buffer, &received) == buffer + 16);
    CHECK(received == NULL);
    BSTR_UserFree64(flags, &received);
    BSTR_UserFree64(flags, NULL);
    BSTR_UserFree64(flags, &sent);
    CHECK(sent == NULL && received == NULL);
}

/* V205 to V209: what Windows answers by an exception, and Wine by reading on. */
static void malformed(void) {
    static const struct {
        ULONG words[3];
        size_t data;
        HRESULT result;
    } cases[] = {
        {{2, 4, 2}, 4, S_OK},
        {{3, 5, 3}, 6, S_OK},
        {{3, 4, 2}, 4, HRESULT_FROM_WIN32(RPC_X_BAD_STUB_DATA)},
        {{2, 4, 2}, 3, HRESULT_FROM_WIN32(RPC_X_BAD_STUB_DATA)},
        {{3, 5, 3}, 5, HRESULT_FROM_WIN32(RPC_X_BAD_STUB_DATA)},
        {{2, 5, 2}, 4, HRESULT_FROM_WIN32(RPC_X_BAD_STUB_DATA)},
        {{1, 0xFFFFFFFF, 1}, 2, HRESULT_FROM_WIN32(RPC_X_BAD_STUB_DATA)},
        {{0x7FFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF}, 4, E_OUTOFMEMORY},
    };
    unsigned char buffer[32];
    size_t index;

    for (index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        BSTR old = SysAllocString(OLESTR("old"));
        BSTR string = old;
        size_t offset = 3;
        size_t length = 4 + 12 + cases[index].data;
        HRESULT result;
        memset(buffer, 'a', sizeof buffer);
        memcpy(buffer + 4, cases[index].words, 12);
        result = olemem_bstr_unmarshal(buffer, length, &offset, &string);
        CHECK(result == cases[index].result);
        if (SUCCEEDED(result)) {
            CHECK(offset == length);
            CHECK(SysStringByteLen(string) == cases[index].words[1]);
        } else {
            CHECK(offset == 3 && string == old);
            CHECK(SysStringLen(string) == 3);
        }
        SysFreeString(string);
    }
    {
        /* There is nothing behind these: the twelve bytes are judged first. */
        static const ULONG words[][3] = {
            {3, 4, 2}, {2, 5, 2}, {1, 0xFFFFFFFF, 1}, {0xFFFFFFFF, 4, 0xFFFFFFFF}, {0x7FFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF},
        };
        for (index = 0; index < sizeof words / sizeof words[0]; index++) {
            ULONG header[3];
            BSTR string = NULL;
            memcpy(header, words[index], sizeof header);
            CHECK(BSTR_UserUnmarshal(flags, (unsigned char *)header, &string) == NULL);
            CHECK(string == NULL);
            CHECK(BSTR_UserUnmarshal(flags, (unsigned char *)header, NULL) == NULL);
        }
    }
}

/* A prefix that somebody wrote over: what it says can be no BSTR's, and is not sent as NULL's either. */
static void too_long(void) {
    static const ULONG lengths[] = {0xFFFFFFFF, 0xFFFFFFF0};
    BSTR string = SysAllocString(OLESTR("four"));
    ULONG storage[8];
    unsigned char *buffer = (unsigned char *)storage;
    ULONG kept;
    size_t index;

    memcpy(&kept, (unsigned char *)string - 4, 4);
    memset(storage, 0xEE, sizeof storage);
    for (index = 0; index < 2; index++) {
        size_t offset = 1;
        memcpy((unsigned char *)string - 4, &lengths[index], 4);
        CHECK(BSTR_UserSize(flags, 0, &string) == 0xFFFFFFFF);
        CHECK(BSTR_UserSize64(flags, 0, &string) == 0xFFFFFFFF);
        CHECK(BSTR_UserMarshal(flags, buffer, &string) == NULL);
        CHECK(BSTR_UserMarshal64(flags, buffer, &string) == NULL);
        CHECK(olemem_bstr_marshal(string, buffer, sizeof storage, &offset) == E_OUTOFMEMORY);
        CHECK(offset == 1 && storage[0] == 0xEEEEEEEE && storage[7] == 0xEEEEEEEE);
    }
    memcpy((unsigned char *)string - 4, &kept, 4);
    /* An end that 32 bits do not hold. */
    CHECK(BSTR_UserSize(flags, 0xFFFFFFF0, &string) == 0xFFFFFFFF);
    CHECK(BSTR_UserSize64(flags, 0xFFFFFFE0, &string) == 0xFFFFFFF8);
    CHECK(BSTR_UserSize64(flags, 0xFFFFFFE8, &string) == 0xFFFFFFFF);
    SysFreeString(string);
}

static void bounded(void) {
    unsigned char buffer[64];
    BSTR sent = SysAllocString(OLESTR("four"));
    BSTR received = NULL;
    size_t offset = 1;
    size_t length;

    for (length = 0; length < 24; length++) {
        memset(buffer, 0xEE, sizeof buffer);
        CHECK(olemem_bstr_marshal(sent, buffer, length, &offset) == E_NOT_SUFFICIENT_BUFFER);
        CHECK(offset == 1 && buffer[4] == 0xEE);
    }
    CHECK(olemem_bstr_marshal(sent, buffer, sizeof buffer, &offset) == S_OK);
    CHECK(offset == 24);
    CHECK(olemem_bstr_marshal(NULL, buffer, sizeof buffer, &offset) == S_OK);
    CHECK(offset == 36);
    offset = 1;
    CHECK(olemem_bstr_unmarshal(buffer, sizeof buffer, &offset, &received) == S_OK);
    CHECK(offset == 24 && SysStringLen(received) == 4);
    CHECK(olemem_bstr_unmarshal(buffer, sizeof buffer, &offset, &received) == S_OK);
    CHECK(offset == 36 && received == NULL);
    CHECK(olemem_bstr_unmarshal(NULL, 0, &offset, &received) ==
          HRESULT_FROM_WIN32(RPC_X_BAD_STUB_DATA));
    CHECK(olemem_bstr_unmarshal(buffer, sizeof buffer, &offset, NULL) == E_INVALIDARG);
    CHECK(olemem_bstr_unmarshal(buffer, sizeof buffer, NULL, &received) == E_INVALIDARG);
    CHECK(olemem_bstr_unmarshal(NULL, 1, &offset, &received) == E_INVALIDARG);
    CHECK(olemem_bstr_marshal(sent, buffer, sizeof buffer, NULL) == E_INVALIDARG);
    CHECK(olemem_bstr_marshal(sent, NULL, 1, &offset) == E_INVALIDARG);
    SysFreeString(sent);
}
#endif

int main(void) {
    text();
    nothing();
    odd();
    places();
    variants();
#ifndef _WIN32
    wide();
    too_long();
    malformed();
    bounded();
#endif
    return checks_finish();
}
