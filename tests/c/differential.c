/*
 * One program, two worlds: a seeded random sequence of calls to BSTR and task-memory functions.
 *
 * Compiled natively it runs over olemem; compiled with MinGW against the real headers it runs over
 * the system's own oleaut32 and ole32 (or Wine's). It prints what it observed, so that the two
 * outputs can be compared. It also keeps a shadow of every live object and holds each result
 * against it, so that it is a test by itself: at the first mismatch it prints the operation and
 * exits with status 1.
 *
 *   differential SEED COUNT                  a running 64-bit hash after every 1000 operations
 *   differential SEED COUNT -v [FIRST LAST]  one line per operation (of that window, inclusive)
 *
 * Nothing unspecified is observed: no address (but its alignment), no byte that nobody has
 * written, no pointer move except that shrinking with a NULL source keeps the pointer.
 *
 * What is left out on purpose, because the worlds differ there by design or the outcome is open:
 *
 *   VarBstrCat, NULL out                    Windows crashes; olemem gives E_INVALIDARG.
 *   VarBstrCat, sum of lengths above 2^32   Wine wraps the sum; olemem gives E_OUTOFMEMORY.
 *   SysReAllocString(Len), NULL pbstr       Windows crashes; olemem gives FALSE.
 *   SysReAllocString, out of memory         Wine frees the old string and gives TRUE; olemem gives
 *                                           FALSE and leaves the old string whole.
 *   SysReAllocString, overlapping source    Documented as undefined (a use after free on Windows).
 *   SysReAllocStringLen, source inside but  Undefined; olemem copies what there is, Wine reads
 *   not equal to the old string             through the stale pointer.
 *   Lengths 0x7FFFFFF4..0x7FFFFFFB units    Wine's limit is eight units higher than the one that
 *   and 0xFFFFFFE7..0xFFFFFFF8 bytes        olemem keeps.
 *   IMalloc::QueryInterface, other IIDs:    Wine leaves *ppv as it was; olemem stores NULL (COM's
 *   *ppv                                    rule). The HRESULT is compared.
 *   CoGetMalloc, NULL out                   Windows crashes; olemem gives E_INVALIDARG.
 *   StringFromCLSID / IID, NULL arguments;  Windows crashes; olemem gives E_INVALIDARG.
 *   SHStrDupW / A, NULL out
 *   SHStrDupW / A, NULL source: HRESULT     E_INVALIDARG or E_OUTOFMEMORY by version of Wine. That
 *                                           it fails and stores NULL is checked.
 *   SHStrDupA, bytes above 0x7F             The code page there, UTF-8 here.
 *   VarBstrCmp, LCID not 0, other than      Linguistic comparison; olemem documents a simpler
 *   ASCII letters and digits                order.
 *   DidAlloc inside a block, at multiples   Wine looks for a heap header before the address and can
 *   of the heap's granularity               take our data, or a stale header, for one. Checked over
 *                                           olemem only (OURS).
 *   Shrinking with a NULL source            Keeps the pointer in a fresh process (checked at the
 *                                           start); later, Wine's low-fragmentation heap moves to
 *                                           a smaller bin. Checked over olemem only (OURS).
 *   DidAlloc of a freed address             Either heap may have given the address away again.
 *   Double, foreign and interior frees      Undefined there, refused here.
 *   AddRef and Release results              For diagnostics only, by documentation.
 */
#define COBJMACROS
#include <windows.h>
#include <objbase.h>
#include <oleauto.h>
#include <shlwapi.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What olemem promises and a heap of Windows does not always keep. Never part of the output. */
#ifndef OURS
#ifdef _WIN32
#define OURS 0
#else
#define OURS 1
#endif
#endif

/* ---- the numbers: the same everywhere ------------------------------------------------------- */

static uint64_t rng_state;

