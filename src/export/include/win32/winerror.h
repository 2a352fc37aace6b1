/* HRESULT and its codes. */
#include "../olemem.h"
