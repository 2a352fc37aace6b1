/* SHStrDupW and SHStrDupA. */
#include "../olemem.h"
