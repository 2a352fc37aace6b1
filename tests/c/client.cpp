/*
 * The component of client.c as a C++ class with two interfaces, and a caller that owns everything
 * through classes of its own: a BSTR, task memory, a structure with owned members, a reference.
 *
 * Nothing here knows olemem. The same file is built with a Windows compiler and Windows' own
 * headers, which judges that it is right; what differs there stands under _WIN32.
 */
#include <windows.h>

#include <oleauto.h>
#include <objbase.h>
#include <shlwapi.h>

#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>
#ifndef _WIN32
#include <thread>
#endif

#include "check.h"

/* ----------------------------------------------------------------------------- the interfaces */

/* As STATSTG: the callee fills it, the caller frees each member as its type asks. */
struct BrowserStat {
    LPOLESTR name;      // task memory
    BSTR comment;       // a BSTR
    ULONGLONG visits;   // plain
};

MIDL_INTERFACE("6f1a3b52-5c1e-4f7e-9d7a-0d6f3c0f2b11")
IBrowser : public IUnknown {
public:
    virtual HRESULT STDMETHODCALLTYPE put_StatusText(_In_ BSTR text) = 0;
    virtual HRESULT STDMETHODCALLTYPE get_StatusText(_Out_ BSTR *text) = 0;
    virtual HRESULT STDMETHODCALLTYPE Rename(_In_ BSTR name, _Inout_ BSTR *title) = 0;
    virtual HRESULT STDMETHODCALLTYPE Stat(_Out_ BrowserStat *stat, BOOL withName) = 0;
};
__CRT_UUID_DECL(IBrowser, 0x6f1a3b52, 0x5c1e, 0x4f7e, 0x9d, 0x7a, 0x0d, 0x6f, 0x3c, 0x0f, 0x2b,
                0x11)

#undef INTERFACE
#define INTERFACE IHistory
DECLARE_INTERFACE_(IHistory, IUnknown) {
    STDMETHOD(QueryInterface)(THIS_ REFIID iid, void **object) PURE;
    STDMETHOD_(ULONG, AddRef)(THIS) PURE;
    STDMETHOD_(ULONG, Release)(THIS) PURE;
    /* [out]: an array of strings, array and strings task memory. `limit` entries at most fit; more
     * are DISP_E_BADINDEX, and then nothing is left behind. */
    STDMETHOD(GetEntries)(THIS_ ULONG limit, ULONG * count, LPOLESTR * *entries) PURE;
    STDMETHOD_(ULONG, Visit)(THIS_ LPCOLESTR place) PURE;
};
__CRT_UUID_DECL(IHistory, 0x7a0e6c11, 0x93d2, 0x4c07, 0xb1, 0x5d, 0x21, 0x6a, 0x4e, 0x70, 0x9c,
                0x3f)

/* ---------------------------------------------------------------------------- owning classes */

/* An owned BSTR, after the habits of the one that Windows programmers know. */
class Bstr {
public:
    Bstr() = default;
    explicit Bstr(const OLECHAR *text) : string(SysAllocString(text)) {
        if (text != nullptr && string == nullptr) throw std::bad_alloc();
    }
    Bstr(const OLECHAR *units, UINT count) : string(SysAllocStringLen(units, count)) {
        if (string == nullptr) throw std::bad_alloc();
    }
    static Bstr bytes(const void *from, UINT count) {
        Bstr made;
        made.string = SysAllocStringByteLen(static_cast<LPCSTR>(from), count);
        if (made.string == nullptr) throw std::bad_alloc();
        return made;
    }
    /* By bytes, so that an odd length is kept; NULL stays NULL. */
    Bstr(const Bstr &other) : string(other.Copy()) {}
    Bstr(Bstr &&other) noexcept : string(other.Detach()) {}
    Bstr &operator=(const Bstr &other) {
        if (this != std::addressof(other)) {
            Bstr copy(other);
            std::swap(string, copy.string);
        }
        return *this;
    }
    Bstr &operator=(Bstr &&other) noexcept {
        if (this != std::addressof(other)) Attach(other.Detach());
        return *this;
    }
    ~Bstr() { SysFreeString(string); }

