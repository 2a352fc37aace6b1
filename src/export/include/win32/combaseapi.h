/* The newer home of CoTaskMem*, CoGetMalloc and IID_PPV_ARGS. */
#include "../olemem.h"
