// SPDX-License-Identifier: MIT
/* See ring3.h. One visit at a time; interrupts are off while it lasts. */
#include "tests/kernel/ring3.h"
#include "kernel/cpu.h"
#include "kernel/gdt.h"
#include "kernel/percpu.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "mm/fault.h"
#include "mm/usercopy.h"

_Static_assert(GDT_USER_CODE == 0x20 && GDT_USER_DATA == 0x18, "USER_CODE, USER_DATA in ring3.asm");

u64 ring3_enter(vaddr_t rip, u64 rdi, u64 rsp);
__noreturn void ring3_leave(u64 result);

/* Each deed at 16 bytes from the last: mov al, [rdi] / mov [rdi], al / jmp rdi; then int3. */
static const u8 deeds[RING3_DEEDS][16] = {
    [RING3_READ] = {0x8a, 0x07, 0xcc},
    [RING3_WRITE] = {0x88, 0x07, 0xcc},
    [RING3_JUMP] = {0xff, 0xe7, 0xcc},
};

static bool visit_pages;
static struct fault_info seen;

struct uspace *ring3_space(void)
{
    struct uspace *space = uspace_create();
    s64 at = space ? uspace_mmap(space, RING3_CODE, PAGE_SIZE, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, NULL)
                   : -1;

    if (at != RING3_CODE) {
        uspace_put(space);
        return NULL;
    }
    uspace_activate(space);
    bool ready = copy_to_user(RING3_CODE, deeds, sizeof(deeds)) == 0 &&
                 uspace_mprotect(space, RING3_CODE, PAGE_SIZE, PROT_READ | PROT_EXEC) == 0;
    uspace_activate(NULL);
    if (ready)
        return space;
    uspace_put(space);
    return NULL;
}

static bool end_of_visit(struct trap_frame *frame)
{
    vaddr_t address = frame->vector == TRAP_PAGE_FAULT ? read_cr2() : 0;

    if (visit_pages && frame->vector == TRAP_PAGE_FAULT &&
        uspace_fault(uspace_current(), address, frame->error_code) == 0)
        return true;
    seen = (struct fault_info){true, frame->vector, frame->error_code, frame->rip, address};
    ring3_leave(0);
}

static void on_the_way_back(struct trap_frame *frame __unused)
{
}

struct fault_info ring3_try(struct uspace *space, enum ring3_deed deed, vaddr_t address,
                            bool paging)
{
    static const struct trap_user_ops visit = {end_of_visit, on_the_way_back};
    struct uspace *before_space = uspace_current();
    vaddr_t before_stack = this_cpu()->entry_stack;
    const struct trap_user_ops *before = trap_user_register(&visit);
    u64 flags = irq_save();

    visit_pages = paging;
    uspace_activate(space);
    ring3_enter(RING3_CODE + deed * sizeof(deeds[0]), address, 0);
    uspace_activate(before_space);
    gdt_set_entry_stack(before_stack ? before_stack : this_cpu()->stack_high);
    trap_user_register(before);
    irq_restore(flags);
    return seen;
}
