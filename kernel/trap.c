// SPDX-License-Identifier: MIT
/*
 * Owns the IDT and the order in which a trap is offered around: (1) a fault that a test provoked with
 * expect_fault(), (2) an instruction that may fault (kernel/extable.h), paging in first what it touches,
 * (3) the registered handler, (4) kernel/trap_default.c, which mostly panics. Interrupts (vectors >= 32) go to kernel/irq.c.
 * Handlers are registered at start-up and only replaced whole, so no lock. Entered from
 * kernel/trap_entry.asm with interrupts off.
 */
#include "kernel/trap.h"
#include "kernel/cpu.h"
#include "kernel/extable.h"
#include "kernel/gdt.h"
#include "kernel/irq.h"
#include "kernel/percpu.h"
#include "kernel/trap_default.h"
#include "lib/assert.h"

/* What kernel/trap_entry.asm and proc/entry.asm believe. */
_Static_assert(offsetof(struct trap_frame, rax) == 112, "FRAME drawing in trap_entry.asm");
_Static_assert(offsetof(struct trap_frame, vector) == 120, "FRAME_VECTOR in trap_entry.asm");
_Static_assert(offsetof(struct trap_frame, error_code) == 128, "FRAME drawing in trap_entry.asm");
_Static_assert(offsetof(struct trap_frame, rip) == 136, "FRAME_RIP in trap_entry.asm");
_Static_assert(offsetof(struct trap_frame, cs) == 144, "FRAME_CS in trap_entry.asm");
_Static_assert(sizeof(struct trap_frame) == 176, "a multiple of 16 keeps the stack aligned");

#define GATE_INTERRUPT 0x8e00 /* present, DPL 0, clears IF */
#define GATE_USER 0x6000      /* DPL 3: ring 3 may say int N */

struct gate {
    u16 offset_low, selector;
    u16 ist_and_type; /* bits 0-2 IST, 8-11 type, 13-14 DPL, 15 present */
    u16 offset_middle;
    u32 offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "64-bit IDT gate (SDM 3A, figure 6-8)");

extern const vaddr_t trap_stubs[TRAP_VECTORS];
bool recovery_call(void (*fn)(void *arg), void *arg, u64 *saved_rsp);
extern u8 recovery_resume[];
void trap_dispatch(struct trap_frame *frame);

/* An expect_fault() in progress on a CPU. */
struct recovery {
    bool armed;
    u32 irq_depth; /* a fault inside an interrupt that came in between is not the expected one */
    u64 rsp, rflags;
    struct fault_info info;
};

u8 trap_clac_enabled;
static struct gate idt[TRAP_VECTORS] __aligned(4096);
static trap_handler handlers[TRAP_EXCEPTIONS], paging;
static struct recovery recoveries[MAX_CPUS];
static const struct trap_user_ops *user_ops;

static void set_gate(u32 vector, u16 type, u16 ist)
{
    vaddr_t entry = trap_stubs[vector];
    idt[vector] = (struct gate){
        .offset_low = (u16)entry,
        .selector = GDT_KERNEL_CODE,
        .ist_and_type = (u16)(type | ist),
        .offset_middle = (u16)(entry >> 16),
        .offset_high = (u32)(entry >> 32),
    };
}

void trap_init(void)
{
    for (u32 vector = 0; vector < TRAP_VECTORS; vector++)
        set_gate(vector, GATE_INTERRUPT, IST_NONE);
    set_gate(TRAP_BREAKPOINT, GATE_INTERRUPT | GATE_USER, IST_NONE);
    set_gate(TRAP_DOUBLE_FAULT, GATE_INTERRUPT, IST_DOUBLE_FAULT);
    set_gate(TRAP_NMI, GATE_INTERRUPT, IST_NMI);
    set_gate(TRAP_MACHINE_CHECK, GATE_INTERRUPT, IST_MACHINE_CHECK);

    struct {
        u16 limit;
        u64 base;
    } __packed pointer = {sizeof(idt) - 1, (u64)idt};
    __asm__ volatile("lidt %0" ::"m"(pointer));
}

trap_handler trap_register(u32 vector, trap_handler handler)
{
    ASSERT(vector < TRAP_EXCEPTIONS, "vector %u is not an exception (irq_request() serves >= %u)",
           vector, TRAP_EXCEPTIONS);
    return __atomic_exchange_n(&handlers[vector], handler, __ATOMIC_ACQ_REL);
}

/* The frame is what iretq will load: rewriting it is how the abandoned call is left. */
static bool recover_expected(struct trap_frame *frame)
{
    struct recovery *r = &recoveries[cpu_id()];
    if (!r->armed || this_cpu()->irq_depth != r->irq_depth || frame->vector == TRAP_MACHINE_CHECK)
        return false;
    r->armed = false;
    r->info = (struct fault_info){
        .happened = true,
        .vector = frame->vector,
        .error_code = frame->error_code,
        .rip = frame->rip,
        .address = frame->vector == TRAP_PAGE_FAULT ? read_cr2() : 0,
    };
    frame->rip = (vaddr_t)recovery_resume;
    frame->rsp = r->rsp;
    frame->rflags = r->rflags;
    return true;
}

struct fault_info expect_fault(void (*fn)(void *arg), void *arg)
{
    struct recovery *r = &recoveries[cpu_id()];
    ASSERT(!r->armed, "expect_fault(%pS) inside expect_fault()", (void *)fn);
    r->info = (struct fault_info){0};
    r->irq_depth = this_cpu()->irq_depth;
    r->rflags = read_rflags();
    r->armed = true;
    recovery_call(fn, arg, &r->rsp);
    r->armed = false;
    return r->info;
}

void trap_register_paging(trap_handler handler)
{
    paging = handler;
}

static bool fixup_by_table(struct trap_frame *frame)
{
    vaddr_t fixup = extable_find(frame->rip);
    if (!fixup)
        return false;
    if (frame->vector == TRAP_PAGE_FAULT && paging && paging(frame))
        return true;
    frame->rip = fixup;
    return true;
}

/*
 * An NMI only counts itself, unless somebody registered for more. Its handler must not fault: the
 * iretq of the fault would let the next NMI in, on top of this one's stack.
 */
static void nmi_dispatch(struct trap_frame *frame)
{
    struct cpu *cpu = this_cpu();
    cpu->irq_depth++;
    cpu->nmi_count++;
    if (handlers[TRAP_NMI])
        handlers[TRAP_NMI](frame);
    cpu->irq_depth--;
}

static void exception_dispatch(struct trap_frame *frame)
{
    bool user = trap_from_user(frame);
    if (user && user_ops && user_ops->trap(frame))
        return;
    if (!user && (recover_expected(frame) || fixup_by_table(frame)))
        return;
    trap_handler handler = handlers[frame->vector];
    if (handler && handler(frame))
        return;
    trap_default(frame);
}

void trap_dispatch(struct trap_frame *frame)
{
    if (frame->vector == TRAP_NMI) {
        nmi_dispatch(frame);
        return;
    }
    if (frame->vector >= TRAP_EXCEPTIONS)
        irq_dispatch(frame);
    else
        exception_dispatch(frame);
    if (trap_from_user(frame) && user_ops)
        user_ops->leave(frame);
}

const struct trap_user_ops *trap_user_register(const struct trap_user_ops *ops)
{
    const struct trap_user_ops *earlier = user_ops;
    user_ops = ops;
    return earlier;
}
