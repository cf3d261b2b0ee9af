// SPDX-License-Identifier: MIT
/* The variants of freetree with their steps told, for the event log. Read next: mm/vmap/traced.h. */
#include "mm/vmap/traced.h"

#if EVENTS
#include "mm/vmap/freetree_history.c"
#endif
