/*
 * mingw-w64's `_bstr_t` over olemem's headers: its source up to the class on VARIANT, as the test cuts it out, and
 * the three functions that Windows has in a library. Built with -fshort-wchar, since its strings are wchar_t's.
 */
#include <windows.h>

#include <oleauto.h>

#include <cstring>
#include <new>
#include <string>
#include <string_view>

#define __LONG32 int
#include "bstr_t.h"

#include "check.h"

void _com_issue_error(HRESULT code) {
    if (code == E_OUTOFMEMORY)
        throw std::bad_alloc();
    std::abort();
}

BSTR _com_util::ConvertStringToBSTR(const char *text) {
    return text ? olemem::alloc_sys_string(std::string_view(text)) : nullptr;
}

char *_com_util::ConvertBSTRToString(BSTR text) {
    if (!text)
        return nullptr;
    const std::string utf8 = olemem::to_utf8(olemem::view(text));
    char *copy = new char[utf8.size() + 1];
    std::memcpy(copy, utf8.c_str(), utf8.size() + 1);
    return copy;
}

static HRESULT get_text(BSTR *text) {
    *text = SysAllocString(L"Ready");
    return S_OK;
}

static bool is(const _bstr_t &text, const char *expected) {
    return std::strcmp(static_cast<const char *>(text), expected) == 0;
}

static void strings() {
    _bstr_t null;
    CHECK(!null && null.length() == 0 && static_cast<const wchar_t *>(null) == nullptr);
    _bstr_t wide(L"status"), narrow("st\xC3\xA4tus");
    CHECK(wide.length() == 6 && narrow.length() == 6 && is(wide, "status"));
    CHECK(is(narrow, "st\xC3\xA4tus") && static_cast<const wchar_t *>(narrow)[2] == L'\u00E4');

    /* Copies share, and the last one frees. */
    _bstr_t shared(wide);
    CHECK(static_cast<const wchar_t *>(shared) == static_cast<const wchar_t *>(wide));
    shared += L"!";
    CHECK(is(shared, "status!") && is(wide, "status") && is(wide + narrow, "statusst\xC3\xA4tus"));
    CHECK(is("a " + wide, "a status") && is(L"a " + wide, "a status"));
    CHECK(wide == _bstr_t("status") && wide != shared && wide < shared && shared > wide && null < wide);

    /* As an [out] parameter, taken over, given away. */
    _bstr_t result("old");
    CHECK(get_text(result.GetAddress()) == S_OK && is(result, "Ready"));
    BSTR given = result.Detach();
    CHECK(SysStringLen(given) == 5 && !result);
    result.Attach(given);
    result.Assign(wide.GetBSTR());
    CHECK(is(result, "status") && result.GetBSTR() != wide.GetBSTR());
    BSTR copied = result.copy();
    CHECK(copied != result.GetBSTR() && _bstr_t(copied, false).length() == 6);
    const _bstr_t odd(SysAllocStringByteLen("12345", 5), false);
    CHECK(SysStringByteLen(odd.copy(false)) == 5 && _bstr_t(odd.copy(false), true).length() == 2);
    result = L"assigned";
    result = "again";
    CHECK(is(result, "again"));
}

int main() {
    olemem::session clean;
    strings();
    clean.assert_clean();

    /* What is given away has to be freed. */
    olemem::session leaky;
    BSTR given = _bstr_t("given away").copy();
    CHECK(leaky.count("leak") == 1 && leaky.count() == 1);
    SysFreeString(given);
    return checks_finish();
}
