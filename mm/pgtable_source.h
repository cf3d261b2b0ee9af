// SPDX-License-Identifier: MIT
/*
 * Where page-table pages come from: the boot allocator until the buddy stands, the buddy afterwards.
 * Apart from mm/pgtable.c, which is a sibling of both and knows neither.
 */
#ifndef MM_PGTABLE_SOURCE_H
#define MM_PGTABLE_SOURCE_H

#include "mm/pgtable.h"

/* ctx = struct memblock *. Tables are never given back: memblock has no free. */
extern const struct pt_ops pt_memblock_ops;

/*
 * ctx = struct buddy *. Pages are tagged PAGE_USE_TABLE and may come from the reserve. A table from
 * the boot allocator that is freed here joins the pages that the buddy manages.
 */
extern const struct pt_ops pt_buddy_ops;

/* The same for programs: they leave the reserve alone. */
extern const struct pt_ops pt_user_ops;

#endif
