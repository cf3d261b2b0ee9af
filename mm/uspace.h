// SPDX-License-Identifier: MIT
/*
 * The user half of the address space: one struct uspace per process. Areas (struct vma) stand in a
 * red-black tree by address, augmented with the largest gap below any area of the subtree: the third
 * use of the idea that finds holes for vmalloc (subtree_max_size). Pages arrive on demand.
 *
 *   vma    [start, end) with one set of permissions and one origin (anonymous or a pagestore)
 *   gap    the unmapped bytes between the end of the previous vma and this one's start
 *   store  the pages of a file or of shared anonymous memory (mm/pagestore.h)
 *
 * One CPU runs user code; nothing here may run in an interrupt. Invariants U1.. in mm/uspace_check.
 */
#ifndef MM_USPACE_H
#define MM_USPACE_H

#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/types.h"
#include "mm/pagestore.h"
#include "mm/pgtable.h"

#define USER_START 0x10000UL /* below: never mapped, so that NULL + small stays a fault */
#define USER_END                                                                                   \
    0x00007ffffffff000UL /* the last page stays free: a SYSRET to its end must not happen */

/* Linux's numbers: programs pass them. */
#define PROT_NONE 0u
#define PROT_READ 1u
#define PROT_WRITE 2u
#define PROT_EXEC 4u
#define MAP_SHARED 0x01u
#define MAP_PRIVATE 0x02u
#define MAP_FIXED 0x10u
#define MAP_ANONYMOUS 0x20u
#define MAP_32BIT 0x40u /* lowest gap in the second GiB; everybody else gets the topmost one */
#define MAP_GROWSDOWN 0x100u
#define MAP_NORESERVE 0x4000u
#define MAP_POPULATE 0x8000u
#define MAP_STACK 0x20000u
#define MAP_FIXED_NOREPLACE 0x100000u
#define MAP_NO_HUGE 0x40000000u     /* ours: after MADV_NOHUGEPAGE */
#define MAP_NEVER_WRITE 0x80000000u /* ours: a shared mapping of what was opened for reading only */
#define MREMAP_MAYMOVE 1u
#define MREMAP_FIXED 2u
#define MADV_DONTNEED 4
#define MADV_FREE 8
#define MADV_HUGEPAGE 14
#define MADV_NOHUGEPAGE 15

#define USER_STACK_MAX (8 * MIB)   /* how far a MAP_GROWSDOWN area grows */
#define USER_STACK_GUARD (1 * MIB) /* stays free below one */
/* mmap goes down from here; the first stack lies above, with all the room that it may want */
#define USER_MMAP_TOP (USER_END - USER_STACK_MAX - USER_STACK_GUARD)
#define USER_AREAS_MAX (1u << 18)

struct uspace;

struct vma {
    struct rb_node node;   /* uspace.areas, by start */
    struct list_head link; /* uspace.list, by start */
    struct uspace *space;
    vaddr_t start, end;
    u64 gap, subtree_max_gap; /* bytes free below start / the largest gap in this subtree */
    u32 prot, flags;          /* PROT_*, MAP_* */
    struct pagestore *store;  /* NULL: private anonymous */
    struct store_mapping mapping;
    u64 pgoff;        /* page index in the store of `start` */
    const char *name; /* "[heap]", "[stack]", a path (owned by the store); NULL: none */
};

struct uspace_stats {
    u64 areas, mapped_pages;    /* of all vmas */
    u64 anon_pages, file_pages; /* present now; those inside of 2 MiB pages too */
    u64 huge_pages;             /* of them, 2 MiB each */
    u64 tables;                 /* page-table pages of the user half, root included */
    u64 faults, cow_copies, cow_reuses, zero_page_maps;
};

/* Once, after vmalloc. 0 or -ENOMEM. uspace_fini() is for tests: no space may be left. */
int uspace_init(void);
void uspace_fini(void);
extern bool uspace_huge; /* user.huge=on|off: 2 MiB pages where they fit */

/* A new, empty space that shares the kernel half. NULL: no memory. refcount 1. */
struct uspace *uspace_create(void);
/* Copy-on-write copy. NULL: no memory, then nothing has changed. */
struct uspace *uspace_fork(struct uspace *space);
void uspace_get(struct uspace *space);
/* The last put gives every page, table and area back. NULL is allowed. */
void uspace_put(struct uspace *space);
/* Load its page table on this CPU and make it the current one; NULL: the kernel's alone. */
void uspace_activate(struct uspace *space);
struct uspace *uspace_current(void);

/* As mmap(2) does; returns the address or -errno (EINVAL, ENOMEM, EEXIST, EACCES, EOVERFLOW). Takes its own reference
 * to `store`. No address: topmost gap below the mmap base. size is rounded up to pages. */
s64 uspace_mmap(struct uspace *space, vaddr_t address, u64 size, u32 prot, u32 flags,
                struct pagestore *store, u64 pgoff, const char *name);
int uspace_munmap(struct uspace *space, vaddr_t address, u64 size);
int uspace_mprotect(struct uspace *space, vaddr_t address, u64 size, u32 prot);
s64 uspace_mremap(struct uspace *space, vaddr_t old, u64 old_size, u64 new_size, u32 flags,
                  vaddr_t new_address);
int uspace_madvise(struct uspace *space, vaddr_t address, u64 size, int advice);
/* The loader says where the heap begins; brk(2): the new end, or the old one when it cannot be. */
void uspace_set_brk(struct uspace *space, vaddr_t start);
vaddr_t uspace_brk(struct uspace *space, vaddr_t address);

/* Resolve one access. error: PF_* bits. 0; -EFAULT nothing mapped; -EACCES forbidden; -ENOMEM; -EIO past the end of
 * the store (SIGBUS). */
int uspace_fault(struct uspace *space, vaddr_t address, u64 error);

struct vma *uspace_find(struct uspace *space, vaddr_t address); /* containing it, or NULL */
struct vma *uspace_first(struct uspace *space);
struct vma *uspace_next(struct uspace *space, struct vma *vma);
/* Pages of one area that are present: for smaps. */
struct vma_usage {
    u64 rss, pss, shared_clean, shared_dirty, private_clean, private_dirty, anonymous,
        huge; /* bytes */
};
void uspace_usage(struct uspace *space, const struct vma *vma, struct vma_usage *out);
void uspace_read_stats(const struct uspace *space, struct uspace_stats *out);
const struct pagetable *uspace_pagetable(const struct uspace *space);
/* Every space, oldest first; the visitor must not create or put one, and returns false to stop. */
void uspace_for_each(bool (*visit)(void *ctx, struct uspace *space), void *ctx);
/* NULL, or the first broken invariant as a sentence with its number. */
const char *uspace_check(struct uspace *space);

/* Read another process' memory (for /proc/PID/cmdline, GDB, `pt`): bytes read before the first page not present. */
u64 uspace_peek(struct uspace *space, vaddr_t address, void *out, u64 size);

#endif
