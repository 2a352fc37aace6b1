/* GUID, DEFINE_GUID, IsEqualGUID. */
#include "../olemem.h"
