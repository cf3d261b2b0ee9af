// SPDX-License-Identifier: MIT
/* The avlhash designs with their steps told, for the event log. Read next: mm/vmap/traced.h. */
#include "mm/vmap/traced.h"

#if EVENTS
#include "mm/vmap/avlhash.c"
#include "mm/vmap/avlhash_designs.c"
#endif
