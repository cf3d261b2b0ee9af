// SPDX-License-Identifier: MIT
/*
 * From the kernel into a handler and back. What lies on the program's stack is the frame that every C
 * library for x86-64 Linux knows, lowest address first:
 *
 *   return address   the restorer, which calls rt_sigreturn()
 *   ucontext         registers, signal stack, mask
 *   siginfo          128 bytes
 *   FPU state        aligned to 64, as XSAVE wants it
 *
 * Nothing in it is trusted on the way back: the program may have written it.
 */
#include "kernel/cpu.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "proc/fpu.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

#define RED_ZONE 128
#define SS_ONSTACK 1
#define SS_DISABLE 2
#define UC_FP_XSTATE 1
#define USER_CODE (0x20 | 3)
#define USER_DATA (0x18 | 3)
/* CF PF AF ZF SF TF DF OF RF AC: what a program may set in its flags. */
#define FLAGS_OF_PROGRAM 0x50dd5UL
#define TRAP_FLAG 0x100UL
#define DIRECTION_FLAG 0x400UL
#define RESUME_FLAG 0x10000UL

struct user_context {
    u64 flags, link;
    vaddr_t stack_base;
    s32 stack_flags, pad;
    u64 stack_size;
    u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 error, vector, old_mask, cr2;
    vaddr_t fpu;
    u64 reserved[8];
    u64 mask;
};
_Static_assert(offsetof(struct user_context, fpu) == 40 + 23 * 8, "sigcontext of x86-64 Linux");

struct user_siginfo {
    s32 signal, error, code, pad;
    union {
        vaddr_t address;
        struct {
            s32 pid, uid, status;
        } sender;
        u8 size[112];
    };
};
_Static_assert(sizeof(struct user_siginfo) == 128, "siginfo_t");

struct user_frame {
    vaddr_t restorer;
    struct user_context context;
    struct user_siginfo info;
};

static bool on_alternate(const struct task *task, vaddr_t rsp)
{
    return task->alternate.size && rsp - task->alternate.base <= task->alternate.size;
}

static void fill_context(struct user_context *context, const struct trap_frame *frame, u64 blocked)
{
    const struct task *task = current_task();
    *context = (struct user_context){
        .flags = UC_FP_XSTATE,
        .stack_base = task->alternate.base,
        .stack_size = task->alternate.size,
        .r8 = frame->r8,
        .r9 = frame->r9,
        .r10 = frame->r10,
        .r11 = frame->r11,
        .r12 = frame->r12,
        .r13 = frame->r13,
        .r14 = frame->r14,
        .r15 = frame->r15,
        .rdi = frame->rdi,
        .rsi = frame->rsi,
        .rbp = frame->rbp,
        .rbx = frame->rbx,
        .rdx = frame->rdx,
        .rax = frame->rax,
        .rcx = frame->rcx,
        .rsp = frame->rsp,
        .rip = frame->rip,
        .rflags = frame->rflags,
        .cs = (u16)frame->cs,
        .ss = (u16)frame->ss,
        .error = frame->error_code,
        .vector = frame->vector,
        .old_mask = blocked,
        .mask = blocked,
    };
    context->stack_flags = !task->alternate.size            ? SS_DISABLE
                           : on_alternate(task, frame->rsp) ? SS_ONSTACK
                                                            : 0;
}

static void fill_info(struct user_siginfo *info, int signal, const struct signal_cause *cause)
{
    *info = (struct user_siginfo){.signal = signal, .code = cause->code};
    if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
        signal == SIGTRAP) {
        info->address = cause->address;
        return;
    }
    info->sender.pid = cause->pid;
    info->sender.status = cause->status;
}

/* Where the frame goes: below the red zone of the interrupted code, or on the alternate stack. */
static vaddr_t frame_top(const struct trap_frame *frame, const struct signal_action *action)
{
    const struct task *task = current_task();
    if (action->flags & SA_ONSTACK && task->alternate.size && !on_alternate(task, frame->rsp))
        return task->alternate.base + task->alternate.size;
    return frame->rsp - RED_ZONE;
}

bool signal_push_frame(struct trap_frame *frame, int signal, const struct signal_action *action,
                       const struct signal_cause *cause, u64 blocked)
{
    struct task *task = current_task();
    struct user_frame user = {.restorer = action->restorer};
    vaddr_t fpu = align_down(frame_top(frame, action) - fpu_size(), 64);
    vaddr_t at = align_down(fpu - sizeof(user), 16) - sizeof(vaddr_t); /* as after a call */
    if (!(action->flags & SA_RESTORER))
        return false;
    fill_context(&user.context, frame, blocked);
    user.context.fpu = fpu;
    user.context.cr2 = cause->address;
    fill_info(&user.info, signal, cause);
    fpu_save(task->fpu);
    if (copy_to_user(fpu, task->fpu, fpu_size()) || copy_to_user(at, &user, sizeof(user)))
        return false;
    frame->rsp = at;
    frame->rip = action->handler;
    frame->rdi = (u64)signal;
    frame->rsi = at + offsetof(struct user_frame, info);
    frame->rdx = at + offsetof(struct user_frame, context);
    frame->rax = 0;
    frame->rflags &= ~(TRAP_FLAG | DIRECTION_FLAG | RESUME_FLAG);
    return true;
}

static void take_registers(struct trap_frame *frame, const struct user_context *context)
{
    frame->r8 = context->r8;
    frame->r9 = context->r9;
    frame->r10 = context->r10;
    frame->r11 = context->r11;
    frame->r12 = context->r12;
    frame->r13 = context->r13;
    frame->r14 = context->r14;
    frame->r15 = context->r15;
    frame->rdi = context->rdi;
    frame->rsi = context->rsi;
    frame->rbp = context->rbp;
    frame->rbx = context->rbx;
    frame->rdx = context->rdx;
    frame->rax = context->rax;
    frame->rcx = context->rcx;
    frame->rsp = context->rsp;
    frame->rip = context->rip;
    frame->cs = USER_CODE;
    frame->ss = USER_DATA;
    frame->rflags = (context->rflags & FLAGS_OF_PROGRAM) | RFLAGS_IF | 2;
    frame->vector = NO_VECTOR; /* no call is to be repeated */
}

bool signal_pop_frame(struct trap_frame *frame)
{
    struct task *task = current_task();
    struct user_context context;
    vaddr_t at = frame->rsp - sizeof(vaddr_t) + offsetof(struct user_frame, context);
    if (copy_from_user(&context, at, sizeof(context)))
        return false;
    if (context.fpu) {
        if (copy_from_user(task->fpu, context.fpu, fpu_size())) {
            fpu_save(
                task->fpu); /* a half-copied one is no state; XSAVE leaves what it has in the header */
            fpu_sanitise(task->fpu);
            return false;
        }
        fpu_sanitise(task->fpu);
        fpu_load(task->fpu);
    }
    take_registers(frame, &context);
    task->blocked = context.mask & ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
    task->work |= TASK_WORK_SIGNAL; /* something may be unblocked */
    return true;
}
