/*
 * The C++17 part of olemem.h: the owner of BSTRs, text in and out, and sessions. With exceptions and
 * without. `session dropped` and `session assert` leave the telling to the session.
 */
#include <windows.h>

#include <oleauto.h>
#include <shlwapi.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "check.h"

using olemem::bstr;
using namespace std::literals;

static_assert(!std::is_copy_constructible_v<bstr> && !std::is_copy_assignable_v<bstr>);
static_assert(std::is_nothrow_move_constructible_v<bstr> && std::is_nothrow_move_assignable_v<bstr>);
static_assert(sizeof(bstr) == sizeof(BSTR));
/* A BSTR is not text to copy by accident, and an owner is none to free by accident. */
static_assert(!std::is_constructible_v<bstr, BSTR> && !std::is_convertible_v<bstr, BSTR>);
static_assert(!std::is_convertible_v<std::string_view, bstr>);
static_assert(!std::is_copy_constructible_v<olemem::session> && !std::is_copy_assignable_v<olemem::session>);
static_assert(std::is_nothrow_move_constructible_v<olemem::session>);
static_assert(std::is_nothrow_move_assignable_v<olemem::session>);
static_assert(std::is_nothrow_swappable_v<olemem::session>);

/* Methods in the ways of COM. */
static HRESULT get_text(BSTR *text) {
    if (!text)
        return E_POINTER;
    *text = bstr(u"Ready").release();
    return *text ? S_OK : E_OUTOFMEMORY;
}
static HRESULT append(BSTR more, BSTR *text) {
    BSTR joined = nullptr;
    const HRESULT code = VarBstrCat(*text, more, &joined);
    if (SUCCEEDED(code)) {
        SysFreeString(*text);
        *text = joined;
    }
    return code;
}

namespace client {
__attribute__((noinline)) BSTR lose_text(std::string_view text) {
    return olemem::alloc_sys_string(text);
}
} // namespace client

static void owner() {
    bstr null;
    CHECK(!null && null.empty() && null.size() == 0 && null.get() == nullptr);
    CHECK(null.view().empty() && null.to_utf8().empty());
    CHECK(!bstr(nullptr) && !null.copy());

    bstr empty(u"");
    CHECK(empty && empty.empty() && empty.byte_size() == 0 && empty.get()[0] == 0);
    CHECK(empty == null && !(empty != null) && !(empty < null));
    CHECK(bstr(std::u16string_view()) && bstr(std::string_view()));

    bstr text(u"status"s);
    CHECK(text && text.size() == 6 && text.byte_size() == 12 && text.get()[6] == 0);
    CHECK(text == u"status" && u"status" == text && text != u"Status" && u"x" != text);
    CHECK(text.view() == u"status"sv && text.to_utf8() == "status");
    CHECK(text == bstr("status") && text != bstr("stat") && bstr("stat") < text && !(text < text));
    CHECK(bstr(OLESTR("wide")) == u"wide");
    CHECK(bstr(u8"\u00E9") == u"\u00E9");

    bstr copy = text.copy();
    CHECK(copy == text && copy.get() != text.get());
    bstr moved = std::move(copy);
    CHECK(moved == u"status" && !copy);
    copy = std::move(moved);
    CHECK(copy == u"status" && !moved);
    bstr &same = copy;
    copy = std::move(same);
    CHECK(copy == u"status");
    swap(copy, null);
    CHECK(null == u"status" && !copy);
    null.swap(copy);

    /* Zero units and odd lengths are a BSTR's right. */
    bstr zeros(u"a\0b"sv);
    CHECK(zeros.size() == 3 && zeros == u"a\0b"sv && zeros.to_utf8() == "a\0b"s);
    bstr odd = bstr::adopt(SysAllocStringByteLen("12345", 5));
    CHECK(odd.size() == 2 && odd.byte_size() == 5);
    bstr odd_too = bstr::copy_of(odd.get());
    CHECK(odd_too.byte_size() == 5 && std::memcmp(odd_too.get(), "12345", 5) == 0);
    CHECK(!bstr::copy_of(nullptr));

    bstr result;
    CHECK(get_text(result.put()) == S_OK && result == u"Ready");
    /* Again: what it held is freed, or the session would find a leak. */
    CHECK(get_text(result.put()) == S_OK && result == u"Ready");
    CHECK(append(text.get(), result.inout()) == S_OK && result == u"Readystatus");
    BSTR given = result.release();
    CHECK(!result && SysStringLen(given) == 11);
    result.reset(given);
    CHECK(result.get() == given);
    result.reset();
    CHECK(!result);

    BSTR raw = olemem::alloc_sys_string(u"raw");
    CHECK(SysStringLen(raw) == 3 && olemem::view(raw) == u"raw" && olemem::view(nullptr).empty());
    SysFreeString(raw);

    /* Compared with a BSTR, all of its units count, and NULL is the empty string. */
    BSTR whole = SysAllocStringLen(OLESTR("a\0bc"), 4), none = nullptr;
    const BSTR constant = whole;
    bstr same_units = bstr::copy_of(whole), before(u"a"), nothing_yet;
    CHECK(same_units == whole && whole == same_units && !(same_units != whole) && !(whole != same_units));
    CHECK(same_units == constant && before != whole && whole != before && !(before == whole));
    CHECK(nothing_yet == none && none == nothing_yet && before != none && none != before);
    SysFreeString(whole);
    /* An array of units is text up to its zero. */
    OLECHAR units[] = {'a', 0, 'b', 0};
    CHECK(before == reinterpret_cast<const char16_t *>(units));
}

