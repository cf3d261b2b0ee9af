// SPDX-License-Identifier: MIT
/* freelist with its steps told, for the event log. Read next: mm/vmap/traced.h. */
#include "mm/vmap/traced.h"

#if EVENTS
#include "mm/vmap/freelist.c"
#endif
