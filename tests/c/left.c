/*
 * Calls that are left by other ways than a return: longjmp, and the end of the thread. What is told goes to standard output,
 * for the driver to compare.
 */
#define _POSIX_C_SOURCE 200809L
#include <windows.h>

#include <oleauto.h>

#include <pthread.h>
#include <setjmp.h>
#include <string.h>

#include "check.h"

static char browser;
static jmp_buf back;

/* The callee keeps the rules as far as it comes. */
static HRESULT jumps(BSTR name, BSTR *title, BSTR *first, BSTR *second) {
    SysFreeString(*title);
    *title = SysAllocString(name);
    *first = SysAllocString(name);
    *second = NULL;
    longjmp(back, 1);
}

static HRESULT get_text(BSTR *text) {
    *text = SysAllocString(OLESTR("Ready"));
    return *text != NULL ? S_OK : E_OUTOFMEMORY;
}

static HRESULT put_text_frees(BSTR text) {
    SysFreeString(text);
    return S_OK;
}

/* Once the call is out of the way others are judged, and what is wrong is told. */
static void later_calls(void) {
    BSTR text = NULL;
    CHECK(OLEMEM_CALL("IBrowser::get_Text", &browser, get_text(OLEMEM_OUT_BSTR("text", &text))) ==
          S_OK);
    CHECK(SysStringLen(text) == 5);
    OLEMEM_CALL("IBrowser::put_Text", &browser, put_text_frees(OLEMEM_IN_BSTR("text", text)));
    SysFreeString(text);
}

static BSTR name, title, first, second;

__attribute__((noinline)) static void calls_and_never_comes_back(void) {
    /* So deep on the stack that it is not the caller's frame, whatever the compiler puts into one. */
    char room[4096];
    __asm__ volatile("" : : "r"(room) : "memory");
    OLEMEM_CALL("IBrowser::Rename", &browser,
                jumps(OLEMEM_IN_BSTR("name", name), OLEMEM_INOUT_BSTR("title", &title),
                      OLEMEM_OUT_BSTR("first", &first), OLEMEM_OUT_BSTR("second", &second)));
    __asm__ volatile("" : : "r"(room) : "memory");
    CHECK(0);
}

static void begin(void) {
    name = SysAllocString(OLESTR("olemem"));
    title = SysAllocString(OLESTR("old"));
    first = NULL;
    second = NULL;
}

/* The strings are the caller's, all of them. */
static void free_all(void) {
    SysFreeString(name);
    SysFreeString(title);
    SysFreeString(first);
    SysFreeString(second);
}

static void jumped_far(void) {
    begin();
    if (setjmp(back) == 0)
        calls_and_never_comes_back();
    free_all();
    later_calls();
}

static void jumped_far_and_called(void) {
    begin();
    if (setjmp(back) == 0)
        calls_and_never_comes_back();
    later_calls();
    free_all();
}

/* Into the function that makes the call. Nothing shows that it is over, so that is said. */
static void jumped_here(void) {
    olemem_call *volatile call = NULL;
    begin();
    if (setjmp(back) == 0) {
        call = olemem_call_begin("IBrowser::Rename", &browser);
        olemem_call_in_bstr(call, "name", name);
        olemem_call_inout_bstr(call, "title", &title);
        olemem_call_out_bstr(call, "first", &first);
        olemem_call_out_bstr(call, "second", &second);
        olemem_call_end(call, jumps(name, &title, &first, &second));
        CHECK(0);
    }
    olemem_call_abandon(call);
    free_all();
    later_calls();
}

static olemem_session current;

static HRESULT exits(BSTR lent, BSTR *replaced) {
    SysFreeString(*replaced);
    *replaced = SysAllocString(lent);
    pthread_exit(NULL);
}

static void *ends_within(void *nothing) {
    (void)nothing;
    olemem_session_join(current);
    OLEMEM_CALL("IBrowser::Run", &browser,
                exits(OLEMEM_IN_BSTR("name", name), OLEMEM_INOUT_BSTR("title", &title)));
    CHECK(0);
    return NULL;
}

/* The same within another call, of another object's. */
static HRESULT runs(BSTR lent) {
    (void)lent;
    ends_within(NULL);
    return S_OK;
}

static void *ends_within_two(void *nothing) {
    (void)nothing;
    olemem_session_join(current);
    OLEMEM_CALL("IShell::Run", &current, runs(OLEMEM_IN_BSTR("name", name)));
    CHECK(0);
    return NULL;
}

static void ended(void *(*thread_of)(void *)) {
    pthread_t thread;
    begin();
    CHECK(pthread_create(&thread, NULL, thread_of, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    free_all();
    later_calls();
}

static void thread_ended(void) { ended(ends_within); }
static void thread_ended_within_two(void) { ended(ends_within_two); }

static void judged(const char *what, void (*act)(void)) {
    olemem_session_options options;
    olemem_report *report;
    const char *story, *numbers;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.backtrace = OLEMEM_BACKTRACE_OFF;
    current = olemem_session_begin(&options);
    act();
    report = olemem_session_end(current);
    story = olemem_report_text(report);
    numbers = strstr(story, "olemem: ");
    printf("== %s\n%.*s", what, (int)(numbers - story), story);
    olemem_report_release(report);
}

int main(void) {
    judged("jumped far", jumped_far);
    judged("jumped far, and called", jumped_far_and_called);
    judged("jumped here", jumped_here);
    judged("thread ended", thread_ended);
    judged("thread ended within two", thread_ended_within_two);
    return checks_finish();
}
