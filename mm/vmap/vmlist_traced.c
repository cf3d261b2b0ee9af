// SPDX-License-Identifier: MIT
/* vmlist with its steps told, for the event log. Read next: mm/vmap/traced.h. */
#include "mm/vmap/traced.h"

#if EVENTS
#include "mm/vmap/vmlist.c"
#endif
