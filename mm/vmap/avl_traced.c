// SPDX-License-Identifier: MIT
/* The AVL tree's insertion and erasure with their steps told, for the event log. Read next: mm/vmap/traced.h. */
#include "mm/vmap/traced.h"

#if EVENTS
#include "lib/avl.c"
#endif
