/* COM's base: CoTaskMem*, CoGetMalloc, StringFromCLSID and kin. */
#include "../olemem.h"
