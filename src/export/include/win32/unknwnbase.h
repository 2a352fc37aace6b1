/* The newer home of IUnknown. */
#include "../olemem.h"
