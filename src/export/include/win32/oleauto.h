/* Automation: BSTR and the Sys* and VarBstr* functions. */
#include "../olemem.h"