/* What the library itself makes of the bytes. */
static bool as_the_library(const std::string &utf8) {
    LPWSTR expected = nullptr;
    CHECK(SUCCEEDED(SHStrDupA(utf8.c_str(), &expected)));
    bstr made(utf8);
    const bool same = std::memcmp(made.get(), expected, made.byte_size() + 2) == 0;
    CoTaskMemFree(expected);
    return same;
}

static void text() {
    const std::u16string_view sample = u"z\u00DF\u6C34\U0001F34C";
    bstr made("z\xC3\x9F\xE6\xB0\xB4\xF0\x9F\x8D\x8C");
    CHECK(made == sample && made.to_utf8() == "z\xC3\x9F\xE6\xB0\xB4\xF0\x9F\x8D\x8C");
    for (char32_t c : {U'\x7F', U'\u0080', U'\u07FF', U'\u0800', U'\uD7FF', U'\uE000', U'\uFFFF',
                       U'\U00010000', U'\U0010FFFF'}) {
        std::u16string units;
        if (c < 0x10000) {
            units += static_cast<char16_t>(c);
        } else {
            units += static_cast<char16_t>(0xD7C0 + (c >> 10));
            units += static_cast<char16_t>(0xDC00 + (c & 0x3FF));
        }
        CHECK(bstr(olemem::to_utf8(units)) == units);
    }
    /* A lone surrogate, first, last, and in the wrong order. */
    const char16_t lone[] = {0xDC00, 'a', 0xD800, 'b', 0xDBFF};
    CHECK(olemem::to_utf8({lone, 5}) == "\xEF\xBF\xBD" "a" "\xEF\xBF\xBD" "b" "\xEF\xBF\xBD");
    CHECK(olemem::to_utf8(u"\xDC00\xD800"sv).size() == 6);

    /* Every byte, each edge of what may follow it, and what may follow that. */
    unsigned differ = 0;
    for (unsigned first = 0x7F; first < 0x100; ++first) {
        for (unsigned second : {0x7Fu, 0x80u, 0x8Fu, 0x90u, 0x9Fu, 0xA0u, 0xBFu, 0xC0u, 0xFFu}) {
            for (const char *rest : {"", "\x80", "\xBFx", "\x80\x80", "\x90\xBF\x80", "\xC3"}) {
                const std::string bytes{static_cast<char>(first), static_cast<char>(second)};
                differ += !as_the_library(bytes + rest);
            }
        }
    }
    CHECK(differ == 0);
}

static void sessions() {
    BSTR lost = nullptr;
    {
        olemem::session session;
        CHECK(session.id() != 0);
        owner();
        session.assert_clean();
        CHECK(session.is_clean() && session.count() == 0 && session.counts().live == 0);
    }
    {
        olemem_session_options options = {};
        options.size = sizeof options;
        options.backtrace = OLEMEM_BACKTRACE_OFF;
        olemem::session session(options);
        std::thread other([&] {
            olemem::joined here(session);
            lost = bstr("lost by a thread").release();
        });
        other.join();
        session.end();
        session.end();
        CHECK(!session.is_clean() && session.count("leak") == 1 && session.count() == 1);
        CHECK(session.count("leek") == static_cast<std::size_t>(-1));
        CHECK(session.errors() == 1 && session.warnings() == 0 && session.counts().live == 1);
        CHECK(std::strstr(session.text(), "lost by a thread") != nullptr);
#if defined(__cpp_exceptions)
        std::string story;
        try {
            session.assert_clean();
        } catch (const std::exception &error) {
            story = error.what();
        }
        CHECK(story == session.text());
        static_assert(std::is_base_of_v<std::exception, olemem::violation_error>);
#endif
        SysFreeString(lost);
    }
#if defined(__cpp_exceptions)
    bool refused = false;
    try {
        olemem_session_options options = {};
        olemem::session session(options);
    } catch (const std::runtime_error &) {
        refused = true;
    }
    CHECK(refused);
    /* A length that no BSTR can have, and nobody looks at the units. */
    bool too_long = false;
    try {
        bstr huge(std::u16string_view(u"x", 0x80000000u));
    } catch (const std::bad_alloc &) {
        too_long = true;
    }
    CHECK(too_long);
#else
    CHECK(!bstr(std::u16string_view(u"x", 0x80000000u)));
#endif
}

