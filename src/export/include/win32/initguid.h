/* DEFINE_GUID defines from here on, whatever was included before. */
#ifndef INITGUID
#define INITGUID
#endif
#include "../olemem.h"