    /* For [out]: what is owned would be lost, so there must be nothing. */
    BSTR *operator&() {
        CHECK(string == nullptr);
        return &string;
    }
    /* For [in, out]. */
    BSTR *InOut() { return &string; }
    operator BSTR() const { return string; }

    BSTR Copy() const {
        if (string == nullptr) return nullptr;
        BSTR copy = SysAllocStringByteLen(reinterpret_cast<LPCSTR>(string), ByteLength());
        if (copy == nullptr) throw std::bad_alloc();
        return copy;
    }
    BSTR Detach() noexcept { return std::exchange(string, nullptr); }
    void Attach(BSTR other) noexcept {
        SysFreeString(string);
        string = other;
    }
    void Empty() noexcept { Attach(nullptr); }
    UINT Length() const { return SysStringLen(string); }
    UINT ByteLength() const { return SysStringByteLen(string); }

    HRESULT Append(const Bstr &other) {
        BSTR joined = nullptr;
        HRESULT hr = VarBstrCat(string, other.string, &joined);
        if (SUCCEEDED(hr)) Attach(joined);
        return hr;
    }
    /* In place: the string is resized, then its new end filled. */
    HRESULT Append(const OLECHAR *units, UINT count) {
        UINT before = Length();
        if (count > 0x7FFFFFFFu - before) return E_OUTOFMEMORY;
        if (!SysReAllocStringLen(&string, nullptr, before + count)) return E_OUTOFMEMORY;
        std::memcpy(string + before, units, count * sizeof(OLECHAR));
        return S_OK;
    }

    friend bool operator==(const Bstr &left, const Bstr &right) {
        return VarBstrCmp(left.string, right.string, 0, 0) == static_cast<HRESULT>(VARCMP_EQ);
    }
    friend bool operator!=(const Bstr &left, const Bstr &right) { return !(left == right); }
    friend bool operator<(const Bstr &left, const Bstr &right) {
        return VarBstrCmp(left.string, right.string, 0, 0) == static_cast<HRESULT>(VARCMP_LT);
    }

private:
    BSTR string = nullptr;
};
static_assert(sizeof(Bstr) == sizeof(BSTR), "an array of these is an array of BSTRs");

struct TaskFree {
    void operator()(void *block) const { CoTaskMemFree(block); }
};
template <typename T> using TaskPtr = std::unique_ptr<T, TaskFree>;

/* A structure with owned members, freed each in its own way. */
class OwnedStat : public BrowserStat {
public:
    OwnedStat() : BrowserStat{nullptr, nullptr, 0} {}
    OwnedStat(const OwnedStat &) = delete;
    OwnedStat &operator=(const OwnedStat &) = delete;
    ~OwnedStat() {
        CoTaskMemFree(name);
        SysFreeString(comment);
    }
};

/* A counted reference. */
template <typename T> class Ref {
public:
    Ref() = default;
    Ref(const Ref &other) : object(other.object) {
        if (object != nullptr) object->AddRef();
    }
    Ref(Ref &&other) noexcept : object(std::exchange(other.object, nullptr)) {}
    Ref &operator=(Ref other) noexcept {
        std::swap(object, other.object);
        return *this;
    }
    ~Ref() {
        if (object != nullptr) object->Release();
    }
    T **operator&() {
        CHECK(object == nullptr);
        return &object;
    }
    T *operator->() const { return object; }
    T *get() const { return object; }
    void reset() { *this = Ref(); }
    template <typename U> HRESULT As(Ref<U> &other) const {
        return object->QueryInterface(__uuidof(U), reinterpret_cast<void **>(&other));
    }

private:
    T *object = nullptr;
};

/* ------------------------------------------------------------------------------ the component */

static LONG browsers;

class Browser final : public IBrowser, public IHistory {
public:
    Browser() { InterlockedIncrement(&browsers); }

