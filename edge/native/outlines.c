/* What edge/cells/outline.py does: the best closed outline round each nucleus. */
#include "core.h"
