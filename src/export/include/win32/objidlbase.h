/* The newer home of IMalloc. */
#include "../olemem.h"
