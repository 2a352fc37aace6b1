// A spy of the task allocator in C++: who allocated and did not free.
//
// Nothing here knows olemem. The same file is built with a Windows compiler and run under Wine.
#include <windows.h>

#include <objbase.h>
#include <objidl.h>
#include <oleauto.h>

#include <map>
#ifndef _WIN32
#include <thread>
#endif
#include <vector>

#include "check.h"

namespace {

class Ledger final : public IMallocSpy {
    LONG references = 1;
    SIZE_T requested = 0;
    bool inside = false;

    void enter() {
        CHECK(!inside);
        inside = true;
    }
    void leave() {
        CHECK(inside);
        inside = false;
    }

public:
    std::map<void *, SIZE_T> live;
    ULONG count() const { return static_cast<ULONG>(references); }

    STDMETHODIMP QueryInterface(REFIID iid, void **object) override {
        *object = nullptr;
        if (!IsEqualIID(iid, IID_IUnknown) && !IsEqualIID(iid, IID_IMallocSpy)) {
            return E_NOINTERFACE;
        }
        *object = static_cast<IMallocSpy *>(this);
        AddRef();
        return S_OK;
    }
    STDMETHODIMP_(ULONG) AddRef() override {
        return static_cast<ULONG>(InterlockedIncrement(&references));
    }
    STDMETHODIMP_(ULONG) Release() override {
        return static_cast<ULONG>(InterlockedDecrement(&references));
    }
    STDMETHODIMP_(SIZE_T) PreAlloc(SIZE_T request) override {
        enter();
        requested = request;
        return request;
    }
    STDMETHODIMP_(void *) PostAlloc(void *actual) override {
        if (actual) {
            live[actual] = requested;
        }
        leave();
        return actual;
    }
    STDMETHODIMP_(void *) PreFree(void *request, BOOL spyed) override {
        enter();
        CHECK(live.erase(request) == (spyed ? 1u : 0u));
        return request;
    }
    STDMETHODIMP_(void) PostFree(BOOL) override { leave(); }
    STDMETHODIMP_(SIZE_T)
    PreRealloc(void *request, SIZE_T size, void **newRequest, BOOL) override {
        enter();
        live.erase(request);
        requested = size;
        *newRequest = request;
        return size;
    }
    STDMETHODIMP_(void *) PostRealloc(void *actual, BOOL) override {
        if (actual) {
            live[actual] = requested;
        }
        leave();
        return actual;
    }
    STDMETHODIMP_(void *) PreGetSize(void *request, BOOL) override {
        enter();
        return request;
    }
    STDMETHODIMP_(SIZE_T) PostGetSize(SIZE_T actual, BOOL) override {
        leave();
        return actual;
    }
    STDMETHODIMP_(void *) PreDidAlloc(void *request, BOOL) override {
        enter();
        return request;
    }
    STDMETHODIMP_(int) PostDidAlloc(void *, BOOL, int actual) override {
        leave();
        return actual;
    }
    STDMETHODIMP_(void) PreHeapMinimize() override { enter(); }
    STDMETHODIMP_(void) PostHeapMinimize() override { leave(); }
};

void a_leak_is_found() {
    Ledger ledger;
    CHECK(CoRegisterMallocSpy(&ledger) == S_OK);
    void *kept = CoTaskMemAlloc(40);
    CoTaskMemFree(CoTaskMemAlloc(50));
    BSTR text = SysAllocString(OLESTR("Test"));
    CHECK(ledger.live.size() == 2 && ledger.live[kept] == 40);
    SysFreeString(text);
    CHECK(ledger.live.size() == 1);
    IMalloc *task = nullptr;
    CHECK(CoGetMalloc(MEMCTX_TASK, &task) == S_OK);
    CHECK(task->GetSize(kept) == 40 && task->DidAlloc(kept) == 1);
    task->HeapMinimize();
    task->Release();
    CHECK(CoRevokeMallocSpy() == E_ACCESSDENIED);
    CHECK(ledger.count() == 2);
    CoTaskMemFree(kept);
    CHECK(ledger.count() == 1 && ledger.live.empty());
}

void a_list_of_strings_is_followed() {
    Ledger ledger;
    CHECK(CoRegisterMallocSpy(&ledger) == S_OK);
    std::vector<BSTR> list;
    for (UINT units = 0; units < 30; units++) {
        list.push_back(SysAllocStringLen(nullptr, units));
        CHECK(ledger.live.size() == units + 1);
        CHECK(SysReAllocStringLen(&list.back(), nullptr, 10 * units));
        CHECK(ledger.live.size() == units + 1);
    }
    for (BSTR text : list) {
        SysFreeString(text);
    }
    CHECK(ledger.live.empty());
    CHECK(CoRevokeMallocSpy() == S_OK);
}

#ifndef _WIN32
/* MinGW need not have threads. */
void threads_come_one_at_a_time() {
    Ledger ledger;
    CHECK(CoRegisterMallocSpy(&ledger) == S_OK);
    std::vector<std::thread> threads;
    for (int n = 0; n < 3; n++) {
        threads.emplace_back([] {
            for (SIZE_T round = 1; round < 300; round++) {
                CoTaskMemFree(CoTaskMemRealloc(CoTaskMemAlloc(round), 2 * round));
                SysFreeString(SysAllocString(OLESTR("text")));
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(ledger.live.empty());
    CHECK(CoRevokeMallocSpy() == S_OK);
}
#endif

} // namespace

int main() {
    a_leak_is_found();
    a_list_of_strings_is_followed();
#ifndef _WIN32
    threads_come_one_at_a_time();
#endif
    return checks_finish();
}