    STDMETHODIMP QueryInterface(REFIID iid, void **object) override {
        if (object == nullptr) return E_POINTER;
        *object = nullptr;
        if (iid == __uuidof(IUnknown) || iid == __uuidof(IBrowser)) {
            *object = static_cast<IBrowser *>(this);
        } else if (IsEqualIID(iid, __uuidof(IHistory))) {
            *object = static_cast<IHistory *>(this);
        } else {
            return E_NOINTERFACE;
        }
        AddRef();
        return S_OK;
    }
    STDMETHODIMP_(ULONG) AddRef() override {
        return static_cast<ULONG>(InterlockedIncrement(&references));
    }
    STDMETHODIMP_(ULONG) Release() override {
        LONG left = InterlockedDecrement(&references);
        if (left == 0) delete this;
        return static_cast<ULONG>(left);
    }

    STDMETHODIMP put_StatusText(BSTR text) override {
        try {
            status = Bstr::bytes(text, SysStringByteLen(text));
            return S_OK;
        } catch (const std::bad_alloc &) {
            return E_OUTOFMEMORY;
        }
    }
    STDMETHODIMP get_StatusText(BSTR *text) override {
        if (text == nullptr) return E_POINTER;
        *text = nullptr;
        try {
            *text = status.Copy();
            return *text != nullptr ? S_OK : S_FALSE;
        } catch (const std::bad_alloc &) {
            return E_OUTOFMEMORY;
        }
    }
    STDMETHODIMP Rename(BSTR name, BSTR *title) override {
        if (title == nullptr) return E_POINTER;
        if (SysStringLen(name) == 0) return E_INVALIDARG;
        try {
            /* The old title only goes when the new one is there. */
            Bstr whole = Bstr::bytes(*title, SysStringByteLen(*title));
            HRESULT hr = whole.Append(OLESTR(": "), 2);
            if (SUCCEEDED(hr)) hr = whole.Append(name, SysStringLen(name));
            if (SUCCEEDED(hr)) {
                SysFreeString(*title);
                *title = whole.Detach();
            }
            return hr;
        } catch (const std::bad_alloc &) {
            return E_OUTOFMEMORY;
        }
    }
    STDMETHODIMP Stat(BrowserStat *stat, BOOL withName) override {
        if (stat == nullptr) return E_POINTER;
        *stat = BrowserStat{nullptr, nullptr, 0};
        TaskPtr<OLECHAR> name;
        if (withName) {
            LPOLESTR copy = nullptr;
            HRESULT hr = SHStrDupW(OLESTR("Browser"), &copy);
            if (FAILED(hr)) return hr;
            name.reset(copy);
        }
        /* Fails with the name already made: nothing may come out then. */
        if (status == nullptr) return E_UNEXPECTED;
        stat->comment = SysAllocStringByteLen(reinterpret_cast<LPCSTR>(static_cast<BSTR>(status)),
                                              status.ByteLength());
        if (stat->comment == nullptr) return E_OUTOFMEMORY;
        stat->name = name.release();
        stat->visits = places.size();
        return S_OK;
    }

    STDMETHODIMP GetEntries(ULONG limit, ULONG *count, LPOLESTR **entries) override {
        if (entries != nullptr) *entries = nullptr;
        if (count != nullptr) *count = 0;
        if (count == nullptr || entries == nullptr) return E_POINTER;
        LPOLESTR *array =
            static_cast<LPOLESTR *>(CoTaskMemAlloc(places.size() * sizeof(LPOLESTR)));
        if (array == nullptr) return E_OUTOFMEMORY;
        HRESULT hr = S_OK;
        ULONG made = 0;
        for (const Bstr &place : places) {
            hr = made < limit ? SHStrDupW(place, &array[made]) : DISP_E_BADINDEX;
            if (FAILED(hr)) break;
            made += 1;
        }
        if (FAILED(hr)) {
            while (made > 0) CoTaskMemFree(array[--made]);
            CoTaskMemFree(array);
            return hr;
        }
        *count = made;
        *entries = array;
        return S_OK;
    }
    STDMETHODIMP_(ULONG) Visit(LPCOLESTR place) override {
        places.emplace_back(place);
        return static_cast<ULONG>(places.size());
    }

private:
    ~Browser() { InterlockedDecrement(&browsers); }

