/* IMalloc and IMallocSpy. */
#include "../olemem.h"
