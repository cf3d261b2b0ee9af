// SPDX-License-Identifier: MIT
/*
 * Every step that the allocator can report, in one table: name, group (what `trace on GROUP` takes), and
 * the sentence that explains a record of it. The comments in the sources, `trace show`, the file that
 * tools/trace reads (it carries this table) and GDB use the same names and sentences.
 *
 * A record has four numbers a, b, c, d. In a sentence
 *   {a}    decimal                     {a:x}  hexadecimal            {a:z}  bytes, as pages where even
 *   {ab}   the range [a, b)            {ab:z} its size               {a|no|yes}  word number a
 *   {a:o}  a block of order a          {a:y}  a code address, as a symbol
 * Included by mm/event.h and mm/event_text.c. Append at the end of a group; numbers are not stable, the
 * names are.
 */
/* clang-format off */
/* What an operation is: word number a of BEGIN and END, in the order of enum event_call. */
#define EVENT_CALLS                                                                                \
    "{a|vmalloc|vfree|vmap|vunmap|vm_map_ram|vm_unmap_ram|ioremap|iounmap|vrealloc|get_vm_area|"   \
    "free_vm_area|purge|page fault|fork}"

#define EVENT_KINDS(X)                                                                             \
    /* A call of the public API. b: bytes or address, c: alignment or count. */                    \
    X(BEGIN, op, "call " EVENT_CALLS "({b:x}, {c:x})")                                             \
    X(END, op, EVENT_CALLS " returns {b:x}")                                                       \
    /* Search: which free range? */                                                                \
    X(SEARCH, search, "look for {a:z}, aligned to {b:z}, in {cd}")                                 \
    X(VISIT, search, "visit {ab}: {ab:z} long, the largest in its subtree is {c:z}")               \
    X(GO_LEFT, search, "go left: up to {b:z} are free below {a:x}")                                \
    X(PRUNE_LEFT, search, "prune the left of {a:x}, where up to {b:z} are free: "                  \
                          "{c|nothing is there|too small|all of it lies below the window|"         \
                          "too small for any alignment}")                                          \
    X(NO_FIT, search, "{ab} does not fit: {c|too small|too small once aligned or clipped}")        \
    X(GO_RIGHT, search, "go right: up to {b:z} are free above {a:x}")                              \
    X(PRUNE_RIGHT, search, "prune the right of {a:x}, where up to {b:z} are free: "                \
                           "{c|nothing is there|too small|it has been looked at|"                  \
                           "too small for any alignment}")                                         \
    X(CLIMB, search, "climb to {a:x}, whose left side is done")                                    \
    X(STOP, search, "stop at {ab}: all that follow lie above the window")                          \
    X(TAKE, search, "take {c:x} in {ab}")                                                          \
    X(NO_ROOM, search, "no free range fits {a:z}")                                                 \
    X(LOOK, search, "look at {ab}: {ab:z} long")                                                   \
    X(HASH_HIT, search, "hash hit: {ab}")                                                          \
    X(HASH_MISS, search, "hash miss: no unused range will do for {a:z}")                           \
    X(HINT_HIT, search, "the hint is good: begin behind {a:x}")                                    \
    X(DESCEND, search, "no hint helps: {b} nodes down the tree of used ranges, begin at {a:x}")    \
    X(FRONTIER, search, "the frontier moves {b|up|down} to {a:x}")                                 \
    X(POOL_HIT, search, "pool hit: {ab}, ready-made")                                              \
    X(POOL_MISS, search, "pool miss for {a:z}: {b|nothing is there|the first is not aligned}")     \
    /* Carve: what remains of the free range. */                                                   \
    X(CARVE_FL, carve, "FL, full: {cd} is all of {ab}; it leaves the free ranges")                 \
    X(CARVE_LE, carve, "LE, left edge: {cd} from {ab}; the right part remains")                    \
    X(CARVE_RE, carve, "RE, right edge: {cd} from {ab}; the left part remains")                    \
    X(CARVE_NE, carve, "NE, no edge: {cd} out of {ab}; two parts remain")                          \
    X(MERGE_LEFT, carve, "merge: {cd} joins the free {ab} on its left")                            \
    X(MERGE_RIGHT, carve, "merge: {cd} joins the free {ab} on its right")                          \
    X(GAP, carve, "{ab} is nobody's: a new gap between used ranges")                               \
    X(HASH_ADD, carve, "{ab} goes into bucket {c} of the hash")                                    \
    X(HASH_DROP, carve, "{ab} leaves the hash")                                                    \
    X(POOL_ADD, carve, "{ab} is kept ready in the pool of {ab:z}")                                 \
    X(POOL_DROP, carve, "{ab} leaves the pool of {ab:z}")                                          \
    /* The trees. d of LINK and UNLINK: 0 free, 1 busy. */                                         \
    X(LINK, tree, "link {ab} into the {d|free|busy} ranges, next to {c:x}")                        \
    X(UNLINK, tree, "unlink {ab} from the {d|free|busy} ranges")                                   \
    X(ROTATE, tree, "rotate {a:x} down to the {c|left|right}; {b:x} takes its place")              \
    X(RECOLOUR, tree, "{a:x} turns {b|red|black}")                                                 \
    X(REPLACE, tree, "{b:x} takes the place of {a:x}")                                             \
    X(PROPAGATE, tree, "subtree_max_size of {a:x}: {b:z} becomes {c:z}")                           \
    /* Given back, and not yet reusable. */                                                        \
    X(LAZY_QUEUE, lazy, "{ab} waits for its TLB flush")                                            \
    X(LAZY_JOIN, lazy, "{ab} joins the waiting {cd}")                                              \
    X(PURGE, lazy, "purge: {c} ranges, {d} pages, all inside {ab}")                                \
    X(FREE, lazy, "{ab} is free again")                                                            \
    X(FLUSH_RANGE, tlb, "every CPU forgets its translations of {ab}")                              \
    X(FLUSH_ALL, tlb, "every CPU forgets all its translations")                                    \
    /* Page frames. Blocks are named by their first frame. */                                      \
    X(PAGES_TAKE, buddy, "{a} pages from this CPU's list, the first is frame {b:x}")               \
    X(PAGES_GIVE, buddy, "{a} pages to this CPU's list, the last is frame {b:x}")                  \
    X(PCP_REFILL, buddy, "refill this CPU's list: {a} pages from the buddy")                       \
    X(PCP_DRAIN, buddy, "drain this CPU's list: {a} pages to the buddy")                           \
    X(BLOCK_TAKE, buddy, "take {b:o} at frame {a:x} off its list; wanted: order {c}")              \
    X(BLOCK_SPLIT, buddy, "split: the upper half, {b:o} at frame {a:x}, goes to its list")         \
    X(BLOCK_MERGE, buddy, "merge with the buddy, {b:o} at frame {a:x}")                            \
    X(BLOCK_PUT, buddy, "put {b:o} at frame {a:x} on its list")                                    \
    /* Page tables. */                                                                             \
    X(TABLE_NEW, pgtable, "new page table {b:x} below level {c}, for {a:x}")                       \
    X(TABLE_FREE, pgtable, "page table {a:x} is given back")                                       \
    X(PTE_SET, pgtable, "set the level {c} entry of {a:x} to {b:x}")                               \
    X(PTE_CLEAR, pgtable, "clear the level {c} entry of {a:x}, which was {b:x}")                   \
    /* How things stand when a log begins: what a replay starts from. */                           \
    X(STATE_SPACE, state, "the space is {ab}, {d} areas busy, capabilities {c:x}")                 \
    X(STATE_RANGE, state, "{ab} is {c|free|busy|lazy|cached}")                                     \
    X(STATE_NODE, state, "free tree: {ab}, {c|red|black}, subtree_max_size {d:z}")                 \
    X(STATE_BLOCKS, state, "buddy: {b} free blocks of order {a}")                                  \
    X(STATE_PAGES, state, "buddy: {a} pages managed, {b} free, {c} on the lists of the CPUs")      \
    X(STATE_DONE, state, "that was the state at the beginning")
/* clang-format on */