    LONG references = 1;
    Bstr status;
    std::vector<Bstr> places;
};

static HRESULT browser_create(REFIID iid, void **object) {
    Browser *browser = new (std::nothrow) Browser();
    if (browser == nullptr) {
        *object = nullptr;
        return E_OUTOFMEMORY;
    }
    HRESULT hr = browser->QueryInterface(iid, object);
    browser->Release();
    return hr;
}

/* --------------------------------------------------------------------------------- the caller */

static void interfaces() {
    Ref<IBrowser> browser;
    CHECK(browser_create(IID_PPV_ARGS(&browser)) == S_OK);
    CHECK(browsers == 1);

    Ref<IHistory> history;
    CHECK(browser.As(history) == S_OK);
    CHECK(static_cast<void *>(history.get()) != static_cast<void *>(browser.get()));

    /* One object has one IUnknown, whichever way one asks. */
    Ref<IUnknown> one, two;
    CHECK(history->QueryInterface(IID_PPV_ARGS(&one)) == S_OK);
    CHECK(browser->QueryInterface(IID_IUnknown, reinterpret_cast<void **>(&two)) == S_OK);
    CHECK(one.get() == two.get());

    /* The one-argument form takes the IID from the type. */
    Ref<IBrowser> same;
    CHECK(one->QueryInterface(&same) == S_OK);
    CHECK(same.get() == browser.get());

    Ref<IMalloc> other;
    CHECK(one->QueryInterface(IID_PPV_ARGS(&other)) == E_NOINTERFACE);
    CHECK(other.get() == nullptr);

    Ref<IBrowser> copy = same;
    copy = browser;
    Ref<IBrowser> moved = std::move(copy);
    CHECK(moved.get() == browser.get() && copy.get() == nullptr);
}

static void status_text() {
    Ref<IBrowser> browser;
    CHECK(browser_create(IID_PPV_ARGS(&browser)) == S_OK);

    Bstr text;
    CHECK(browser->get_StatusText(&text) == S_FALSE);
    CHECK(text == nullptr);
    CHECK(browser->get_StatusText(nullptr) == E_POINTER);

    CHECK(browser->put_StatusText(Bstr(OLESTR("Done"))) == S_OK);
    CHECK(browser->get_StatusText(&text) == S_OK);
    CHECK(text == Bstr(OLESTR("Done")) && text.Length() == 4);
    text.Empty();

    /* Odd lengths and zero units, all the way through. */
    CHECK(browser->put_StatusText(Bstr::bytes("Have", 3)) == S_OK);
    CHECK(browser->get_StatusText(&text) == S_OK);
    CHECK(text.ByteLength() == 3 && std::memcmp(text, "Hav\0\0", 5) == 0);
    text.Empty();
    CHECK(browser->put_StatusText(Bstr(OLESTR("a\0b"), 3)) == S_OK);
    CHECK(browser->get_StatusText(&text) == S_OK);
    CHECK(text == Bstr(OLESTR("a\0b"), 3) && text != Bstr(OLESTR("a")));
    text.Empty();

    /* NULL comes back as an empty string. */
    CHECK(browser->put_StatusText(nullptr) == S_OK);
    CHECK(browser->get_StatusText(&text) == S_OK);
    CHECK(text != nullptr && text.ByteLength() == 0);

    Bstr title(OLESTR("Browser"));
    Bstr name(OLESTR("report"));
    CHECK(browser->Rename(name, title.InOut()) == S_OK);
    CHECK(title == Bstr(OLESTR("Browser: report")));
    BSTR before = title;
    CHECK(browser->Rename(nullptr, title.InOut()) == E_INVALIDARG);
    CHECK(static_cast<BSTR>(title) == before && title == Bstr(OLESTR("Browser: report")));
    CHECK(browser->Rename(name, nullptr) == E_POINTER);
}

