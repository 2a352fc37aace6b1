/* SIZE_T, the types as wide as a pointer and those of fixed width. */
#include "../olemem.h"
