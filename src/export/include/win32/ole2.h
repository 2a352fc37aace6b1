/* OLE's umbrella header: what olemem has of it. */
#include "../olemem.h"
