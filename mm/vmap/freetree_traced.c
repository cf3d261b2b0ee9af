// SPDX-License-Identifier: MIT
/* freetree with its steps told, for the event log. Read next: mm/vmap/traced.h. */
#include "mm/vmap/traced.h"

#if EVENTS
#include "mm/vmap/freetree.c"
#endif
