/* What edge/cells/stain.py does, as far as it goes by pixels. */
#include "core.h"
