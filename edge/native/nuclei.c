/* What edge/cells/nuclei.py does: bodies of stain as far as their edges. */
#include "core.h"
