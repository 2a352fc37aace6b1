/*
 * Annotated calls from C++: olemem::call, and the macros. The cases are those of crossing.c, and told in the same words;
 * behind them what only C++ has.
 */
#include "crossing.h"

#include <cstring>
#include <stdexcept>
#include <utility>

using olemem::bstr;

static_assert(!std::is_copy_constructible_v<olemem::call>);

namespace {

void kept() {
    bstr name(u"olemem"), title(u"old"), text;
    LPWSTR path = nullptr;
    WCHAR buffer[4];
    BSTR *titles = nullptr;
    ULONG count = 0;
    IUnknown *site = nullptr;

    CHECK(olemem::call("IBrowser::put_Text", &browser).invoke([&](auto &call) {
        return put_text(call.in("text", name));
    }) == S_OK);
    CHECK(olemem::call("IBrowser::put_Text", &browser).invoke([&](olemem::call &call) {
        return put_text(call.in("text", nullptr));
    }) == S_FALSE);
    CHECK(olemem::call("IBrowser::get_Text", &browser).invoke([&](auto &call) {
        return get_text(call.out("text", text));
    }) == S_OK);
    CHECK(text.to_utf8() == "Ready");
    CHECK(olemem::call("IBrowser::get_Text", &browser).invoke([&](auto &call) {
        return get_text_fails(call.out("text", text));
    }) == E_FAIL);
    CHECK(!text);
    CHECK(olemem::call("IBrowser::Rename", &browser).invoke([&](auto &call) {
        return rename_to(call.in("name", name), call.inout("title", title));
    }) == S_OK);
    CHECK(title == name);
    {
        /* Whichever argument a compiler begins with. */
        BSTR both = title.release();
        bstr old;
        old.reset(both);
        CHECK(olemem::call("VarBstrCat").invoke([&](auto &call) {
            return VarBstrCat(call.in("left", both), call.in("right", name), call.out("result", &both));
        }) == S_OK);
        title.reset(both);
        CHECK(title.to_utf8() == "olememolemem");
    }
    CHECK(olemem::call("IBrowser::put_Path", &browser).invoke([&](auto &call) {
        return put_path(call.in_string("path", OLESTR("/")));
    }) == S_OK);
    CHECK(olemem::call("IBrowser::get_Path", &browser).invoke([&](auto &call) {
        return get_path(call.out_string("path", &path));
    }) == S_OK);
    CHECK(olemem::call("IBrowser::put_Path", &browser).invoke([&](auto &call) {
        return put_path(call.in_string("path", path));
    }) == S_OK);
    CoTaskMemFree(path);
    CHECK(olemem::call("IBrowser::get_Name", &browser).invoke([&](auto &call) {
        return get_name(call.buffer("buffer", buffer, 4), 4);
    }) == S_OK);
    CHECK(is_text(buffer, "nnn"));
    CHECK(olemem::call("IBrowser::get_Titles", &browser).invoke([&](auto &call) {
        return get_titles(call.out_array(OLEMEM_BSTR, "titles", &titles, &count), &count);
    }) == S_OK);
    CHECK(count == 2 && is_text(titles[1], "two"));
    CHECK(olemem::call("IBrowser::DropLast", &browser).invoke([&](auto &call) {
        return drop_last(call.array(OLEMEM_BSTR, "titles", titles, 2, count, &count), &count);
    }) == S_OK);
    CHECK(count == 1);
    SysFreeString(titles[0]);
    CoTaskMemFree(titles);
    const bstr own = bstr::adopt(
        olemem::call("IBrowser::own_text", &browser).invoke_returning(OLEMEM_BSTR, own_text));
    CHECK(own.to_utf8() == "own");
    CHECK(olemem::call("IBrowser::get_Site", &browser).invoke([&](auto &call) {
        return get_site(call.out_interface("site", &site));
    }) == S_OK);
    CHECK(site == nullptr);
    CHECK(olemem::call("IBrowser::count_tabs", &browser).invoke([&](auto &call) {
        return count_tabs(call.in("of", name));
    }) == 6u);
    olemem::call("IBrowser::close", &browser).invoke([&](auto &call) {
        close_browser(call.in("text", name.get()));
    });
}

void in_freed() {
    const bstr text(u"Ready");
    const HRESULT hr = olemem::call("IBrowser::put_Text", &browser).invoke([&](auto &call) {
        return put_text_frees(call.in("text", text));
    });
    CHECK(hr == S_OK);
    CHECK(text.to_utf8() == "Ready");
}

void in_written() {
    const bstr text(u"Ready");
    olemem::call("IBrowser::put_Text", &browser).invoke([&](auto &call) {
        return put_text_writes(call.in("text", text));
    });
}

void in_is_no_bstr() {
    static struct {
        UINT bytes;
        OLECHAR units[3];
    } literal = {4, {'h', 'i', 0}};
    OLECHAR array[] = {'h', 'i', 0};
    SysFreeString(text_of("something to record"));
    olemem::call("IBrowser::put_Text", &browser).invoke([&](auto &call) {
        return put_text(call.in("text", array));
    });
    olemem_literal(literal.units);
    olemem::call("IBrowser::put_Text", &browser).invoke([&](auto &call) {
        return put_text(call.in("text", literal.units));
    });
}

void in_kept_and_freed_later() {
    const bstr text(u"Ready"), another(u"another");
    olemem::call("IBrowser::put_Text", &browser).invoke([&](auto &call) {
        return put_text_keeps(call.in("text", text));
    });
    olemem::call("IBrowser::put_Other", &browser).invoke([&](auto &call) {
        put_text_frees(kept_text);
        return put_text(call.in("other", another));
    });
}

void out_not_set() {
    bstr text;
    SysFreeString(text_of("something to record"));
    olemem::call("IBrowser::get_Text", &browser).invoke([&](auto &call) {
        return get_text_forgets(call.out("text", text));
    });
    CHECK(!text);
}

void out_set_on_failure() {
    BSTR text = nullptr;
    CHECK(olemem::call("IBrowser::get_Text", &browser).invoke([&](auto &call) {
        return get_text_fails_full(call.out("text", &text));
    }) == E_FAIL);
}

void out_set_on_failure_waived() {
    bstr text;
    olemem::call("IBrowser::get_Text", &browser)
        .allow(OLEMEM_MAY_FAIL_WITH_OUTS)
        .invoke([&](auto &call) { return get_text_fails_full(call.out("text", text)); });
    CHECK(text.to_utf8() == "half");
}

void out_of_the_other_family() {
    bstr text;
    olemem::call("IBrowser::get_Text", &browser).invoke([&](auto &call) {
        return get_text_of_task(call.out("text", text));
    });
    CHECK(!text);
    CoTaskMemFree(kept_text);
}

void out_owned_at_entry() {
    BSTR text = text_of("lost");
    olemem::call("IBrowser::get_Text", &browser).invoke([&](auto &call) {
        return get_text(call.out("text", &text));
    });
    SysFreeString(text);
}

void out_handed_out_twice() {
    BSTR first = nullptr, second = nullptr;
    kept_text = text_of("Ready");
    for (BSTR *text : {&first, &second})
        olemem::call("IBrowser::get_Text", &browser).invoke([&](auto &call) {
            return get_kept_text(call.out("text", text));
        });
    SysFreeString(first);
}

template <typename Method> void renamed(Method method) {
    const bstr name(u"olemem");
    bstr title = bstr::adopt(text_of("old"));
    olemem::call("IBrowser::Rename", &browser).invoke([&](auto &call) {
        return method(call.in("name", name), call.inout("title", title));
    });
}
void inout_leaked() { renamed(rename_leaks); }
void inout_dangling() { renamed(rename_dangles); }
void inout_changed_on_failure() { renamed(rename_fails_changed); }

void aliased() {
    bstr title(u"both");
    olemem::call("IBrowser::Rename", &browser).invoke([&](auto &call) {
        const BSTR name = call.in("name", title);
        return rename_to(name, call.inout("title", title));
    });
}

void string_of_the_other_family() {
    LPWSTR path = nullptr;
    olemem::call("IBrowser::get_Path", &browser).invoke([&](auto &call) {
        return get_path_as_bstr(call.out_string("path", &path));
    });
    SysFreeString(kept_text);
}

void string_freed() {
    LPWSTR path = nullptr;
    get_path(&path);
    olemem::call("IBrowser::put_Path", &browser).invoke([&](auto &call) {
        return put_path_frees(call.in_string("path", path));
    });
    CHECK(is_text(path, "/"));
    CoTaskMemFree(path);
}

void buffer_overrun() {
    WCHAR buffer[4];
    SysFreeString(text_of("something to record"));
    olemem::call("IBrowser::get_Name", &browser).invoke([&](auto &call) {
        return get_name_too_long(call.buffer("buffer", buffer, 4), 4);
    });
    CHECK(buffer[3] == 'n');
}

void element_of_the_other_family() {
    BSTR *titles = nullptr;
    ULONG count = 0;
    olemem::call("IBrowser::get_Titles", &browser).invoke([&](auto &call) {
        return get_titles_one_of_task(call.out_array(OLEMEM_BSTR, "titles", &titles, &count),
                                      &count);
    });
    SysFreeString(titles[0]);
    CoTaskMemFree(kept_text);
    CoTaskMemFree(titles);
}

void element_left_behind() {
    BSTR titles[2] = {text_of("one"), text_of("two")};
    ULONG count = 2;
    olemem::call("IBrowser::DropLast", &browser).invoke([&](auto &call) {
        return drop_last_leaks(call.array(OLEMEM_BSTR, "titles", titles, 2, 2, &count), &count);
    });
    SysFreeString(titles[0]);
}

void member_not_set() {
    struct {
        BSTR title;
    } page = {nullptr};
    SysFreeString(text_of("something to record"));
    olemem::call("IBrowser::get_Page", &browser).invoke([&](auto &call) {
        return get_text_forgets(
            call.declare_out(OLEMEM_BSTR | OLEMEM_MEMBER, "page.title", &page.title));
    });
}

void returned_not_a_copy() {
    kept_text = text_of("Ready");
    const auto text = [] {
        return olemem::call("IBrowser::text", &browser).invoke_returning(OLEMEM_BSTR, kept_again);
    };
    const BSTR first = text(), second = text();
    CHECK(first == second);
    SysFreeString(first);
}

void interface_set_on_failure() {
    IUnknown *site = nullptr;
    SysFreeString(text_of("something to record"));
    olemem::call("IBrowser::get_Site", &browser).invoke([&](auto &call) {
        return get_site_fails_full(call.out_interface("site", &site));
    });
}

void interfaces_kept() {
    IUnknown *site = new_site(), *other = new_site(), *found = nullptr;
    add(site);
    CHECK(olemem::call("ISited::put_Site", &browser).invoke([&](auto &call) {
        return put_site(call.in_interface("site", site));
    }) == S_OK);
    CHECK(references(site) == 3);
    CHECK(olemem::call("ISited::get_Site", &browser).invoke([&](auto &call) {
        return get_kept_site(call.out_interface("site", &found));
    }) == S_OK);
    CHECK(found == site && references(site) == 4);
    CHECK(olemem::call("ISited::Swap", &browser).invoke([&](auto &call) {
        return swap_sites(call.inout_interface("one", &found),
                          call.inout_interface("other", &other));
    }) == S_OK);
    CHECK(other == site);
    CHECK(olemem::call("ISited::ExchangeSite", &browser).invoke([&](auto &call) {
        return exchange_site_fails_empty(call.inout_interface("site", &other));
    }) == E_FAIL);
    CHECK(other == nullptr && references(site) == 3);
    CHECK(olemem::call("ISited::Close", &browser).invoke(close_site) == S_OK);
    CHECK(release(site) == 1);
    CHECK(release(site) == 0);
    release(found);
}

void in_interface_released() {
    IUnknown *site = new_site();
    olemem::call("ISited::put_Site", &browser).invoke([&](auto &call) {
        return put_site_releases(call.in_interface("site", site));
    });
    CHECK(release(site) == 0);
}

void in_interface_released_later() {
    IUnknown *site = new_site();
    olemem::call("ISited::put_Site", &browser).invoke([&](auto &call) {
        return put_site_keeps(call.in_interface("site", site));
    });
    olemem::call("ISited::Close", &browser).invoke(close_site);
    release(site);
}

void in_interface_leaked() {
    IUnknown *site = new_site();
    olemem::call("ISited::put_Site", &browser).invoke([&](auto &call) {
        return put_site(call.in_interface("site", site));
    });
    CHECK(release(site) == 1);
}

void out_interface_without_a_reference() {
    IUnknown *found = nullptr;
    kept_site = new_site();
    olemem::call("ISited::get_Site", &browser).invoke([&](auto &call) {
        return get_kept_site_as_it_is(call.out_interface("site", &found));
    });
    CHECK(release(found) == 0);
    CHECK(release(kept_site) == 0);
}

void out_interface_leaked() {
    IUnknown *found = nullptr;
    kept_site = new_site();
    olemem::call("ISited::get_Site", &browser).invoke([&](auto &call) {
        return get_kept_site(call.out_interface("site", &found));
    });
    CHECK(release(found) == 1);
}

void inout_interface_leaked() {
    IUnknown *site = new_site(), *const other = new_site();
    kept_site = other;
    olemem::call("ISited::ExchangeSite", &browser).invoke([&](auto &call) {
        return exchange_site_leaks(call.inout_interface("site", &site));
    });
    CHECK(site == other && release(other) == 1 && release(other) == 0);
}

void inout_interface_changed_on_failure() {
    IUnknown *site = new_site(), *const other = new_site();
    kept_site = other;
    olemem::call("ISited::ExchangeSite", &browser).invoke([&](auto &call) {
        return exchange_site_fails_changed(call.inout_interface("site", &site));
    });
    CHECK(site == other && release(other) == 1 && release(other) == 0);
}

void interface_released_too_often() {
    IUnknown *const site = new_site();
    CHECK(release(site) == 0);
    CHECK(release(site) == 0);
}

/* A sink with a method of its own: it counts. */
struct ISink : public IUnknown {
    virtual HRESULT STDMETHODCALLTYPE OnDone() = 0;
};
struct IOther : public IUnknown {
    virtual HRESULT STDMETHODCALLTYPE OnOther() = 0;
};
unsigned calls, destroyed;
} // namespace
OLEMEM_UUID_DECL(ISink, 0x5173, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)
OLEMEM_UUID_DECL(IOther, 0x5173, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3)
namespace {
class Sink final : public olemem::counted<ISink, IOther> {
  public:
    ~Sink() override { ++destroyed; }
    HRESULT STDMETHODCALLTYPE OnDone() override {
        if (!is_there())
            return E_UNEXPECTED;
        ++calls;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE OnOther() override { return S_FALSE; }
};

void interface_called_when_gone() {
    ISink *const sink = new Sink;
    IOther *other = nullptr;
    IUnknown *unknown = nullptr, *same = nullptr;
    void *nothing = &calls;
    CHECK(sink->QueryInterface(&other) == S_OK && other->OnOther() == S_FALSE);
    CHECK(other->QueryInterface(&unknown) == S_OK && sink->QueryInterface(&same) == S_OK);
    CHECK(unknown == same && sink->Release() == 3);
    sink->AddRef();
    CHECK(unknown->Release() == 3);
    CHECK(same->Release() == 2);
    CHECK(other->Release() == 1);
    CHECK(sink->QueryInterface(IID_IMalloc, &nothing) == E_NOINTERFACE && !nothing);
    CHECK(sink->QueryInterface(IID_IMalloc, nullptr) == E_POINTER);
    CHECK(sink->OnDone() == S_OK);
    CHECK(sink->Release() == 0);
    CHECK(destroyed == 1);
    CHECK(sink->OnDone() == E_UNEXPECTED);
}

void nothing() {
    const bstr text(u"Ready");
    /* An object like any other. */
    ISink *const sink = new Sink;
    CHECK(sink->OnDone() == S_OK && sink->Release() == 0);
    CHECK(calls == 1 && destroyed == 1);
    CHECK(olemem::call("IBrowser::put_Text", &browser).invoke([&](auto &call) {
        return put_text(call.in("text", text));
    }) == S_OK);
    CHECK(OLEMEM_CALL("IBrowser::put_Text", &browser,
                      put_text(OLEMEM_IN_BSTR("text", text.get()))) == S_OK);
}

/* The macros are the same in C++. */
void macros() {
    const bstr name(u"olemem");
    BSTR title = text_of("old"), text = nullptr, own;
    WCHAR buffer[4];
    LPWSTR path = nullptr;
    CHECK(OLEMEM_CALL("IBrowser::Rename", &browser,
                      rename_leaks(OLEMEM_IN_BSTR("name", name.get()),
                                   OLEMEM_INOUT_BSTR("title", &title))) == S_OK);
    SysFreeString(title);
    CHECK(OLEMEM_CALL("IBrowser::get_Text", &browser, OLEMEM_ALLOW(OLEMEM_CALLS_BACK),
                      get_text(OLEMEM_OUT_BSTR("text", &text))) == S_OK);
    SysFreeString(text);
    CHECK(OLEMEM_CALL("IBrowser::get_Name", &browser,
                      get_name(OLEMEM_BUFFER("buffer", buffer, sizeof buffer), 4)) == S_OK);
    CHECK(OLEMEM_CALL("IBrowser::get_Path", &browser,
                      get_path(OLEMEM_OUT_STRING("path", &path))) == S_OK);
    CHECK(OLEMEM_CALL("IBrowser::put_Path", &browser,
                      put_path(OLEMEM_IN_STRING("path", path))) == S_OK);
    CoTaskMemFree(path);
    own = OLEMEM_CALL_RETURNING(OLEMEM_BSTR, "IBrowser::own_text", &browser, own_text());
    SysFreeString(own);
    CHECK(OLEMEM_CALL_(ULONG, "IBrowser::count_tabs", &browser,
                       count_tabs(OLEMEM_IN_BSTR("of", name.get()))) == 6u);
    OLEMEM_CALL_VOID("IBrowser::close", &browser,
                     close_browser(OLEMEM_IN_BSTR("text", name.get())));
}

#if defined(__cpp_exceptions)
HRESULT frees_and_throws(BSTR text) {
    SysFreeString(text);
    throw std::runtime_error("of the callee");
}

/* A callee that throws is judged as one that failed. */
void thrown() {
    const bstr text(u"Ready");
    unsigned caught = 0;
    try {
        olemem::call("IBrowser::put_Text", &browser).invoke([&](auto &call) {
            return frees_and_throws(call.in("text", text));
        });
    } catch (const std::runtime_error &) {
        ++caught;
    }
    try {
        OLEMEM_CALL("IBrowser::put_Title", &browser,
                    frees_and_throws(OLEMEM_IN_BSTR("title", text.get())));
    } catch (const std::runtime_error &) {
        ++caught;
    }
    CHECK(caught == 2);
    CHECK(text.to_utf8() == "Ready");
}
#endif

/* A counting object of C++ as a parameter, by either of its interfaces. */
void counted() {
    Sink *const sink = new Sink;
    IOther *found = nullptr;
    CHECK(sink->QueryInterface(&found) == S_OK && found == sink && sink->Release() == 1);
    olemem::call("ISited::put_Site", &browser).invoke([&](auto &call) {
        return put_site(call.in_interface("site", static_cast<ISink *>(sink)));
    });
    CHECK(sink->references() == 2);
    olemem::call("ISited::Close", &browser).invoke(close_site);
    olemem::call("ISited::ExchangeSite", &browser).invoke([&](auto &call) {
        (*call.inout_interface("site", &found))->Release();
        return S_OK;
    });
    CHECK(sink->references() == 1);
    CHECK(sink->Release() == 0);
}

/* Temporaries live until the verdict, and are the caller's to free. */
void temporaries() {
    CHECK(olemem::call("IBrowser::put_Text", &browser).invoke([&](auto &call) {
        return put_text(call.in("text", bstr(u"Ready")));
    }) == S_OK);
    CHECK(OLEMEM_CALL("IBrowser::put_Text", &browser,
                      put_text(OLEMEM_IN_BSTR("text", bstr(u"Ready").get()))) == S_OK);
    CHECK(OLEMEM_CALL_(ULONG, "IBrowser::count_tabs", &browser,
                       count_tabs(OLEMEM_IN_BSTR("of", bstr(u"Ready").get()))) == 5u);
    OLEMEM_CALL_VOID("IBrowser::close", &browser,
                     close_browser(OLEMEM_IN_BSTR("text", bstr(u"Ready").get())));
    SysFreeString(OLEMEM_CALL_RETURNING(
        OLEMEM_BSTR, "IBrowser::copy", &browser,
        SysAllocString(OLEMEM_IN_BSTR("of", bstr(u"Ready").get()))));
}

void temporary_freed() {
    olemem::call("IBrowser::put_Text", &browser).invoke([&](auto &call) {
        put_text(call.in("text", bstr(u"another")));
        return put_text_frees(call.in("text", bstr(u"Ready")));
    });
}

#if defined(__cpp_exceptions)
class Thrown final : public olemem::counted<ISink> {
  public:
    explicit Thrown(bool throws) {
        if (throws)
            throw std::runtime_error("of the constructor");
    }
    HRESULT STDMETHODCALLTYPE OnDone() override { return S_OK; }
};

/* What was never made is nobody's. */
void never_made() {
    unsigned caught = 0;
    try {
        (new Thrown(true))->Release();
    } catch (const std::runtime_error &) {
        ++caught;
    }
    CHECK(caught == 1);
    CHECK((new Thrown(false))->Release() == 0);
}
#endif

} // namespace

int main(int count, char **arguments) {
    nothing();
    if (count > 1 && std::strcmp(arguments[1], "kept") == 0) {
        kept();
        return checks_finish();
    }
#define CASE(name) JUDGED(name);
    ALL_CASES(CASE)
    CHECK(calls == 2 && destroyed == 2);
    JUDGED(macros);
    JUDGED(counted);
    JUDGED(temporaries);
    JUDGED(temporary_freed);
#if defined(__cpp_exceptions)
    JUDGED(thrown);
    JUDGED(never_made);
#endif
    return checks_finish();
}