static void structures_and_arrays() {
    Ref<IBrowser> browser;
    Ref<IHistory> history;
    CHECK(browser_create(IID_PPV_ARGS(&browser)) == S_OK);
    CHECK(browser.As(history) == S_OK);

    {
        OwnedStat stat;
        stat.visits = 77;
        CHECK(browser->Stat(&stat, TRUE) == E_UNEXPECTED);
        CHECK(stat.name == nullptr && stat.comment == nullptr && stat.visits == 0);
        CHECK(browser->Stat(nullptr, TRUE) == E_POINTER);
    }
    CHECK(browser->put_StatusText(Bstr::bytes("odd", 3)) == S_OK);
    CHECK(history->Visit(OLESTR("about:blank")) == 1);
    CHECK(history->Visit(OLESTR("")) == 2);
    CHECK(history->Visit(OLESTR("olemem")) == 3);
    {
        OwnedStat stat;
        CHECK(browser->Stat(&stat, TRUE) == S_OK);
        CHECK(Bstr(stat.name) == Bstr(OLESTR("Browser")));
        CHECK(SysStringByteLen(stat.comment) == 3 && stat.visits == 3);
    }
    {
        OwnedStat stat;
        CHECK(browser->Stat(&stat, FALSE) == S_OK);
        CHECK(stat.name == nullptr && stat.comment != nullptr);
    }

    ULONG count = 9;
    LPOLESTR *entries = reinterpret_cast<LPOLESTR *>(&count);
    CHECK(history->GetEntries(2, &count, &entries) == DISP_E_BADINDEX);
    CHECK(count == 0 && entries == nullptr);
    CHECK(history->GetEntries(2, nullptr, &entries) == E_POINTER);
    CHECK(history->GetEntries(3, &count, &entries) == S_OK);
    CHECK(count == 3 && entries != nullptr);
    CHECK(Bstr(entries[0]) == Bstr(OLESTR("about:blank")));
    CHECK(entries[1][0] == 0);
    CHECK(Bstr(entries[2]) == Bstr(OLESTR("olemem")));
    /* The elements first, then the array. */
    for (ULONG i = 0; i < count; i += 1) CoTaskMemFree(entries[i]);
    CoTaskMemFree(entries);
}

static void owned_strings() {
    Bstr empty;
    Bstr copy_of_empty(empty);
    CHECK(copy_of_empty == nullptr && empty.Length() == 0);
    CHECK(empty == Bstr(OLESTR("")));

    Bstr odd = Bstr::bytes("abcde", 5);
    Bstr copy(odd);
    CHECK(static_cast<BSTR>(copy) != static_cast<BSTR>(odd));
    CHECK(copy.ByteLength() == 5 && copy == odd);
    Bstr moved(std::move(copy));
    CHECK(copy == nullptr && moved == odd);
    copy = moved;
    copy = *std::addressof(copy);
    CHECK(copy == odd);
    moved = std::move(copy);
    CHECK(moved == odd && copy == nullptr);

    /* A joint of odd lengths leaves no gap. */
    Bstr have = Bstr::bytes("Have ", 5);
    CHECK(have.Append(Bstr::bytes("A Cigar", 7)) == S_OK);
    CHECK(have.ByteLength() == 12 && std::memcmp(have, "Have A Cigar\0", 14) == 0);
    CHECK(have.Append(empty) == S_OK && have.ByteLength() == 12);
    CHECK(empty.Append(have) == S_OK && empty == have);

    Bstr grown;
    for (int i = 0; i < 1000; i += 1) CHECK(grown.Append(OLESTR("xy"), 2) == S_OK);
    CHECK(grown.Length() == 2000);
    CHECK(static_cast<BSTR>(grown)[1999] == OLESTR('y') && static_cast<BSTR>(grown)[2000] == 0);
    CHECK(grown.Append(OLESTR(""), 0) == S_OK && grown.Length() == 2000);
    CHECK(grown.Append(nullptr, 0x7FFFFFFF) == E_OUTOFMEMORY && grown.Length() == 2000);

    BSTR raw = grown.Detach();
    CHECK(grown == nullptr);
    Bstr owner(OLESTR("replaced"));
    owner.Attach(raw);
    CHECK(static_cast<BSTR>(owner) == raw);

    CHECK(Bstr(OLESTR("a")) < Bstr(OLESTR("b")) && !(Bstr(OLESTR("b")) < Bstr(OLESTR("a"))));
    CHECK(Bstr(OLESTR("a")) < Bstr(OLESTR("ab")));

    std::vector<Bstr> many;
    for (UINT i = 0; i < 300; i += 1) {
        std::vector<char> bytes(i, static_cast<char>(i));
        many.push_back(Bstr::bytes(bytes.data(), i));
    }
    for (UINT i = 0; i < 300; i += 1) {
        CHECK(many[i].ByteLength() == i);
        const char *last = reinterpret_cast<const char *>(static_cast<BSTR>(many[i])) + i - 1;
        CHECK(i == 0 || *last == static_cast<char>(i));
    }
}