/* splitmix64 */
static uint64_t rnd(void)
{
    uint64_t z = (rng_state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 .. n-1 */
static uint32_t below(uint32_t n) { return (uint32_t)((rnd() >> 32) * n >> 32); }

static int chance(uint32_t one_in) { return below(one_in) == 0; }

/* ---- what is printed ------------------------------------------------------------------------ */

#define FNV_BASIS UINT64_C(0xCBF29CE484222325)
#define FNV_PRIME UINT64_C(0x100000001B3)

static char line[4096];
static size_t line_len;
static size_t line_printed;
static uint64_t running_hash = FNV_BASIS;
static unsigned long op_index;
static int printing;

/* Appends to the line of the present operation. */
static void say(const char *format, ...)
{
    va_list list;
    int n;
    va_start(list, format);
    n = vsnprintf(line + line_len, sizeof line - line_len, format, list);
    va_end(list);
    if (n > 0)
        line_len += (size_t)n;
    if (line_len >= sizeof line)
        line_len = sizeof line - 1;
}

static void say_hex(uint64_t value)
{
    say("%08lx%08lx", (unsigned long)(value >> 32), (unsigned long)(value & 0xFFFFFFFFu));
}

/* Shows the part of the line that is known, so that a crash in the call shows its arguments. */
static void show(void)
{
    if (printing) {
        fwrite(line + line_printed, 1, line_len - line_printed, stdout);
        fflush(stdout);
    }
    line_printed = line_len;
}

/* Ends the arguments, starts the results. */
static void call(void)
{
    say(" =>");
    show();
}

static void fail(const char *what)
{
    if (printing)
        show();
    printf("\nMISMATCH operation %lu: %.*s: %s\n", op_index, (int)line_len, line, what);
    fflush(stdout);
    exit(1);
}

/* The program's own model: a false `condition` ends the run. */
static void must(int condition, const char *what)
{
    if (!condition)
        fail(what);
}

/* ---- shadows: the bytes that we know ---------------------------------------------------------- */

/* `mask` is 0xFF where `data` is known and 0 where nobody has written. */
typedef struct {
    uint8_t *data;
    uint8_t *mask;
    size_t n;
} Shadow;

#define LARGEST ((size_t)1 << 20)
#define SOURCE_ROOM (LARGEST + 64)

static size_t live_bytes;

static Shadow shadow_new(size_t n)
{
    Shadow s;
    s.n = n;
    s.data = calloc(n ? n : 1, 1);
    s.mask = calloc(n ? n : 1, 1);
    if (!s.data || !s.mask) {
        fputs("differential: no memory for the shadow\n", stderr);
        exit(2);
    }
    live_bytes += n;
    return s;
}

static void shadow_drop(Shadow *s)
{
    free(s->data);
    free(s->mask);
    live_bytes -= s->n;
    memset(s, 0, sizeof *s);
}

static void shadow_zero(Shadow *s, size_t at, size_t n)
{
    memset(s->data + at, 0, n);
    memset(s->mask + at, 0xFF, n);
}

static int shadow_knows(const Shadow *s, size_t at, size_t n)
{
    return at + n <= s->n && !memchr(s->mask + at, 0, n);
}

/* Holds memory against the shadow, and digests the known bytes of `memory` itself. */
static uint64_t compare(const void *memory, const Shadow *s, size_t at, size_t n)
{
    const uint8_t *m = (const uint8_t *)memory + at;
    const uint8_t *data = s->data + at;
    const uint8_t *mask = s->mask + at;
    uint64_t digest = FNV_BASIS ^ n;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t got, want, known;
        memcpy(&got, m + i, 8);
        memcpy(&want, data + i, 8);
        memcpy(&known, mask + i, 8);
        got &= known;
        if (got != (want & known))
            fail("contents differ from the shadow");
        digest = (digest ^ got) * FNV_PRIME;
        digest ^= digest >> 29;
    }
    for (; i < n; i++) {
        uint8_t got = m[i] & mask[i];
        if (got != (data[i] & mask[i]))
            fail("contents differ from the shadow");
        digest = (digest ^ got) * FNV_PRIME;
    }
    return digest;
}

/* ---- live BSTRs and live task blocks ------------------------------------------------------------ */

#define BSTRS 128
#define BLOCKS 128
#define HEADER sizeof(void *)

/* A slot without a string is a NULL BSTR: valid wherever a BSTR is read. */
typedef struct {
    BSTR p;
    uint32_t len;  /* what the prefix says; edited in place by some operations */
    size_t block;  /* what the allocator was asked for */
    Shadow s;      /* payload as allocated, and its terminator */
} Str;

typedef struct {
    void *p;
    size_t size;
    Shadow s;
} Block;

static Str strs[BSTRS];
static Block blocks[BLOCKS];
static IMalloc *task;

/* One zero unit; an odd payload has a zero byte before it. */
static size_t terminator(uint32_t bytes) { return bytes & 1 ? 3 : 2; }

/* What a BSTR of so many bytes takes from the allocator: header, payload, unit, rounded up to 16. */
static size_t block_size(uint32_t bytes) { return (HEADER + (size_t)bytes + 2 + 15) & ~(size_t)15; }

static uint32_t prefix_of(const OLECHAR *b)
{
    uint32_t n;
    memcpy(&n, (const char *)b - 4, 4);
    return n;
}

static void set_prefix(OLECHAR *b, uint32_t n) { memcpy((char *)b - 4, &n, 4); }

static uint8_t *start_of(BSTR b) { return (uint8_t *)b - HEADER; }

static unsigned alignment(const void *p) { return (unsigned)((uintptr_t)p & (2 * HEADER - 1)); }

/* All that can be seen of a BSTR. */
static void observe_str(const Str *t)
{
    UINT units = SysStringLen(t->p);
    UINT bytes = SysStringByteLen(t->p);
    say(" len %u/%u", units, bytes);
    must(bytes == t->len, "SysStringByteLen");
    must(units == t->len / 2, "SysStringLen");
    if (!t->p) {
        say(" null");
        return;
    }
    say(" prefix %lu align %u block %lu did %d,%d ", (unsigned long)prefix_of(t->p), alignment(t->p),
        (unsigned long)IMalloc_GetSize(task, start_of(t->p)),
        IMalloc_DidAlloc(task, start_of(t->p)), IMalloc_DidAlloc(task, t->p));
    must(prefix_of(t->p) == t->len, "length prefix");
    must(alignment(t->p) == HEADER, "alignment of the BSTR");
    must(IMalloc_GetSize(task, start_of(t->p)) == t->block, "size of the BSTR's block");
    must(IMalloc_DidAlloc(task, start_of(t->p)) == 1, "DidAlloc of the BSTR's block");
    must(IMalloc_DidAlloc(task, t->p) == 0, "DidAlloc inside the BSTR's block");
    say_hex(compare(t->p, &t->s, 0, t->s.n));
}

static void observe_block(const Block *b)
{
    SIZE_T size;
    int did;
    if (!b->p) {
        say(" null");
        return;
    }
    size = IMalloc_GetSize(task, b->p);
    did = task->lpVtbl->DidAlloc(task, b->p);
    say(" size %lu did %d align %u ", (unsigned long)size, did, alignment(b->p));
    must(size == b->size, "GetSize");
    must(did == 1, "DidAlloc of a live block");
    must(alignment(b->p) == 0, "alignment of the block");
    say_hex(compare(b->p, &b->s, 0, b->s.n));
}

/* Forgets a string that the callee has released already. */
static void forget_str(Str *t)
{
    shadow_drop(&t->s);
    memset(t, 0, sizeof *t);
}

static void drop_str(Str *t)
{
    SysFreeString(t->p);
    forget_str(t);
}

static void forget_block(Block *b)
{
    shadow_drop(&b->s);
    memset(b, 0, sizeof *b);
}

static void drop_block(Block *b)
{
    if (op_index & 1)
        CoTaskMemFree(b->p);
    else
        IMalloc_Free(task, b->p);
    forget_block(b);
}

/* Gives a slot a string that has just come from the library: terminated, otherwise unknown. */
static void keep_str(Str *t, BSTR p, uint32_t bytes)
{
    t->p = p;
    t->len = bytes;
    t->block = block_size(bytes);
    t->s = shadow_new(bytes + terminator(bytes));
    shadow_zero(&t->s, bytes, terminator(bytes));
}

static void keep_block(Block *b, void *p, size_t size)
{
    b->p = p;
    b->size = size;
    b->s = shadow_new(size);
}

/* ---- where sources come from ------------------------------------------------------------------ */

typedef struct {
    const uint8_t *p;    /* what the library is given; NULL: nothing */
    const uint8_t *data; /* what is known of it */
    const uint8_t *mask;
    size_t n;
} Source;

static union {
    uint64_t align;
    uint8_t bytes[SOURCE_ROOM];
} room;
static uint8_t ones[SOURCE_ROOM];

/* Mostly small, now and then up to LARGEST. */
static uint32_t pick_size(void)
{
    uint32_t kind = below(1000);
    if (kind < 300)
        return below(9);
    if (kind < 700)
        return below(65);
    if (kind < 950)
        return below(601);
    if (kind < 996 || live_bytes > 12 * LARGEST)
        return below(5001);
    return below((uint32_t)LARGEST + 1);
}

/* Fills bytes with one of several characters of data. */
static void generate(uint8_t *to, size_t n)
{
    uint32_t kind = below(6);
    size_t i;
    if (kind < 2) { /* anything */
        for (i = 0; i < n; i += 8) {
            uint64_t word = rnd();
            for (size_t k = i; k < n && k < i + 8; k++, word >>= 8)
                to[k] = (uint8_t)word;
        }
        return;
    }
    for (i = 0; i < n; i += 2) {
        uint32_t unit;
        if (kind == 2) /* ASCII text */
            unit = 0x20 + below(0x5F);
        else if (kind == 3) /* any mix with surrogates, mostly lone */
            unit = chance(2) ? 0xD800 + below(0x800) : below(0x10000);
        else if (kind == 4) /* text with embedded NULs */
            unit = chance(4) ? 0 : 'a' + below(26);
        else /* nearly everything alike: comparisons get far */
            unit = below(16) == 0 ? below(3) : 1;
        to[i] = (uint8_t)unit;
        if (i + 1 < n)
            to[i + 1] = (uint8_t)(unit >> 8);
    }
}

static Source generated(size_t n, size_t offset)
{
    Source s;
    generate(room.bytes + offset, n);
    s.p = s.data = room.bytes + offset;
    s.mask = ones;
    s.n = n;
    return s;
}

static const Source no_source;

/* Copies the known bytes of a source into a shadow. */
static void shadow_copy(Shadow *s, size_t at, const uint8_t *data, const uint8_t *mask, size_t n)
{
    memcpy(s->data + at, data, n);
    memcpy(s->mask + at, mask, n);
}

/* A source of `*n` bytes at most: NULL, generated, or the payload of a live BSTR other than `not_this`. */
static Source pick_source(uint32_t *n, const Str *not_this, int unit_aligned)
{
    uint32_t kind = below(8);
    if (kind == 0) {
        say(" src null");
        return no_source;
    }
    if (kind == 1) {
        uint32_t i = below(BSTRS);
        const Str *from = &strs[i];
        if (from->p && from != not_this) {
            Source s;
            uint32_t have = (uint32_t)from->s.n;
            if (*n > have)
                *n = unit_aligned ? have & ~1u : have;
            say(" src bstr %lu", (unsigned long)i);
            s.p = (const uint8_t *)from->p;
            s.data = from->s.data;
            s.mask = from->s.mask;
            s.n = *n;
            return s;
        }
    }
    say(" src bytes");
    return generated(*n, unit_aligned ? 0 : below(8));
}

/* A zero-terminated source and the units before its end. */
static Source pick_text(const Str *not_this, uint32_t *units)
{
    uint32_t i = below(BSTRS);
    const Str *from = &strs[i];
    Source s;
    uint32_t n;
    if (chance(6) && from->p && from != not_this) {
        for (n = 0; shadow_knows(&from->s, 2 * (size_t)n, 2); n++) {
            if (from->s.data[2 * n] == 0 && from->s.data[2 * n + 1] == 0) {
                say(" text bstr %lu units %lu", (unsigned long)i, (unsigned long)n);
                *units = n;
                s.p = (const uint8_t *)from->p;
                s.data = from->s.data;
                s.mask = from->s.mask;
                s.n = 2 * (size_t)n;
                return s;
            }
        }
    }
    n = pick_size() / 2;
    s = generated(2 * (size_t)n, 0);
    room.bytes[2 * n] = room.bytes[2 * n + 1] = 0;
    for (*units = 0; room.bytes[2 * *units] || room.bytes[2 * *units + 1];)
        ++*units;
    s.n = 2 * (size_t)*units;
    say(" text units %lu", (unsigned long)*units);
    return s;
}

/* A length that no implementation grants. */
static uint32_t impossible_units(void)
{
    return chance(2) ? 0x7FFFFFFCu + below(8) : 0x80000000u | (uint32_t)rnd();
}

static uint32_t impossible_bytes(void) { return 0xFFFFFFF9u + below(7); }

/* Above PTRDIFF_MAX: no heap grants it. */
static size_t impossible_size(void)
{
    return SIZE_MAX - (chance(2) ? below(64) : (size_t)(rnd() & (SIZE_MAX / 4)));
}

/* ---- operations on BSTRs ------------------------------------------------------------------------ */

static Str *pick_str(void)
{
    uint32_t i = below(BSTRS);
    say(" %lu", (unsigned long)i);
    return &strs[i];
}

static void op_alloc(void)
{
    Str *t = pick_str();
    Source src;
    uint32_t units;
    BSTR p;
    if (chance(12)) {
        say(" text null");
        call();
        p = SysAllocString(NULL);
        must(p == NULL, "SysAllocString(NULL)");
        drop_str(t);
        observe_str(t);
        return;
    }
    src = pick_text(NULL, &units);
    call();
    p = SysAllocString((const OLECHAR *)src.p);
    must(p != NULL, "SysAllocString");
    {
        Str fresh;
        keep_str(&fresh, p, 2 * units);
        shadow_copy(&fresh.s, 0, src.data, src.mask, src.n);
        drop_str(t);
        *t = fresh;
    }
    observe_str(t);
}

static void op_alloc_len(void)
{
    Str *t = pick_str();
    Str fresh;
    uint32_t bytes = pick_size() & ~1u;
    Source src;
    BSTR p;
    if (chance(40)) {
        uint32_t units = impossible_units();
        /* The length is judged before the source is touched, so any source will do. */
        const OLECHAR *junk = chance(2) ? NULL : (const OLECHAR *)(uintptr_t)(chance(2) ? 16 : 1);
        say(" units %lx src %d", (unsigned long)units, (int)(uintptr_t)junk);
        call();
        p = SysAllocStringLen(junk, units);
        must(p == NULL, "SysAllocStringLen of an impossible length");
        say(" null");
        return;
    }
    src = pick_source(&bytes, NULL, 1);
    say(" units %lu", (unsigned long)bytes / 2);
    call();
    p = SysAllocStringLen((const OLECHAR *)src.p, bytes / 2);
    must(p != NULL, "SysAllocStringLen");
    keep_str(&fresh, p, bytes);
    if (src.p)
        shadow_copy(&fresh.s, 0, src.data, src.mask, bytes);
    drop_str(t);
    *t = fresh;
    observe_str(t);
}

static void op_alloc_byte_len(void)
{
    Str *t = pick_str();
    Str fresh;
    uint32_t bytes = pick_size();
    Source src;
    BSTR p;
    if (chance(40)) {
        const char *junk = chance(2) ? NULL : (const char *)(uintptr_t)(chance(2) ? 16 : 1);
        bytes = impossible_bytes();
        say(" bytes %lx src %d", (unsigned long)bytes, (int)(uintptr_t)junk);
        call();
        p = SysAllocStringByteLen(junk, bytes);
        must(p == NULL, "SysAllocStringByteLen of an impossible length");
        say(" null");
        return;
    }
    src = pick_source(&bytes, NULL, 0);
    say(" bytes %lu", (unsigned long)bytes);
    call();
    p = SysAllocStringByteLen((const char *)src.p, bytes);
    must(p != NULL, "SysAllocStringByteLen");
    keep_str(&fresh, p, bytes);
    if (src.p)
        shadow_copy(&fresh.s, 0, src.data, src.mask, bytes);
    drop_str(t);
    *t = fresh;
    observe_str(t);
}

static void op_realloc(void)
{
    Str *t = pick_str();
    uint32_t units;
    Source src;
    INT ok;
    if (chance(12)) {
        say(" text null");
        call();
        ok = SysReAllocString(&t->p, NULL);
        say(" %d", ok);
        must(ok == 1 && t->p == NULL, "SysReAllocString with a NULL source");
        forget_str(t);
        observe_str(t);
        return;
    }
    src = pick_text(t, &units);
    call();
    ok = SysReAllocString(&t->p, (const OLECHAR *)src.p);
    say(" %d", ok);
    must(ok == 1 && t->p != NULL, "SysReAllocString");
    shadow_drop(&t->s);
    keep_str(t, t->p, 2 * units);
    shadow_copy(&t->s, 0, src.data, src.mask, src.n);
    observe_str(t);
}

static void op_realloc_len(void)
{
    Str *t = pick_str();
    Str old = *t;
    uintptr_t address = (uintptr_t)t->p;
    uint32_t bytes = pick_size() & ~1u;
    uint32_t kind = below(5);
    int keeps = 0;
    Source src = no_source;
    INT ok;
    if (chance(40) && t->p) {
        uint32_t units = impossible_units();
        const OLECHAR *junk = chance(2) ? NULL : chance(2) ? t->p : (const OLECHAR *)(uintptr_t)16;
        say(" units %lx src %d", (unsigned long)units, junk == NULL ? 0 : junk == t->p ? 1 : 2);
        call();
        ok = SysReAllocStringLen(&t->p, junk, units);
        say(" %d", ok);
        must(ok == 0, "SysReAllocStringLen of an impossible length");
        must((uintptr_t)t->p == address, "a failed SysReAllocStringLen leaves the string");
        observe_str(t);
        return;
    }
    if (chance(3) && t->len > 1) /* shrink for certain */
        bytes = below(t->len) & ~1u;
    if (kind == 0) {
        say(" src null");
        keeps = 1;
    } else if (kind == 1 && t->p) { /* the string itself: a resize, however short it is */
        say(" src itself");
        src.p = (const uint8_t *)t->p;
        keeps = 1;
    } else {
        src = pick_source(&bytes, t, 1);
        keeps = src.p == NULL;
    }
    say(" units %lu", (unsigned long)bytes / 2);
    call();
    ok = SysReAllocStringLen(&t->p, (const OLECHAR *)src.p, bytes / 2);
    say(" %d", ok);
    must(ok == 1 && t->p != NULL, "SysReAllocStringLen");
    /* A block shaped by hand may be smaller than the size that the new length is rounded to. */
    if (OURS && !src.p && address && bytes < old.len && block_size(bytes) <= old.block)
        must((uintptr_t)t->p == address, "shrinking with a NULL source keeps the pointer");
    keep_str(t, t->p, bytes);
    if (!keeps)
        shadow_copy(&t->s, 0, src.data, src.mask, bytes);
    else if (address)
        shadow_copy(&t->s, 0, old.s.data, old.s.mask, bytes < old.len ? bytes : old.len);
    shadow_drop(&old.s);
    observe_str(t);
}

static void op_free(void)
{
    Str *t = pick_str();
    call();
    drop_str(t);
    SysFreeString(NULL);
    observe_str(t);
}

static void op_observe(void)
{
    Str *t = pick_str();
    call();
    observe_str(t);
}

/* The prefix is the only length: a program that writes it in place is believed. */
static void op_edit_prefix(void)
{
    Str *t = pick_str();
    uint32_t most, bytes;
    if (!t->p) {
        call();
        observe_str(t);
        return;
    }
    most = (uint32_t)t->s.n - 2;
    bytes = chance(4) ? most : below(most + 1);
    say(" bytes %lu", (unsigned long)bytes);
    call();
    set_prefix(t->p, bytes);
    t->len = bytes;
    observe_str(t);
}

static void op_write(void)
{
    Str *t = pick_str();
    uint32_t at, n;
    Source src;
    if (!t->len) {
        call();
        return;
    }
    at = below(t->len);
    n = 1 + below(t->len - at);
    if (chance(2)) {
        at = 0;
        n = t->len;
    }
    src = generated(n, 0);
    say(" at %lu bytes %lu", (unsigned long)at, (unsigned long)n);
    call();
    memcpy((char *)t->p + at, src.p, n);
    shadow_copy(&t->s, at, src.data, src.mask, n);
    observe_str(t);
}

/* A BSTR that no function made, at any even address: the lengths come from the bytes before it. */
static void op_built(void)
{
    uint64_t buffer[8];
    uint32_t offset = 4 + 2 * below(8);
    uint32_t bytes = (uint32_t)rnd();
    OLECHAR *b = (OLECHAR *)(void *)((char *)buffer + offset);
    UINT units, got;
    if (chance(2))
        bytes = below(5);
    memset(buffer, 0, sizeof buffer);
    set_prefix(b, bytes);
    say(" offset %lu bytes %lu", (unsigned long)offset, (unsigned long)bytes);
    call();
    units = SysStringLen(b);
    got = SysStringByteLen(b);
    say(" %u/%u", units, got);
    must(units == bytes / 2 && got == bytes, "lengths of a BSTR that nobody allocated");
    units = SysStringLen(NULL);
    got = SysStringByteLen(NULL);
    must(units == 0 && got == 0, "lengths of the NULL BSTR");
}

/* A block from CoTaskMemAlloc, shaped by hand into a BSTR: the functions take it as one. */
static void op_fabricate(void)
{
    Str *t = pick_str();
    uint32_t payload = pick_size() & ~1u;
    uint32_t bytes = below(payload + 1);
    size_t size = HEADER + payload + 2;
    Str fresh;
    uint8_t *block;
    Source src = generated(payload, 0);
    say(" size %lu bytes %lu", (unsigned long)size, (unsigned long)bytes);
    call();
    block = CoTaskMemAlloc(size);
    must(block != NULL, "CoTaskMemAlloc");
    memset(block, 0, size);
    memcpy(block + HEADER, src.p, payload);
    keep_str(&fresh, (BSTR)(void *)(block + HEADER), payload);
    fresh.block = size;
    fresh.len = bytes;
    set_prefix(fresh.p, bytes);
    shadow_copy(&fresh.s, 0, src.data, src.mask, payload);
    drop_str(t);
    *t = fresh;
    observe_str(t);
}

static void op_cat(void)
{
    Str *t = pick_str();
    const Str *left = pick_str();
    const Str *right = pick_str();
    uint32_t bytes;
    Str fresh;
    BSTR out;
    HRESULT hr;
    if (chance(60)) { /* a length that cannot be granted is refused before a byte is read */
        uint64_t buffer[4] = {0, 0, 0, 0};
        OLECHAR *huge = (OLECHAR *)(void *)((char *)buffer + 8);
        set_prefix(huge, impossible_bytes());
        say(" huge %lx", (unsigned long)prefix_of(huge));
        call();
        out = (BSTR)(void *)buffer;
        hr = op_index & 1 ? VarBstrCat(huge, NULL, &out) : VarBstrCat(NULL, huge, &out);
        say(" hr %08lx out %d", (unsigned long)hr & 0xFFFFFFFFu, out != NULL);
        must(hr == E_OUTOFMEMORY, "VarBstrCat of an impossible length");
        must(out == NULL, "a failed VarBstrCat stores NULL");
        return;
    }
    if (left->len + right->len > LARGEST) {
        right = left = &strs[0];
        if (left->len > LARGEST / 2) {
            call();
            return;
        }
        say(" (0, 0)");
    }
    bytes = left->len + right->len;
    /* Out only: what the variable held, even an input, is neither read nor freed. */
    out = chance(2) ? left->p : (BSTR)(void *)room.bytes;
    call();
    hr = VarBstrCat(left->p, right->p, &out);
    say(" hr %08lx", (unsigned long)hr & 0xFFFFFFFFu);
    must(hr == S_OK && out != NULL, "VarBstrCat");
    must(out != left->p && out != right->p, "VarBstrCat makes a new string");
    keep_str(&fresh, out, bytes);
    if (left->p)
        shadow_copy(&fresh.s, 0, left->s.data, left->s.mask, left->len);
    if (right->p)
        shadow_copy(&fresh.s, left->len, right->s.data, right->s.mask, right->len);
    drop_str(t);
    *t = fresh;
    observe_str(t);
}

/* Comparison as specified for LCID 0: the first units decide about emptiness, then the bytes. */
static int binary_order(const Str *a, const Str *b)
{
    int a_empty = !a->p || (a->s.data[0] == 0 && a->s.data[1] == 0);
    int b_empty = !b->p || (b->s.data[0] == 0 && b->s.data[1] == 0);
    uint32_t least = a->len < b->len ? a->len : b->len;
    int order;
    if (a_empty != b_empty)
        return a_empty ? 0 : 2;
    order = least ? memcmp(a->s.data, b->s.data, least) : 0;
    if (order == 0)
        order = a->len < b->len ? -1 : a->len > b->len;
    return order < 0 ? 0 : order > 0 ? 2 : 1;
}

/* All its bytes are known, and so is the unit behind them. */
static int comparable(const Str *t)
{
    return !t->p || shadow_knows(&t->s, 0, t->len + 2);
}

static void op_compare_binary(void)
{
    static const ULONG flag_sets[] = {0, 0x1, 0x2, 0x4, 0x8, 0x40, 0x40000};
    const Str *a = pick_str();
    const Str *b = pick_str();
    ULONG flags = flag_sets[below(7)];
    Str twin;
    HRESULT hr, reverse;
    memset(&twin, 0, sizeof twin);
    say(" flags %lx", (unsigned long)flags);
    if (a->p && chance(2)) { /* nearly the same string */
        uint32_t bytes = a->len;
        uint32_t change = below(4);
        if (change == 1 && bytes)
            bytes -= 1;
        if (change == 2)
            bytes += 1;
        keep_str(&twin, NULL, bytes);
        shadow_copy(&twin.s, 0, a->s.data, a->s.mask, bytes < a->len ? bytes : a->len);
        if (bytes > a->len)
            shadow_zero(&twin.s, a->len, 1);
        if (change == 3 && bytes)
            twin.s.data[below(bytes)] ^= (uint8_t)(1u << below(8));
        twin.p = SysAllocStringByteLen((const char *)twin.s.data, bytes);
        must(twin.p != NULL, "SysAllocStringByteLen");
        say(" twin %lu", (unsigned long)change);
        b = &twin;
    }
    call();
    if (comparable(a) && comparable(b)) {
        hr = VarBstrCmp(a->p, b->p, 0, flags);
        reverse = VarBstrCmp(b->p, a->p, 0, flags);
        say(" %ld %ld", (long)hr, (long)reverse);
        must(hr == binary_order(a, b), "VarBstrCmp, LCID 0");
        must(reverse == binary_order(b, a), "VarBstrCmp, LCID 0, sides exchanged");
    }
    if (twin.p)
        drop_str(&twin);
}

/* ASCII letters and digits in en-US: digits, then letters whatever their case; case decides last. */
static int english_order(const char *a, const char *b, int ignore_case)
{
    const char *p = a;
    const char *q = b;
    for (; *p && *q; p++, q++) {
        char x = *p >= 'a' ? (char)(*p - 32) : *p;
        char y = *q >= 'a' ? (char)(*q - 32) : *q;
        if (x != y)
            return x < y ? 0 : 2;
    }
    if (*p || *q)
        return *q ? 0 : 2;
    for (p = a, q = b; !ignore_case && *p; p++, q++)
        if (*p != *q)
            return *p >= 'a' ? 0 : 2;
    return 1;
}

static BSTR from_ascii(const char *text)
{
    size_t n = strlen(text);
    BSTR b = SysAllocStringLen(NULL, (UINT)n);
    must(b != NULL, "SysAllocStringLen");
    for (size_t i = 0; i < n; i++)
        b[i] = (OLECHAR)text[i];
    return b;
}

static void op_compare_english(void)
{
    static const char alphabet[] = "aAbBzZ019mM";
    char text[2][20];
    BSTR a, b;
    ULONG flags = chance(2) ? NORM_IGNORECASE : 0;
    HRESULT hr;
    uint32_t n = below(12);
    int want;
    for (uint32_t i = 0; i < n; i++)
        text[0][i] = alphabet[below(sizeof alphabet - 1)];
    text[0][n] = 0;
    strcpy(text[1], text[0]);
    if (n && chance(2)) { /* the other case */
        char *c = &text[1][below(n)];
        if (*c >= 'A')
            *c ^= 0x20;
    }
    if (n && chance(2))
        text[1][below(n)] = alphabet[below(sizeof alphabet - 1)];
    if (chance(4))
        text[1][below(n + 1)] = 0;
    if (chance(8))
        strcat(text[1], "b");
    say(" \"%s\" \"%s\" flags %lx", text[0], text[1], (unsigned long)flags);
    a = !*text[0] && chance(2) ? NULL : from_ascii(text[0]);
    b = !*text[1] && chance(2) ? NULL : from_ascii(text[1]);
    call();
    hr = VarBstrCmp(a, b, 0x409, flags);
    want = english_order(text[0], text[1], flags != 0);
    say(" %ld", (long)hr);
    must(hr == want, "VarBstrCmp, en-US, letters and digits");
    SysFreeString(a);
    SysFreeString(b);
}

/* ---- operations on task memory --------------------------------------------------------------- */

static Block *pick_block(void)
{
    uint32_t i = below(BLOCKS);
    say(" %lu", (unsigned long)i);
    return &blocks[i];
}

static void *task_alloc(size_t size, int through_malloc)
{
    return through_malloc ? IMalloc_Alloc(task, size) : CoTaskMemAlloc(size);
}

static void *task_realloc(void *p, size_t size, int through_malloc)
{
    return through_malloc ? task->lpVtbl->Realloc(task, p, size) : CoTaskMemRealloc(p, size);
}

static void op_task_alloc(void)
{
    Block *b = pick_block();
    Block fresh;
    int door = (int)below(2);
    size_t size = chance(10) ? 0 : pick_size();
    void *p;
    if (chance(60)) {
        size = impossible_size();
        say(" impossible ");
        say_hex(size);
        call();
        p = task_alloc(size, door);
        must(p == NULL, "an allocation of an impossible size");
        return;
    }
    say(" size %lu door %d", (unsigned long)size, door);
    call();
    p = task_alloc(size, door);
    must(p != NULL, "allocation");
    keep_block(&fresh, p, size);
    drop_block(b);
    *b = fresh;
    observe_block(b);
}

static void op_task_realloc(void)
{
    Block *b = pick_block();
    Block old = *b;
    int live = b->p != NULL;
    int door = (int)below(2);
    size_t size = chance(8) ? 0 : pick_size();
    void *p;
    if (chance(3) && b->size)
        size = 1 + below((uint32_t)b->size);
    if (chance(60)) {
        size = impossible_size();
        say(" impossible ");
        say_hex(size);
        call();
        p = task_realloc(b->p, size, door);
        must(p == NULL, "a reallocation to an impossible size");
        observe_block(b);
        return;
    }
    say(" %s size %lu door %d", live ? "live" : "null", (unsigned long)size, door);
    call();
    p = task_realloc(b->p, size, door);
    if (live && size == 0) {
        must(p == NULL, "reallocation to nothing frees and gives NULL");
        forget_block(b);
        observe_block(b);
        return;
    }
    must(p != NULL, "reallocation");
    keep_block(b, p, size);
    if (live)
        shadow_copy(&b->s, 0, old.s.data, old.s.mask, size < old.size ? size : old.size);
    shadow_drop(&old.s);
    observe_block(b);
}

static void op_task_free(void)
{
    Block *b = pick_block();
    call();
    drop_block(b);
    CoTaskMemFree(NULL);
    IMalloc_Free(task, NULL);
    observe_block(b);
}

static void op_task_write(void)
{
    Block *b = pick_block();
    uint32_t at, n;
    Source src;
    if (!b->size) {
        call();
        observe_block(b);
        return;
    }
    at = chance(2) ? 0 : below((uint32_t)b->size);
    n = (uint32_t)b->size - at;
    if (chance(2))
        n = 1 + below(n);
    src = generated(n, 0);
    say(" at %lu bytes %lu", (unsigned long)at, (unsigned long)n);
    call();
    memcpy((char *)b->p + at, src.p, n);
    shadow_copy(&b->s, at, src.data, src.mask, n);
    observe_block(b);
}

static void op_did_alloc(void)
{
    Block *b = pick_block();
    size_t inside = b->size > 1 ? 1 + below((uint32_t)b->size - 1) : 0;
    int null_answer, junk_answer;
    say(" inside %lu", (unsigned long)inside);
    call();
    null_answer = IMalloc_DidAlloc(task, NULL);
    junk_answer = IMalloc_DidAlloc(task, (void *)1);
    say(" null %d junk %d", null_answer, junk_answer);
    must(null_answer == -1, "DidAlloc(NULL)");
    must(junk_answer == 0, "DidAlloc((void *)1)");
    must(IMalloc_GetSize(task, NULL) == (SIZE_T)-1, "GetSize(NULL)");
    if (inside && (OURS || inside % (2 * HEADER))) {
        int answer = IMalloc_DidAlloc(task, (char *)b->p + inside);
        if (inside % (2 * HEADER))
            say(" %d", answer);
        must(answer == 0, "DidAlloc inside a block");
    }
    observe_block(b);
}

static GUID random_guid(void)
{
    GUID g;
    uint64_t a = rnd();
    uint64_t b = rnd();
    g.Data1 = (uint32_t)a;
    g.Data2 = (uint16_t)(a >> 32);
    g.Data3 = (uint16_t)(a >> 48);
    for (int i = 0; i < 8; i++, b >>= 8)
        g.Data4[i] = (uint8_t)b;
    if (chance(8)) /* leading zeros */
        g.Data1 &= 0xFF;
    return g;
}

static void guid_text(const GUID *g, char text[40])
{
    sprintf(text, "{%08lX-%04X-%04X-%02X%02X-%02X%02X%02X%02X%02X%02X}", (unsigned long)g->Data1,
            g->Data2, g->Data3, g->Data4[0], g->Data4[1], g->Data4[2], g->Data4[3], g->Data4[4],
            g->Data4[5], g->Data4[6], g->Data4[7]);
}

static void op_malloc_object(void)
{
    static const ULONG contexts[] = {0, 2, 3, (ULONG)-1, (ULONG)-2, 4};
    uint32_t kind = below(6);
    IMalloc *other = (IMalloc *)(void *)room.bytes;
    HRESULT hr;
    say(" %lu", (unsigned long)kind);
    if (kind == 0) {
        call();
        hr = CoGetMalloc(1, &other);
        must(hr == S_OK && other == task, "CoGetMalloc(MEMCTX_TASK): one object");
        IMalloc_Release(other);
    } else if (kind == 1) {
        ULONG context = contexts[below(6)];
        if (chance(4))
            context = 5 + below(1000000);
        say(" context %ld", (long)(int32_t)context);
        call();
        hr = CoGetMalloc(context, &other);
        say(" hr %08lx", (unsigned long)hr & 0xFFFFFFFFu);
        must(hr == E_INVALIDARG && other == NULL, "CoGetMalloc of another context");
    } else if (kind == 2) {
        void *same = NULL;
        call();
        hr = IMalloc_QueryInterface(task, chance(2) ? &IID_IMalloc : &IID_IUnknown, &same);
        must(hr == S_OK && same == task, "QueryInterface");
        IMalloc_Release((IMalloc *)same);
    } else if (kind == 3) {
        GUID iid = chance(2) ? IID_IMallocSpy : random_guid();
        void *none = NULL;
        call();
        hr = IMalloc_QueryInterface(task, &iid, &none);
        say(" hr %08lx", (unsigned long)hr & 0xFFFFFFFFu);
        must(hr == E_NOINTERFACE, "QueryInterface for another interface");
    } else if (kind == 4) {
        ULONG up, down;
        call();
        up = IMalloc_AddRef(task);
        down = IMalloc_Release(task);
        must(up != 0 && down != 0, "AddRef and Release: the allocator never goes away");
    } else {
        call();
        IMalloc_HeapMinimize(task);
    }
}

/* ---- text of GUIDs, duplicated strings ------------------------------------------------------------ */

#define CANARY 0x7E7E

static void op_guid_text(void)
{
    GUID g = random_guid();
    char want[40];
    OLECHAR buffer[64];
    int room_units = (int)below(52);
    const GUID *from = &g;
    int n, used;
    if (chance(2))
        room_units = 36 + (int)below(6);
    if (chance(20))
        room_units = -(int)below(0x7FFFFFFF);
    if (chance(20))
        from = NULL;
    guid_text(&g, want);
    for (int i = 0; i < 64; i++)
        buffer[i] = CANARY;
    say(" %s room %d%s", want, room_units, from ? "" : " null");
    call();
    n = StringFromGUID2(from, buffer, room_units);
    say(" %d", n);
    must(n == (from && room_units >= 39 ? 39 : 0), "StringFromGUID2");
    for (int i = 0; i < n; i++) {
        say("%c", buffer[i] ? (int)buffer[i] : '.');
        must(buffer[i] == (OLECHAR)(i < 38 ? want[i] : 0), "text of StringFromGUID2");
    }
    /* Of a refused buffer only what lies beyond its end is promised. */
    used = n ? n : room_units > 0 ? room_units : 0;
    for (int i = used; i < 64; i++)
        must(buffer[i] == CANARY, "StringFromGUID2 writes beyond its text");
}

/* Text that came as a task block joins the table of blocks. */
static void keep_text(Block *b, LPOLESTR p, const uint8_t *units, size_t n)
{
    Block fresh;
    keep_block(&fresh, p, 2 * n + 2);
    memcpy(fresh.s.data, units, 2 * n);
    memset(fresh.s.mask, 0xFF, 2 * n);
    shadow_zero(&fresh.s, 2 * n, 2);
    drop_block(b);
    *b = fresh;
    observe_block(b);
}

static void widen(const char *text, size_t n, uint8_t *units)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t unit = (uint8_t)text[i];
        memcpy(units + 2 * i, &unit, 2);
    }
}

