/* IUnknown. */
#include "../olemem.h"
