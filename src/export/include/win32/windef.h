/* The plain types. */
#include "../olemem.h"