static void op_guid_string(void)
{
    Block *b = pick_block();
    GUID g = random_guid();
    char text[40];
    uint8_t units[80];
    LPOLESTR p = NULL;
    int kind = (int)below(2);
    HRESULT hr;
    guid_text(&g, text);
    widen(text, 38, units);
    say(" %s %d", text, kind);
    call();
    hr = kind ? StringFromCLSID(&g, &p) : StringFromIID(&g, &p);
    say(" hr %08lx", (unsigned long)hr & 0xFFFFFFFFu);
    must(hr == S_OK && p != NULL, "StringFromCLSID / StringFromIID");
    keep_text(b, p, units, 38);
}

static void op_prog_id(void)
{
    GUID g = random_guid();
    LPOLESTR p = (LPOLESTR)(void *)room.bytes;
    HRESULT hr;
    int no_out = chance(4);
    say("%s", no_out ? " null" : "");
    call();
    hr = ProgIDFromCLSID(&g, no_out ? NULL : &p);
    say(" hr %08lx", (unsigned long)hr & 0xFFFFFFFFu);
    must(hr == (no_out ? E_INVALIDARG : REGDB_E_CLASSNOTREG), "ProgIDFromCLSID");
    must(no_out || p == NULL, "a failed ProgIDFromCLSID stores NULL");
}

