/* WCHAR, HRESULT, LCID and the plain types. */
#include "../olemem.h"