/* What lives on by intent, and what was never allocated. */
static void globals() {
    static bstr kept;
    static BSTR raw = nullptr;
    {
        olemem::session session;
        kept = bstr(u"a static's");
        raw = olemem::alloc_sys_string(u"a static's");
        CHECK(olemem_ignore(kept.get()) == 1 && olemem_ignore(raw) == 1 && olemem_ignore(nullptr) == 0);
        session.assert_clean();
    }
    CHECK(kept == u"a static's");
    kept.reset();
    SysFreeString(raw);

    static struct {
        std::uint32_t bytes;
        OLECHAR text[8];
    } literal = {14, OLESTR("literal")};
    olemem::session session;
    bstr copy = bstr::copy_of(literal.text);
    CHECK(SysStringLen(literal.text) == 7 && copy == u"literal" && olemem::view(literal.text) == copy.view());
    CHECK(olemem_ignore(literal.text) == 0);
    copy.reset();
    session.assert_clean();
}

/* What has no session has seen nothing, and that is never clean. */
static bool has_none(olemem::session &session) {
    const bool ended = session.id() == 0;
    session.end();
    return ended && session.id() == 0 && !session.is_clean() && session.count() == 0 &&
           session.count("leak") == 0 && session.errors() == 0 && session.warnings() == 0 &&
           session.counts().operations == 0 && *session.text() == 0;
}

static olemem::session begun() {
    return olemem::session();
}

static void moved_sessions() {
    BSTR lost = nullptr;
    {
        /* A session that goes on is watched by whoever has it. */
        olemem::session first = begun();
        const olemem_session number = first.id();
        olemem::session second(std::move(first));
        CHECK(has_none(first) && number != 0 && second.id() == number);
        lost = bstr("lost after a move").release();
        CHECK(second.count("leak") == 1 && std::strstr(second.text(), "lost after a move"));
        /* So is the report of one that is over. */
        olemem::session third(std::move(second));
        CHECK(has_none(second) && third.id() == number && third.count("leak") == 1);
#if defined(__cpp_exceptions)
        bool refused = false;
        try {
            second.assert_clean();
        } catch (const olemem::violation_error &) {
            refused = true;
        }
        CHECK(refused);
#endif
        SysFreeString(lost);
    }
    {
        /* Nobody watches the process, so an input is nothing, and hides no session. */
        olemem::session session = begun();
        {
            olemem::input input;
            lost = bstr("lost in an input").release();
        }
        CHECK(session.count("leak") == 1);
        SysFreeString(lost);
    }
    {
        /* What was there ends; the thread is in the one that was begun last. */
        olemem::session session = begun();
        const olemem_session before = session.id();
        bstr("watched by the first");
        session = begun();
        CHECK(session.id() != before && olemem_session_check(before) == 0);
        lost = bstr("lost in the second").release();
        olemem::session &same = session;
        session = std::move(same);
        CHECK(session.count("leak") == 1);
        SysFreeString(lost);
        /* An object without a session can have one again. */
        olemem::session other(std::move(session));
        session = begun();
        bstr("watched");
        swap(session, other);
        CHECK(session.count("leak") == 1 && other.is_clean());
    }
    /* Sessions in a container, which moves them as it grows. */
    std::vector<olemem::session> sessions;
    for (int i = 0; i < 9; ++i)
        sessions.push_back(begun());
    bstr("watched by the last");
    CHECK(sessions.back().is_clean());
    while (!sessions.empty()) {
        sessions.back().end();
        sessions.pop_back();
    }
}

int main(int argc, char **argv) {
    const std::string_view part = argc > 1 ? argv[1] : "";
    if (part == "dropped") {
        /* Nobody asks: the destructor tells. */
        BSTR lost;
        {
            olemem::session session;
            lost = client::lose_text("dropped");
        }
        SysFreeString(lost);
        return checks_finish();
    }
    if (part == "assert") {
        olemem::session session;
        BSTR lost = client::lose_text("asserted");
        session.end();
        SysFreeString(lost);
        session.assert_clean();
        return checks_finish();
    }
    text();
    sessions();
    moved_sessions();
    globals();
    return checks_finish();
}
