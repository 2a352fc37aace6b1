/* BSTR, OLECHAR, VARIANT_BOOL, MEMCTX and the plain types. */
#include "../olemem.h"
