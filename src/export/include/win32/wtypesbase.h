/* OLECHAR, LPOLESTR, MEMCTX and the plain types. */
#include "../olemem.h"
