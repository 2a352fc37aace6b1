/*
 * A BSTR on its way to another process and back, as proxies and stubs send it.
 *
 * Built with a Windows compiler as well and judged there by Wine; what Wine is known to do wrong, and what is
 * olemem's own, stands under `#ifndef _WIN32`.
 */
#include <windows.h>
#include <objbase.h>
#include <oleauto.h>

#include <string.h>

#include "check.h"

/* MSHCTX_DIFFERENTMACHINE, and little-endian. */
static ULONG flags[16] = {0x00100002};

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

#ifndef _WIN32
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
        static const ULONG words[3] = {3, 4, 2};
        BSTR string = NULL;
        CHECK(BSTR_UserUnmarshal(flags, (unsigned char *)words, &string) == NULL);
        CHECK(string == NULL);
        CHECK(BSTR_UserUnmarshal(flags, (unsigned char *)words, NULL) == NULL);
    }
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
#ifndef _WIN32
    malformed();
    bounded();
#endif
    return checks_finish();
}
