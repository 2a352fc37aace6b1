/*
 * The audit's sessions from C: numbers and reports, what they find, and what becomes of those that
 * are used wrongly. `session story` breaks a rule and leaves the telling to olemem_session_check.
 */
#include <windows.h>

#include <oleauto.h>
#include <objbase.h>

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

/* Kept out of registers and off the stack, so that a leak checker sees what is still held. */
static BSTR held;
static void *held_block;

__attribute__((noinline)) static BSTR lose_text(void) { return SysAllocString(OLESTR("lost")); }

static int is(const char *text, const char *expected) {
    return text != NULL && strcmp(text, expected) == 0;
}

static void clean(void) {
    olemem_session session = olemem_session_begin(NULL);
    olemem_counts counts;
    olemem_report *report;

    CHECK(session != 0);
    held = SysAllocString(OLESTR("kept for a while"));
    held_block = CoTaskMemAlloc(100);
    CHECK(held != NULL && held_block != NULL);
    SysFreeString(held);
    CoTaskMemFree(held_block);
    report = olemem_session_end(session);
    CHECK(report != NULL);
    CHECK(olemem_report_is_clean(report) == 1);
    CHECK(olemem_report_count(report, NULL) == 0);
    CHECK(olemem_report_count(report, "leak") == 0);
    CHECK(olemem_report_errors(report) == 0 && olemem_report_warnings(report) == 0);
    CHECK(olemem_report_kind(report, 0) == NULL);
    CHECK(strlen(olemem_report_text(report)) > 0);

    memset(&counts, 0xAA, sizeof counts);
    counts.size = sizeof counts;
    CHECK(olemem_report_counts(report, &counts) == 1);
    CHECK(counts.size == sizeof counts);
    CHECK(counts.operations == 4 && counts.allocated == 2 && counts.freed == 2);
    CHECK(counts.failed == 0 && counts.live == 0 && counts.live_bytes == 0);
    CHECK(counts.peak_bytes >= 132 && counts.total_bytes == counts.peak_bytes);

    /* A caller of a smaller structure, and one of a larger one. */
    memset(&counts, 0xAA, sizeof counts);
    counts.size = offsetof(olemem_counts, freed);
    CHECK(olemem_report_counts(report, &counts) == 1);
    CHECK(counts.allocated == 2 && counts.freed == UINT64_C(0xAAAAAAAAAAAAAAAA));
    counts.size = sizeof(size_t) - 1;
    CHECK(olemem_report_counts(report, &counts) == 0);
    {
        struct {
            olemem_counts known;
            uint64_t later;
        } larger = {{sizeof larger, 0, 0, 0, 0, 0, 0, 0, 0}, 7};
        CHECK(olemem_report_counts(report, &larger.known) == 1);
        CHECK(larger.known.freed == 2 && larger.known.size == sizeof larger && larger.later == 7);
    }
    CHECK(olemem_report_counts(report, NULL) == 0);
    olemem_report_release(report);

    session = olemem_session_begin(NULL);
    SysFreeString(SysAllocString(OLESTR("checked")));
    CHECK(olemem_session_check(session) == 1);
}

static void options(void) {
    olemem_session_options usual = {.size = sizeof usual};
    olemem_session_options chosen = {
        .size = sizeof chosen, .quarantine = 4096, .backtrace = OLEMEM_BACKTRACE_OFF};
    struct {
        olemem_session_options known;
        unsigned char later[16];
    } larger;
    olemem_session session;

    CHECK((session = olemem_session_begin(&usual)) != 0);
    olemem_report_release(olemem_session_end(session));
    CHECK((session = olemem_session_begin(&chosen)) != 0);
    olemem_report_release(olemem_session_end(session));
    chosen.quarantine = (size_t)-1;
    chosen.backtrace = OLEMEM_BACKTRACE_FULL;
    chosen.guard = OLEMEM_GUARD_PAGE;
    CHECK((session = olemem_session_begin(&chosen)) != 0);
    olemem_report_release(olemem_session_end(session));
    chosen.backtrace = OLEMEM_BACKTRACE_SHORT;
    CHECK((session = olemem_session_begin(&chosen)) != 0);
    olemem_report_release(olemem_session_end(session));

    /* A header newer than the library: what it does not know must be 0. */
    memset(&larger, 0, sizeof larger);
    larger.known.size = sizeof larger;
    CHECK((session = olemem_session_begin(&larger.known)) != 0);
    olemem_report_release(olemem_session_end(session));
    larger.later[15] = 1;
    CHECK(olemem_session_begin(&larger.known) == 0);

    chosen.backtrace = 9;
    CHECK(olemem_session_begin(&chosen) == 0);
    chosen.backtrace = 0;
    chosen.guard = 9;
    CHECK(olemem_session_begin(&chosen) == 0);
    usual.size = 0;
    CHECK(olemem_session_begin(&usual) == 0);
    usual.size = sizeof usual - 1;
    CHECK(olemem_session_begin(&usual) == 0);
}

