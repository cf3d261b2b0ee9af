// SPDX-License-Identifier: MIT
/*
 * See soft_mmu.h. The bit numbers are written out here once more, on purpose: an error in
 * mm/pgtable.h must not be repeated by its oracle. Owns the TLB array; one thread, no lock.
 */
#include "tests/host/harness.h"

#include "mm/layout.h"
#include "mm/port.h"
#include "tests/host/soft_mmu.h"

#define BIT_PRESENT (1UL << 0)
#define BIT_WRITABLE (1UL << 1)
#define BIT_USER (1UL << 2)
#define BIT_ACCESSED (1UL << 5)
#define BIT_DIRTY (1UL << 6)
#define BIT_PAGE_SIZE (1UL << 7)
#define BIT_NO_EXECUTE (1UL << 63)
#define FRAME_BITS 0x000ffffffffff000UL /* physical addresses of 52 bits */
#define LEVELS 4

/* A walk: what it found, and the entries it read, top level first. */
struct walk {
    bool found;
    u32 error; /* why not, as far as the tables say */
    vaddr_t page;
    u64 page_size;
    paddr_t frame;
    bool writable, executable, user;
    paddr_t tables[LEVELS]; /* table pages passed; 0 where the walk ended above */
    u64 *entries[LEVELS];
};

struct tlb_entry {
    u32 cpu;
    paddr_t root;
    struct walk walk;
};
static struct tlb_entry *tlb;
static size_t tlb_count, tlb_room;

/* A table that is not in physical memory cannot be read: the test, or what it tests, is wrong. */
static u64 *table_entry(paddr_t table, unsigned index)
{
    ASSERT(table + PAGE_SIZE <= host_memory_size(), "page table at %#lx, memory ends at %#lx",
           table, host_memory_size());
    return (u64 *)phys_to_virt(table) + index;
}

/* Bits that must be 0: 7 at the top level, and those of a large leaf between its size and bit 12,
 * except bit 12 itself, which is PAT. */
static bool reserved_bits_set(u64 entry, unsigned level, bool leaf)
{
    if (level == 3)
        return entry & BIT_PAGE_SIZE;
    if (level == 0 || !leaf)
        return false;
    return entry & ((1UL << (12 + 9 * level)) - 1) & ~0x1fffUL;
}

static void walk_tables(paddr_t root, vaddr_t address, struct walk *walk)
{
    paddr_t table = root;

    *walk = (struct walk){.writable = true, .executable = true, .user = true};
    for (unsigned level = LEVELS; level-- > 0;) {
        unsigned shift = 12 + 9 * level;
        u64 *slot = table_entry(table, (address >> shift) & 511);
        u64 entry = *slot;
        bool leaf = level == 0 || (level < 3 && (entry & BIT_PAGE_SIZE));

        walk->tables[LEVELS - 1 - level] = table;
        walk->entries[LEVELS - 1 - level] = slot;
        if (!(entry & BIT_PRESENT))
            return;
        if (reserved_bits_set(entry, level, leaf)) {
            walk->error = MMU_ERROR_PRESENT | MMU_ERROR_RESERVED;
            return;
        }
        walk->writable &= (entry & BIT_WRITABLE) != 0;
        walk->user &= (entry & BIT_USER) != 0;
        walk->executable &= !(entry & BIT_NO_EXECUTE);
        table = entry & FRAME_BITS;
        if (leaf) {
            walk->page_size = 1UL << shift;
            walk->page = address & ~(walk->page_size - 1);
            walk->frame = table & ~(walk->page_size - 1);
            walk->found = true;
            return;
        }
    }
}

static bool canonical(vaddr_t address)
{
    return (s64)(address << 16) >> 16 == (s64)address;
}

static u32 access_bits(unsigned access)
{
    return (access & MMU_WRITE ? MMU_ERROR_WRITE : 0) | (access & MMU_USER ? MMU_ERROR_USER : 0) |
           (access & MMU_EXECUTE ? MMU_ERROR_EXECUTE : 0);
}

static bool permitted(const struct walk *walk, unsigned access)
{
    return (!(access & MMU_WRITE) || walk->writable) &&
           (!(access & MMU_EXECUTE) || walk->executable) && (!(access & MMU_USER) || walk->user);
}

static void fill_translation(const struct walk *walk, vaddr_t address, struct mmu_translation *out)
{
    *out = (struct mmu_translation){.physical = walk->frame + (address - walk->page),
                                    .page_size = walk->page_size,
                                    .writable = walk->writable,
                                    .executable = walk->executable,
                                    .user = walk->user};
}

