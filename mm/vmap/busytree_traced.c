// SPDX-License-Identifier: MIT
/* busytree and busytree28 with their steps told, for the event log. Read next: mm/vmap/traced.h. */
#include "mm/vmap/traced.h"

#if EVENTS
#include "mm/vmap/busytree.c"
#endif
