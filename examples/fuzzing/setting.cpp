/* A function that takes a BSTR and gives one, fuzzed. docs/fuzzing.md has the commands. */
#include <windows.h>
#include <oleauto.h>

/* Yours: the name of a setting, "colour" of "colour=red", which the caller frees; NULL if it has none. */
static HRESULT GetName(BSTR setting, BSTR *name)
{
    const UINT length = SysStringLen(setting);
    UINT sign = 0;
    *name = nullptr;
    while (sign < length && setting[sign] != u'=')
        ++sign;
    if (sign == length)
        return E_INVALIDARG;
    *name = SysAllocStringLen(setting, sign);
    return *name ? S_OK : E_OUTOFMEMORY;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    olemem::input watched; /* from here on, with OLEMEM=check, this input answers for itself */
    auto bytes = reinterpret_cast<const char *>(data);
    auto setting = olemem::bstr::adopt(SysAllocStringByteLen(bytes, static_cast<UINT>(size)));
    BSTR name;
    GetName(setting.get(), &name);
    SysFreeString(name);
    return 0;
}
