/* What edge/cells/lobes.py asks of stained bodies: cut at necks, joined to lobes. */
#include "core.h"
