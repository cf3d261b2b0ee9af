// SPDX-License-Identifier: MIT
/*
 * Which addresses are stacks: the fixed ones (boot/entry64.asm, kernel/stacks.asm) and the
 * later ones. Writers take `ranges_lock`; readers take none, because they run inside panics: an entry is published
 * by writing `low` last and withdrawn by clearing it first. Read next: kernel/backtrace.c.
 */
#include "kernel/stacks.h"
#include "kernel/lock.h"
#include "kernel/trap.h"
#include "lib/assert.h"
#include "lib/errno.h"

#define MAX_RANGES 128

#define DECLARE_STACK(name) extern u8 name##_guard[], name##_bottom[], name##_top[]
DECLARE_STACK(boot_stack);
DECLARE_STACK(ist_df_stack);
DECLARE_STACK(ist_nmi_stack);
DECLARE_STACK(ist_mc_stack);
extern u8 stacks_end_guard[], stacks_end[];

#define STACK_ENTRY(label, stack)                                                                  \
    {                                                                                              \
        label, (vaddr_t)stack##_guard, (vaddr_t)stack##_bottom, (vaddr_t)stack##_top               \
    }

const struct stack_area kernel_stacks[] = {
    [STACK_BOOT] = STACK_ENTRY("boot", boot_stack),
    [STACK_IST_DF] = STACK_ENTRY("double-fault", ist_df_stack),
    [STACK_IST_NMI] = STACK_ENTRY("NMI", ist_nmi_stack),
    [STACK_IST_MC] = STACK_ENTRY("machine-check", ist_mc_stack),
    {"(above the last stack)", (vaddr_t)stacks_end_guard, (vaddr_t)stacks_end, (vaddr_t)stacks_end},
};
const u32 kernel_stack_count = ARRAY_SIZE(kernel_stacks);

static struct stack_area ranges[MAX_RANGES];
static struct spinlock ranges_lock = SPINLOCK_INIT("stack ranges");

int stack_range_register(const char *name, vaddr_t guard, vaddr_t low, vaddr_t high)
{
    if (!(guard <= low && low < high))
        return -EINVAL;
    int error = -ENOSPC;
    u64 flags = spin_lock_irqsave(&ranges_lock);
    for (u32 i = 0; i < MAX_RANGES && error; i++) {
        if (ranges[i].low)
            continue;
        ranges[i].name = name;
        ranges[i].guard = guard;
        ranges[i].high = high;
        __atomic_store_n(&ranges[i].low, low, __ATOMIC_RELEASE);
        error = 0;
    }
    spin_unlock_irqrestore(&ranges_lock, flags);
    return error;
}

void stack_range_unregister(vaddr_t low)
{
    ASSERT(low != 0, "stack_range_unregister(%#lx)", low);
    u64 flags = spin_lock_irqsave(&ranges_lock);
    for (u32 i = 0; i < MAX_RANGES; i++)
        if (ranges[i].low == low)
            __atomic_store_n(&ranges[i].low, 0, __ATOMIC_RELEASE);
    spin_unlock_irqrestore(&ranges_lock, flags);
}

static bool (*finder)(vaddr_t address, struct stack_info *out);

void stack_finder_register(bool (*find)(vaddr_t address, struct stack_info *out))
{
    finder = find;
}

static bool area_matches(const struct stack_area *area, vaddr_t address, struct stack_info *out)
{
    vaddr_t low = __atomic_load_n(&area->low, __ATOMIC_ACQUIRE);
    if (low == 0 || address < area->guard || address >= area->high)
        return false;
    *out = (struct stack_info){
        .name = area->name, .low = low, .high = area->high, .is_guard = address < low};
    return true;
}

bool stack_find(vaddr_t address, struct stack_info *out)
{
    for (u32 i = 0; i < kernel_stack_count; i++)
        if (area_matches(&kernel_stacks[i], address, out))
            return true;
    for (u32 i = 0; i < MAX_RANGES; i++)
        if (area_matches(&ranges[i], address, out))
            return true;
    return finder && finder(address, out);
}
