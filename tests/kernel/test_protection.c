// SPDX-License-Identifier: MIT
/*
 * The truth table of page protection: every combination of present, writable, user and no-execute in the
 * entry of a page; read, write and execute; from ring 0 and ring 3; with CR0.WP, CR4.SMEP and CR4.SMAP on and
 * off: 768 cases, each really tried, against a rule written down from the manual (SDM 3A, 4.6 and 4.7) and not
 * from mm/. What a CPU does not have is said and left out.
 */
#include "kernel/cpu.h"
#include "kernel/ktest.h"
#include "mm/uspace_internal.h"
#include "tests/kernel/ring3.h"

#define TARGET 0x40000000UL
#define INT3 0xcc /* what ring 3 finds at the target */
#define RET 0xc3  /* what ring 0 finds there */
#define FLAG_SETS 16
#define MODES 8

struct mode {
    bool wp, smep, smap;
};

/* One case, and what the processor is to say: is there a fault, and with which error code? */
struct attempt {
    pte_t flags; /* of P, W, U, NX */
    enum ring3_deed deed;
    bool ring3;
    struct mode mode;
};

static bool rule_faults(const struct attempt *a)
{
    bool user_page = a->flags & PTE_U, writable = a->flags & PTE_W, data = a->flags & PTE_NX;

    if (!(a->flags & PTE_P))
        return true;
    if (a->deed == RING3_JUMP)
        return data || (a->ring3 ? !user_page : user_page && a->mode.smep);
    if (a->ring3)
        return !user_page || (a->deed == RING3_WRITE && !writable);
    if (user_page && a->mode.smap) /* AC is clear */
        return true;
    return a->deed == RING3_WRITE && !writable && a->mode.wp;
}

static u64 rule_code(const struct attempt *a)
{
    return (a->flags & PTE_P ? PF_PRESENT : 0) | (a->deed == RING3_WRITE ? PF_WRITE : 0) |
           (a->ring3 ? PF_USER : 0) | (a->deed == RING3_JUMP ? PF_FETCH : 0);
}

static void set_mode(struct mode mode)
{
    u64 cr0 = read_cr0() & ~CR0_WP, cr4 = read_cr4() & ~(CR4_SMEP | CR4_SMAP);

    write_cr0(cr0 | (mode.wp ? CR0_WP : 0));
    write_cr4(cr4 | (mode.smep ? CR4_SMEP : 0) | (mode.smap ? CR4_SMAP : 0));
}

static void ring0_deed(void *arg)
{
    const struct attempt *a = arg;

    if (a->deed == RING3_READ)
        (void)*(volatile u8 *)TARGET;
    else if (a->deed == RING3_WRITE)
        *(volatile u8 *)TARGET = RET;
    else
        ((void (*)(void))TARGET)();
}

static struct fault_info try_one(struct uspace *space, pte_t *entry, struct attempt *a, void *page)
{
    struct fault_info seen;
    u64 cr0 = read_cr0(), cr4 = read_cr4(), flags = irq_save();

    *(u8 *)page = a->ring3 ? INT3 : RET;
    pte_store(entry, virt_to_phys(page) | a->flags | PTE_A | PTE_D);
    uspace_activate(space);
    port_tlb_flush_range(TARGET, TARGET + PAGE_SIZE);
    set_mode(a->mode);
    seen = a->ring3 ? ring3_try(space, a->deed, TARGET, false) : expect_fault(ring0_deed, a);
    write_cr0(cr0);
    write_cr4(cr4);
    uspace_activate(NULL);
    pte_store(entry, 0);
    irq_restore(flags);
    return seen;
}

static const char *judge(const struct attempt *a, struct fault_info seen)
{
    bool fault = seen.happened && seen.vector == TRAP_PAGE_FAULT, expected = rule_faults(a);
    static const char *const deeds[] = {"read", "write", "jump"};

    KEXPECT(fault || !seen.happened || (a->ring3 && seen.vector == TRAP_BREAKPOINT), "vector %lu",
            seen.vector);
    KEXPECT(fault == expected, "ring %d %s, flags %#lx, WP %d SMEP %d SMAP %d: %s",
            a->ring3 ? 3 : 0, deeds[a->deed], a->flags, a->mode.wp, a->mode.smep, a->mode.smap,
            fault ? "forbidden" : "allowed");
    KEXPECT(!fault || (seen.error_code == rule_code(a) && seen.address == TARGET),
            "ring %d %s, flags %#lx: error code %#lx at %#lx, expected %#lx", a->ring3 ? 3 : 0,
            deeds[a->deed], a->flags, seen.error_code, seen.address, rule_code(a));
    return NULL;
}

static pte_t nth_flags(unsigned n)
{
    return (n & 1 ? PTE_P : 0) | (n & 2 ? PTE_W : 0) | (n & 4 ? PTE_U : 0) | (n & 8 ? PTE_NX : 0);
}

/* All accesses to all flag sets in one mode; *done counts. */
static const char *try_mode(struct uspace *space, pte_t *entry, void *page, struct mode mode,
                            u64 *done)
{
    for (unsigned n = 0; n < FLAG_SETS * RING3_DEEDS * 2; n++) {
        struct attempt a = {nth_flags(n % FLAG_SETS),
                            (enum ring3_deed)(n / FLAG_SETS % RING3_DEEDS),
                            n / FLAG_SETS / RING3_DEEDS, mode};
        const char *wrong = judge(&a, try_one(space, entry, &a, page));
        if (wrong)
            return wrong;
        ++*done;
    }
    return NULL;
}

KTEST(protection, truth_table_of_768_cases)
{
    struct uspace *space = ring3_space();
    void *page = get_free_page(GFP_KERNEL);
    pte_t *entry = space ? user_entry_create(space, TARGET, 0) : NULL;
    const char *wrong = NULL;
    u64 done = 0;

    KEXPECT(page && entry, "no memory");
    for (unsigned n = 0; n < MODES && !wrong; n++) {
        struct mode mode = {n & 1, n & 2, n & 4};
        if ((mode.smep && !cpu_features.smep) || (mode.smap && !cpu_features.smap))
            continue;
        wrong = try_mode(space, entry, page, mode, &done);
    }
    free_page(page);
    uspace_put(space);
    if (wrong)
        return wrong;
    if (done < FLAG_SETS * RING3_DEEDS * 2 * MODES)
        return ktest_skip("%lu of 768 cases agree; this CPU has no %s", done,
                          cpu_features.smep   ? "SMAP"
                          : cpu_features.smap ? "SMEP"
                                              : "SMEP, no SMAP");
    ktest_note("%lu cases, each as the rule says", done);
    return NULL;
}
