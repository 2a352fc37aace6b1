/* Automation's interfaces; of them olemem has none, of their types BSTR and VARIANT_BOOL. */
#include "../olemem.h"