static void violations(void) {
    olemem_session session = olemem_session_begin(NULL);
    olemem_report *report;
    olemem_counts counts = {.size = sizeof counts};
    BSTR twice;

    held = lose_text();
    held_block = CoTaskMemAlloc(8);
    twice = SysAllocString(OLESTR("twice"));
    SysFreeString(twice);
    SysFreeString(twice);
    CoTaskMemFree(held);
    CHECK(VarBstrCat(NULL, NULL, NULL) == E_INVALIDARG);
    report = olemem_session_end(session);
    CHECK(!olemem_report_is_clean(report));
    /* The text was freed wrongly, and that it is still there is no second mistake. */
    CHECK(olemem_report_count(report, "leak") == 1);
    CHECK(olemem_report_count(report, "double-free") == 1);
    CHECK(olemem_report_count(report, "family-mismatch") == 1);
    CHECK(olemem_report_count(report, "null-out-pointer") == 1);
    CHECK(olemem_report_count(report, NULL) == 4);
    CHECK(olemem_report_errors(report) == 4 && olemem_report_warnings(report) == 0);
    /* As found; leaks last. */
    CHECK(is(olemem_report_kind(report, 0), "double-free"));
    CHECK(is(olemem_report_kind(report, 1), "family-mismatch"));
    CHECK(is(olemem_report_kind(report, 2), "null-out-pointer"));
    CHECK(is(olemem_report_kind(report, 3), "leak"));
    CHECK(olemem_report_kind(report, 4) == NULL);
    CHECK(olemem_report_kind(report, (size_t)-1) == NULL);
    /* No kind has this name, and the comparison with any count fails. */
    CHECK(olemem_report_count(report, "leek") == (size_t)-1);
    CHECK(olemem_report_count(report, "") == (size_t)-1);
    CHECK(olemem_report_count(report, "\xFF") == (size_t)-1);
    CHECK(strstr(olemem_report_text(report), "error[double-free]") != NULL);
    CHECK(strstr(olemem_report_text(report), "error[leak]") != NULL);
    CHECK(olemem_report_counts(report, &counts) == 1);
    CHECK(counts.live == 2 && counts.allocated == 3 && counts.freed == 1);
    olemem_report_release(report);
    /* What outlived its session is as good as before. */
    CHECK(SysStringLen(held) == 4 && held[0] == 'l');
    SysFreeString(held);
    CoTaskMemFree(held_block);
}

static void ignored(void) {
    olemem_session session = olemem_session_begin(NULL);
    BSTR unwatched;
    char local = 0;

    held = SysAllocString(OLESTR("a global's"));
    held_block = CoTaskMemAlloc(3);
    CHECK(olemem_ignore(held) == 1);
    CHECK(olemem_ignore(held_block) == 1);
    CHECK(olemem_ignore(held) == 1);
    CHECK(olemem_ignore(NULL) == 0);
    CHECK(olemem_ignore(&local) == 0);
    CHECK(olemem_session_check(session) == 1);
    SysFreeString(held);
    CoTaskMemFree(held_block);

    unwatched = SysAllocString(OLESTR("in no session"));
    CHECK(olemem_ignore(unwatched) == 0);
    SysFreeString(unwatched);
}

/* A literal is a BSTR to read and none to free. */
static void literals(void) {
    static const struct {
        uint32_t bytes;
        OLECHAR text[8];
    } literal = {14, OLESTR("literal")};
    BSTR const text = (BSTR)(uintptr_t)literal.text;
    olemem_session session = olemem_session_begin(NULL);
    olemem_report *report;
    BSTR joined = NULL;

    CHECK(SysStringLen(text) == 7 && SysStringByteLen(text) == 14);
    CHECK(VarBstrCat(text, text, &joined) == S_OK && SysStringLen(joined) == 14);
    CHECK(VarBstrCmp(text, text, 0, 0) == VARCMP_EQ);
    SysFreeString(joined);
    CHECK(olemem_ignore(text) == 0);
    CHECK(olemem_session_check(session) == 1);

    session = olemem_session_begin(NULL);
    SysFreeString(text);
    report = olemem_session_end(session);
    CHECK(olemem_report_count(report, NULL) == 1 && olemem_report_count(report, "foreign-free") == 1);
    olemem_report_release(report);
}

