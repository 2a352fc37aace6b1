/* InterlockedIncrement and InterlockedDecrement. */
#include "../olemem.h"
