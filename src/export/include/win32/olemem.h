/* olemem's own header, for those who have only this folder on their path. */
#include "../olemem.h"
