/* Automation's interfaces, of which olemem has none, and its types: of those BSTR, VARIANT_BOOL and SAFEARRAY. */
#include "../olemem.h"