/* Numbers and pointers that name nothing. */
static void misused(void) {
    const olemem_session never = UINT64_C(1) << 60;
    olemem_session session = olemem_session_begin(NULL), before;
    olemem_report *report;

    SysFreeString(SysAllocString(OLESTR("once")));
    report = olemem_session_end(session);
    CHECK(report != NULL);
    olemem_report_release(report);
    CHECK(olemem_session_end(session) == NULL);
    CHECK(olemem_session_check(session) == 0);
    CHECK(olemem_session_end(0) == NULL && olemem_session_end(never) == NULL);
    CHECK(olemem_session_check(0) == 0 && olemem_session_check(never) == 0);

    /* In a session that is over nothing is watched. */
    before = olemem_session_join(session);
    CHECK(before == 0);
    held = SysAllocString(OLESTR("of nobody's session"));
    CHECK(olemem_ignore(held) == 0);
    SysFreeString(held);
    olemem_session_leave(before);

    /* Nobody watches the process, so an input is nothing. */
    CHECK(olemem_input_begin() == 0);
    olemem_input_end(0);

    CHECK(olemem_report_is_clean(NULL) == 0);
    CHECK(olemem_report_count(NULL, NULL) == 0);
    CHECK(olemem_report_count(NULL, "leak") == 0);
    CHECK(olemem_report_count(NULL, "leek") == (size_t)-1);
    CHECK(olemem_report_errors(NULL) == 0 && olemem_report_warnings(NULL) == 0);
    CHECK(olemem_report_kind(NULL, 0) == NULL);
    CHECK(is(olemem_report_text(NULL), ""));
    CHECK(olemem_report_counts(NULL, NULL) == 0);
    olemem_report_release(NULL);

    /* A session that saw nothing has tested nothing. */
    session = olemem_session_begin(NULL);
    report = olemem_session_end(session);
    CHECK(!olemem_report_is_clean(report) && olemem_report_count(report, NULL) == 0);
    olemem_report_release(report);
}

static void nested(void) {
    olemem_session outer = olemem_session_begin(NULL), inner;
    olemem_report *report;
    BSTR of_outer = SysAllocString(OLESTR("outer"));

    inner = olemem_session_begin(NULL);
    CHECK(inner != outer);
    held = SysAllocString(OLESTR("inner"));
    SysFreeString(of_outer);
    report = olemem_session_end(inner);
    CHECK(olemem_report_count(report, NULL) == 1 && olemem_report_count(report, "leak") == 1);
    olemem_report_release(report);
    SysFreeString(held);
    /* The thread is in the outer one again. */
    held = SysAllocString(OLESTR("outer again"));
    report = olemem_session_end(outer);
    CHECK(olemem_report_count(report, "leak") == 1);
    olemem_report_release(report);
    SysFreeString(held);
}

static void *takes_part(void *argument) {
    const olemem_session session = *(const olemem_session *)argument;
    const olemem_session before = olemem_session_join(session);
    CHECK(before == 0);
    held = SysAllocString(OLESTR("another thread's"));
    olemem_session_leave(before);
    held_block = CoTaskMemAlloc(16);
    return NULL;
}

static void *ends(void *argument) {
    return olemem_session_end(*(const olemem_session *)argument);
}

static void threads(void) {
    olemem_session session = olemem_session_begin(NULL);
    olemem_report *report;
    pthread_t thread;
    void *result;

    CHECK(pthread_create(&thread, NULL, takes_part, &session) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    /* Allocated outside, freed inside: no matter. */
    CoTaskMemFree(held_block);
    CHECK(pthread_create(&thread, NULL, ends, &session) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    report = result;
    CHECK(olemem_report_count(report, NULL) == 1 && olemem_report_count(report, "leak") == 1);
    olemem_report_release(report);
    SysFreeString(held);
    /* This thread's is over, and it is in none. */
    held = SysAllocString(OLESTR("unwatched"));
    CHECK(olemem_ignore(held) == 0);
    SysFreeString(held);
}

int main(int argc, char **argv) {
    if (argc > 1 && is(argv[1], "story")) {
        olemem_session session = olemem_session_begin(NULL);
        held = lose_text();
        CHECK(olemem_session_check(session) == 0);
        SysFreeString(held);
        return checks_finish();
    }
    clean();
    options();
    violations();
    ignored();
    literals();
    misused();
    nested();
    threads();
    return checks_finish();
}
