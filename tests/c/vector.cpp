/* The same in C++. */
#include "vector.c"
