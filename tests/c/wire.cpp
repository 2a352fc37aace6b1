/* The same in C++. */
#include "wire.c"