static void task_memory() {
    Ref<IMalloc> allocator;
    CHECK(CoGetMalloc(MEMCTX_TASK, &allocator) == S_OK);
    Ref<IMalloc> again;
    CHECK(allocator->QueryInterface(IID_PPV_ARGS(&again)) == S_OK);
    CHECK(again.get() == allocator.get());

    TaskPtr<ULONG> block(static_cast<ULONG *>(CoTaskMemAlloc(3 * sizeof(ULONG))));
    CHECK(block != nullptr && allocator->GetSize(block.get()) == 12);
    CHECK(allocator->DidAlloc(block.get()) == 1 && allocator->DidAlloc(block.get() + 1) == 0);
    TaskPtr<OLECHAR> text;
    LPOLESTR string = nullptr;
    CHECK(StringFromIID(__uuidof(IBrowser), &string) == S_OK);
    text.reset(string);
    CHECK(Bstr(text.get()) == Bstr(OLESTR("{6F1A3B52-5C1E-4F7E-9D7A-0D6F3C0F2B11}")));
    OLECHAR buffer[39];
    CHECK(StringFromGUID2(IID_IMalloc, buffer, 39) == 39);
    CHECK(Bstr(buffer) == Bstr(OLESTR("{00000002-0000-0000-C000-000000000046}")));
    CHECK(IID_IMalloc != IID_IMallocSpy && __uuidof(IMallocSpy) == IID_IMallocSpy);
    CHECK(IsEqualGUID(__uuidof(IMalloc *), IID_IMalloc));
}

/* Only the shape: a class can fill every slot, and each is where the method table has it. */
class Spy final : public IMallocSpy {
public:
    STDMETHODIMP QueryInterface(REFIID, void **object) override {
        *object = nullptr;
        return at(0, E_NOINTERFACE);
    }
    STDMETHODIMP_(ULONG) AddRef() override { return at(1, 2u); }
    STDMETHODIMP_(ULONG) Release() override { return at(2, 1u); }
    STDMETHODIMP_(SIZE_T) PreAlloc(SIZE_T request) override { return at(3, request + 32); }
    STDMETHODIMP_(void *) PostAlloc(void *actual) override { return at(4, actual); }
    STDMETHODIMP_(void *) PreFree(void *request, BOOL) override { return at(5, request); }
    STDMETHODIMP_(void) PostFree(BOOL) override { called = 6; }
    STDMETHODIMP_(SIZE_T) PreRealloc(void *request, SIZE_T size, void **actual, BOOL) override {
        *actual = request;
        return at(7, size);
    }
    STDMETHODIMP_(void *) PostRealloc(void *actual, BOOL) override { return at(8, actual); }
    STDMETHODIMP_(void *) PreGetSize(void *request, BOOL) override { return at(9, request); }
    STDMETHODIMP_(SIZE_T) PostGetSize(SIZE_T actual, BOOL) override { return at(10, actual); }
    STDMETHODIMP_(void *) PreDidAlloc(void *request, BOOL) override { return at(11, request); }
    STDMETHODIMP_(int) PostDidAlloc(void *, BOOL, int actual) override { return at(12, actual); }
    STDMETHODIMP_(void) PreHeapMinimize() override { called = 13; }
    STDMETHODIMP_(void) PostHeapMinimize() override { called = 14; }