static void op_dup_wide(void)
{
    Block *b = pick_block();
    LPWSTR p = (LPWSTR)(void *)room.bytes;
    Source src;
    uint32_t units;
    HRESULT hr;
    if (chance(10)) {
        say(" null");
        call();
        hr = SHStrDupW(NULL, &p);
        must(FAILED(hr) && p == NULL, "SHStrDupW(NULL)");
        return;
    }
    src = pick_text(NULL, &units);
    call();
    hr = SHStrDupW((LPCWSTR)(const void *)src.p, &p);
    say(" hr %08lx", (unsigned long)hr & 0xFFFFFFFFu);
    must(hr == S_OK && p != NULL, "SHStrDupW");
    keep_text(b, p, src.data, units);
}

static void op_dup_narrow(void)
{
    Block *b = pick_block();
    LPWSTR p = (LPWSTR)(void *)room.bytes;
    char text[201];
    uint8_t units[400];
    uint32_t n = below(chance(4) ? 201 : 20);
    HRESULT hr;
    if (chance(10)) {
        say(" null");
        call();
        hr = SHStrDupA(NULL, &p);
        must(FAILED(hr) && p == NULL, "SHStrDupA(NULL)");
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        text[i] = (char)(1 + below(127));
    text[n] = 0;
    widen(text, n, units);
    say(" bytes %lu", (unsigned long)n);
    call();
    hr = SHStrDupA(text, &p);
    say(" hr %08lx", (unsigned long)hr & 0xFFFFFFFFu);
    must(hr == S_OK && p != NULL, "SHStrDupA");
    keep_text(b, p, units, n);
}

/* ---- the run ---------------------------------------------------------------------------------- */

static const struct {
    uint32_t weight;
    const char *name;
    void (*run)(void);
} operations[] = {
    {80, "SysAllocString", op_alloc},
    {110, "SysAllocStringLen", op_alloc_len},
    {110, "SysAllocStringByteLen", op_alloc_byte_len},
    {70, "SysReAllocString", op_realloc},
    {130, "SysReAllocStringLen", op_realloc_len},
    {60, "SysFreeString", op_free},
    {30, "observe", op_observe},
    {40, "edit-prefix", op_edit_prefix},
    {60, "write", op_write},
    {30, "built", op_built},
    {20, "fabricate", op_fabricate},
    {60, "VarBstrCat", op_cat},
    {60, "VarBstrCmp-0", op_compare_binary},
    {40, "VarBstrCmp-409", op_compare_english},
    {80, "task-alloc", op_task_alloc},
    {80, "task-realloc", op_task_realloc},
    {40, "task-free", op_task_free},
    {50, "task-write", op_task_write},
    {30, "DidAlloc", op_did_alloc},
    {20, "IMalloc", op_malloc_object},
    {20, "StringFromGUID2", op_guid_text},
    {20, "StringFromCLSID", op_guid_string},
    {1, "ProgIDFromCLSID", op_prog_id},
    {20, "SHStrDupW", op_dup_wide},
    {20, "SHStrDupA", op_dup_narrow},
};
#define OPERATIONS (sizeof operations / sizeof operations[0])

/* The most that the check of a bystander looks at. */
#define WINDOW 4096

static size_t window_at(size_t n, size_t *length)
{
    size_t at = n > WINDOW ? below((uint32_t)(n - WINDOW + 1)) : 0;
    *length = n > WINDOW ? WINDOW : n;
    return at;
}

/* Nobody else's memory changes: some other object, picked at random, still holds what it held. */
static void check_bystanders(void)
{
    const Str *t = &strs[below(BSTRS)];
    const Block *b = &blocks[below(BLOCKS)];
    size_t at, n;
    if (t->p) {
        at = window_at(t->s.n, &n);
        compare(t->p, &t->s, at, n);
        must(prefix_of(t->p) == t->len, "prefix of a bystander");
    }
    if (b->p) {
        at = window_at(b->s.n, &n);
        compare(b->p, &b->s, at, n);
    }
}

static void check_start(void)
{
    static const GUID unknown = {0, 0, 0, {0xC0, 0, 0, 0, 0, 0, 0, 0x46}};
    static const GUID imalloc = {2, 0, 0, {0xC0, 0, 0, 0, 0, 0, 0, 0x46}};
    static const GUID ispy = {0x1D, 0, 0, {0xC0, 0, 0, 0, 0, 0, 0, 0x46}};
    BSTR b;
    uintptr_t old;
    must(sizeof(OLECHAR) == 2, "an OLECHAR has 16 bits");
    must(sizeof(GUID) == 16, "size of a GUID");
    must(!memcmp(&IID_IUnknown, &unknown, 16), "IID_IUnknown");
    must(!memcmp(&IID_IMalloc, &imalloc, 16), "IID_IMalloc");
    must(!memcmp(&IID_IMallocSpy, &ispy, 16), "IID_IMallocSpy");

    b = SysAllocStringLen(NULL, 64);
    must(b != NULL, "SysAllocStringLen");
    memset(b, 0xAB, 128);
    old = (uintptr_t)b;
    must(SysReAllocStringLen(&b, NULL, 24) == 1, "SysReAllocStringLen");
    must((uintptr_t)b == old, "shrinking with a NULL source keeps the pointer");
    must(b[23] == 0xABAB && b[24] == 0, "units and terminator after shrinking");
    SysFreeString(b);
}

static void step(uint32_t total_weight)
{
    uint32_t pick = below(total_weight);
    size_t i = 0;
    while (pick >= operations[i].weight)
        pick -= operations[i++].weight;
    line_len = line_printed = 0;
    say("%lu %s", op_index, operations[i].name);
    operations[i].run();
    check_bystanders();
    say("\n");
    show();
    for (size_t k = 0; k < line_len; k++)
        running_hash = (running_hash ^ (uint8_t)line[k]) * FNV_PRIME;
}

static void print_hash(void)
{
    printf("%lu %08lx%08lx\n", op_index, (unsigned long)(running_hash >> 32),
           (unsigned long)(running_hash & 0xFFFFFFFFu));
}

int main(int argc, char **argv)
{
    unsigned long count, first = 1, last;
    uint32_t total_weight = 0;
    int verbose = argc > 3 && !strcmp(argv[3], "-v");
    if (argc < 3 || (argc > 3 && !verbose) || argc == 5 || argc > 6) {
        fprintf(stderr, "usage: %s SEED COUNT [-v [FIRST LAST]]\n", argv[0]);
        return 2;
    }
    rng_state = strtoull(argv[1], NULL, 0);
    last = count = strtoul(argv[2], NULL, 0);
    if (argc == 6) {
        first = strtoul(argv[4], NULL, 0);
        last = strtoul(argv[5], NULL, 0);
    }
    memset(ones, 0xFF, sizeof ones);
    for (size_t i = 0; i < OPERATIONS; i++)
        total_weight += operations[i].weight;
    must(CoGetMalloc(1, &task) == S_OK && task != NULL, "CoGetMalloc(MEMCTX_TASK)");
    check_start();
    while (op_index < count) {
        op_index++;
        printing = verbose && op_index >= first && op_index <= last;
        step(total_weight);
        if (!verbose && op_index % 1000 == 0) {
            print_hash();
            fflush(stdout);
        }
    }
    for (size_t i = 0; i < BSTRS; i++)
        drop_str(&strs[i]);
    for (size_t i = 0; i < BLOCKS; i++)
        drop_block(&blocks[i]);
    IMalloc_Release(task);
    if (!verbose)
        print_hash();
    return 0;
}