static struct tlb_entry *tlb_lookup(paddr_t root, vaddr_t address)
{
    for (size_t i = 0; i < tlb_count; i++)
        if (tlb[i].cpu == cpu_id() && tlb[i].root == root &&
            address - tlb[i].walk.page < tlb[i].walk.page_size)
            return &tlb[i];
    return NULL;
}

static struct tlb_entry *tlb_fill(paddr_t root, const struct walk *walk)
{
    if (tlb_count == tlb_room) {
        tlb_room = tlb_room ? 2 * tlb_room : 64;
        tlb = realloc(tlb, tlb_room * sizeof(*tlb));
        ASSERT(tlb, "no host memory for %zu TLB entries", tlb_room);
    }
    tlb[tlb_count] = (struct tlb_entry){.cpu = cpu_id(), .root = root, .walk = *walk};
    return &tlb[tlb_count++];
}

static void tlb_drop(struct tlb_entry *entry)
{
    *entry = tlb[--tlb_count];
}

static void set_accessed_and_dirty(const struct walk *walk, unsigned access)
{
    unsigned depth = 0;

    for (; depth < LEVELS && walk->entries[depth]; depth++)
        *walk->entries[depth] |= BIT_ACCESSED;
    if (access & MMU_WRITE)
        *walk->entries[depth - 1] |= BIT_DIRTY;
}

bool mmu_access(paddr_t root, vaddr_t address, unsigned access, struct mmu_translation *out)
{
    struct tlb_entry *entry;
    struct walk walk;

    *out = (struct mmu_translation){.error = access_bits(access)};
    if (!canonical(address)) {
        out->error = MMU_ERROR_NON_CANONICAL;
        return false;
    }
    entry = tlb_lookup(root, address);
    if (entry && !permitted(&entry->walk, access)) {
        tlb_drop(entry); /* a page fault forgets the translation that caused it: SDM 3A, 4.10.4.1 */
        out->error |= MMU_ERROR_PRESENT;
        return false;
    }
    if (!entry) {
        walk_tables(root, address, &walk);
        if (!walk.found || !permitted(&walk, access)) {
            out->error |= walk.found ? MMU_ERROR_PRESENT : walk.error;
            return false;
        }
        set_accessed_and_dirty(&walk, access);
        entry = tlb_fill(root, &walk);
    }
    fill_translation(&entry->walk, address, out);
    return true;
}

bool mmu_walk(paddr_t root, vaddr_t address, struct mmu_translation *out)
{
    struct walk walk;

    *out = (struct mmu_translation){.error = MMU_ERROR_NON_CANONICAL};
    if (!canonical(address))
        return false;
    walk_tables(root, address, &walk);
    out->error = walk.error;
    if (walk.found)
        fill_translation(&walk, address, out);
    return walk.found;
}

void mmu_flush_all(void)
{
    free(tlb);
    tlb = NULL;
    tlb_count = tlb_room = 0;
}

/* Compares last bytes, so that ranges which end at 2^64 (end == 0) work. */
static bool overlaps(const struct tlb_entry *entry, vaddr_t start, vaddr_t end)
{
    return entry->walk.page <= end - 1 && start <= entry->walk.page + entry->walk.page_size - 1;
}

void mmu_flush_range(vaddr_t start, vaddr_t end)
{
    for (size_t i = tlb_count; i-- > 0;)
        if (overlaps(&tlb[i], start, end))
            tlb_drop(&tlb[i]);
}

u64 mmu_cached_range(vaddr_t start, vaddr_t end)
{
    u64 n = 0;

    for (size_t i = 0; i < tlb_count; i++)
        n += overlaps(&tlb[i], start, end);
    return n;
}

u64 mmu_cached_frames(paddr_t start, paddr_t end)
{
    u64 n = 0;

    for (size_t i = 0; i < tlb_count; i++)
        n += tlb[i].walk.frame < end && start < tlb[i].walk.frame + tlb[i].walk.page_size;
    return n;
}

u64 mmu_cached_table(paddr_t table)
{
    u64 n = 0;

    for (size_t i = 0; i < tlb_count; i++)
        for (unsigned depth = 0; depth < LEVELS; depth++)
            n += tlb[i].walk.tables[depth] == table;
    return n;
}

u64 mmu_cached_stale(void)
{
    u64 n = 0;

    for (size_t i = 0; i < tlb_count; i++) {
        const struct walk *cached = &tlb[i].walk;
        struct walk now;

        walk_tables(tlb[i].root, cached->page, &now);
        n += !now.found || now.frame != cached->frame || now.page_size != cached->page_size;
    }
    return n;
}
