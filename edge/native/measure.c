/* What edge/cells/measure.py does: cells drawn and measured. */
#include "core.h"