    int called = -1;

private:
    template <typename T> T at(int slot, T result) {
        called = slot;
        return result;
    }
};

/* Calls the method in a slot of the table, as C code does. */
template <typename R, typename... A> static R call(IMallocSpy *object, int slot, A... arguments) {
    using Method = R(STDMETHODCALLTYPE *)(IMallocSpy *, A...);
    Method *table = *reinterpret_cast<Method **>(object);
    return table[slot](object, arguments...);
}

static void spy_shape() {
    Spy spy;
    IMallocSpy *seen = &spy;
    SIZE_T size = 4;
    void *block = &size, *moved = nullptr;
    BOOL spyed = TRUE;
    CHECK(call<ULONG>(seen, 1) == 2 && spy.called == 1);
    CHECK(call<ULONG>(seen, 2) == 1 && spy.called == 2);
    CHECK(call<SIZE_T>(seen, 3, size) == 36 && spy.called == 3);
    CHECK(call<void *>(seen, 4, block) == block && spy.called == 4);
    CHECK(call<void *>(seen, 5, block, spyed) == block && spy.called == 5);
    call<void>(seen, 6, spyed);
    CHECK(spy.called == 6);
    CHECK(call<SIZE_T>(seen, 7, block, size, &moved, spyed) == 4 && spy.called == 7);
    CHECK(moved == block);
    CHECK(call<void *>(seen, 8, block, spyed) == block && spy.called == 8);
    CHECK(call<void *>(seen, 9, block, spyed) == block && spy.called == 9);
    CHECK(call<SIZE_T>(seen, 10, size, spyed) == 4 && spy.called == 10);
    CHECK(call<void *>(seen, 11, block, spyed) == block && spy.called == 11);
    CHECK(call<int>(seen, 12, block, spyed, -1) == -1 && spy.called == 12);
    call<void>(seen, 13);
    CHECK(spy.called == 13);
    call<void>(seen, 14);
    CHECK(spy.called == 14);
}

#ifndef _WIN32
/* Made on one thread, read and freed on others; one object counted by all. */
static void threads() {
    Ref<IBrowser> browser;
    CHECK(browser_create(IID_PPV_ARGS(&browser)) == S_OK);
    std::vector<Bstr> strings;
    for (int i = 0; i < 400; i += 1) strings.emplace_back(OLESTR("shared between threads"));
    unsigned good[4] = {};
    std::vector<std::thread> workers;
    for (unsigned t = 0; t < 4; t += 1) {
        workers.emplace_back([&, t] {
            for (unsigned i = 0; i < 100; i += 1) {
                Ref<IBrowser> mine = browser;
                Bstr taken(std::move(strings[t * 100 + i]));
                BSTR copy = taken.Copy();
                good[t] += SysStringLen(copy) == 22 && mine.get() != nullptr;
                SysFreeString(copy);
            }
        });
    }
    for (std::thread &worker : workers) worker.join();
    for (unsigned t = 0; t < 4; t += 1) CHECK(good[t] == 100);
}
#endif

int main() {
    interfaces();
    status_text();
    structures_and_arrays();
    owned_strings();
    task_memory();
    spy_shape();
#ifndef _WIN32
    threads();
#endif
    CHECK(browsers == 0);
    return checks_finish();
}
