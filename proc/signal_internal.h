// SPDX-License-Identifier: MIT
/*
 * Signals inside proc/: what a process wants done with each, who sent the pending ones, and how one reaches
 * a handler. One page per process; no queue: a signal that is pending already is not pending twice.
 */
#ifndef PROC_SIGNAL_INTERNAL_H
#define PROC_SIGNAL_INTERNAL_H

#include "kernel/trap.h"
#include "proc/signal.h"
#include "proc/task.h"

#define SIG_DFL 0UL
#define SIG_IGN 1UL
#define SA_NOCLDSTOP 0x1u
#define SA_NOCLDWAIT 0x2u
#define SA_SIGINFO 0x4u
#define SA_RESTORER 0x04000000u
#define SA_ONSTACK 0x08000000u
#define SA_RESTART 0x10000000u
#define SA_NODEFER 0x40000000u
#define SA_RESETHAND 0x80000000u

/* si_code */
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_TKILL (-6)
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define FPE_INTDIV 1
#define FPE_FLTINV 7
#define ILL_ILLOPN 2
#define TRAP_TRACE_CODE 2
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_STOPPED 5
#define CLD_CONTINUED 6

/* As rt_sigaction() passes it. */
struct signal_action {
    vaddr_t handler;
    u64 flags;
    vaddr_t restorer;
    u64 mask;
};

/* Who or what caused a signal: the part of siginfo_t that is used. */
struct signal_cause {
    s32 code, pid, status;
    vaddr_t address; /* of a fault */
};

struct signal_actions {
    struct signal_action action[SIGNALS]; /* [n - 1] */
    struct signal_cause cause[SIGNALS];   /* of the last one sent */
};

/* A copy (all default from NULL). NULL: no memory. */
struct signal_actions *signal_actions_create(const struct signal_actions *from);
void signal_actions_free(struct signal_actions *actions);
/* execve(): handlers are gone with the old program; what was ignored stays ignored. */
void signal_actions_exec(struct signal_actions *actions);

/* Send; IRQ-safe. To the process, or to one thread of it. */
void signal_send(struct process *process, int signal, const struct signal_cause *cause);
void signal_send_task(struct task *task, int signal, const struct signal_cause *cause);
/* What the current task did to itself: delivered even when blocked or ignored (then it kills). */
void signal_force(int signal, const struct signal_cause *cause);

/* Act upon what is pending: run a handler, stop, or end. On the way to ring 3. */
void signal_deliver(struct trap_frame *frame);
bool signal_stops(int signal);

/* Enter the handler: build the frame on the program's stack. False: the stack cannot take it. */
bool signal_push_frame(struct trap_frame *frame, int signal, const struct signal_action *action,
                       const struct signal_cause *cause, u64 blocked);
/* rt_sigreturn(): registers, mask and FPU state from the frame at rsp. False: there is none. */
bool signal_pop_frame(struct trap_frame *frame);

/* The line on the console that says why a program died. */
void fault_teach(const struct trap_frame *frame, int signal, const struct signal_cause *cause);

#endif
