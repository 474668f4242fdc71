/* Connected parts, dilation and erosion of small pictures. */
#include "core.h"
