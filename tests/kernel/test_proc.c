// SPDX-License-Identifier: MIT
/*
 * Suite "proc": programs of a few instructions, started without a root file system: registers over a system
 * call, hostile flags, stacks and signal frames (RELIABILITY D8, D9, G6 to G8), switching, fork, kill. After each
 * test the runner finds pages, tables and objects where they were.
 */
#include "kernel/cpu.h"
#include "kernel/extable.h"
#include "kernel/ktest.h"
#include "kernel/percpu.h"
#include "kernel/time.h"
#include "kernel/trap.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "proc/launch.h"
#include "proc/process.h"
#include "proc/signal_internal.h"
#include "tests/kernel/programs.h"

#define EXITED(n) ((n) << 8)
#define NS_PER_MS 1000000UL

DECLARE_PROGRAM(exit42);
DECLARE_PROGRAM(registers);
DECLARE_PROGRAM(flags);
DECLARE_PROGRAM(single_step);
DECLARE_PROGRAM(jump_noncanonical);
DECLARE_PROGRAM(bad_stack);
DECLARE_PROGRAM(forged_frame);
DECLARE_PROGRAM(torn_frame);
DECLARE_PROGRAM(zombies);
DECLARE_PROGRAM(takes_all);
DECLARE_PROGRAM(takes_sigchld);
DECLARE_PROGRAM(far_listing);
DECLARE_PROGRAM(loop_of_exe);
DECLARE_PROGRAM(maps_a_place);
DECLARE_PROGRAM(clean_start);
DECLARE_PROGRAM(keeps_fpu);
DECLARE_PROGRAM(family);
DECLARE_PROGRAM(bomb);
DECLARE_PROGRAM(spin);
DECLARE_PROGRAM(pauses);
extern const struct deed program_deeds[], program_deeds_end[];
extern const struct deed program_umip_deeds[], program_umip_deeds_end[];

KTEST(proc, exits_with_its_status)
{
    s32 status = tiny_run(PROGRAM(exit42), "exit42");
    KEXPECT(status == EXITED(42), "status %#x", status);
    return NULL;
}

KTEST(proc, starts_with_clean_registers)
{
    s32 status = tiny_run(PROGRAM(clean_start), "clean_start");
    KEXPECT(status == 0, "status %#x", status);
    return NULL;
}

KTEST(proc, a_call_changes_three_registers)
{
    s32 status = tiny_run(PROGRAM(registers), "registers");
    KEXPECT(status == 0, "status %#x", status);
    return NULL;
}

KTEST(proc, flags_stay_outside)
{
    s32 status = tiny_run(PROGRAM(flags), "flags");
    KEXPECT(status == 0, "status %#x", status);
    KEXPECT(!(read_rflags() & 0x44400), "rflags of the kernel %#lx", read_rflags());
    status = tiny_run(PROGRAM(single_step), "single_step");
    KEXPECT(status == SIGTRAP, "TF: status %#x", status);
    return NULL;
}

KTEST(proc, non_canonical_rip)
{
    s32 status = tiny_run(PROGRAM(jump_noncanonical), "jump_noncanonical");
    KEXPECT(status == SIGSEGV, "status %#x", status);
    return NULL;
}

/* A stack pointer is only a number until something is pushed: system calls and traps do not mind. */
KTEST(proc, any_stack_pointer)
{
    for (const char *where = "0ukn"; *where; where++) {
        for (const char *deed = "sbup"; *deed; deed++) {
            char name[3] = {*where, *deed, 0};
            s32 status = tiny_run(PROGRAM(bad_stack), name);
            bool push = status == SIGSEGV || status == SIGBUS;
            bool right = *deed == 's'   ? status == 0
                         : *deed == 'b' ? status == SIGTRAP
                         : *deed == 'u' ? status == SIGILL
                                        : push;
            KEXPECT(right, "stack %c, then %c: status %#x", *where, *deed, status);
        }
    }
    return NULL;
}

KTEST(proc, forged_signal_frames)
{
    s32 status = tiny_run(PROGRAM(forged_frame), "f");
    KEXPECT(status == 0, "all flags, kernel's segments: status %#x", status);
    status = tiny_run(PROGRAM(forged_frame), "k");
    KEXPECT(status == SIGSEGV, "rip in the kernel: status %#x", status);
    status = tiny_run(PROGRAM(forged_frame), "n");
    KEXPECT(status == SIGSEGV, "rip non-canonical: status %#x", status);
    return NULL;
}

/* What was copied of it must not be loaded: XRSTOR takes a bad header for a #GP, in the kernel. */
KTEST(proc, torn_fpu_state)
{
    s32 status = tiny_run(PROGRAM(torn_frame), "torn_frame");
    KEXPECT(status == 0, "status %#x", status);
    return NULL;
}

/* D8: int3 is the one gate that is open; everything else is a #GP, whatever the vector is used for. */
KTEST(proc, every_int_n)
{
    for (unsigned n = 0; n < TRAP_VECTORS; n++) {
        u8 code[] = {0xcd, (u8)n, 0x0f, 0x0b};
        u64 interrupts = this_cpu()->spurious_count;
        s32 status = tiny_run(code, sizeof(code), "int");
        KEXPECT(status == (n == TRAP_BREAKPOINT ? SIGTRAP : SIGSEGV), "int %u: status %#x", n,
                status);
        KEXPECT(this_cpu()->spurious_count == interrupts, "int %u was served as an interrupt", n);
    }
    return NULL;
}

static const char *try_deeds(const struct deed *from, const struct deed *to)
{
    for (const struct deed *deed = from; deed < to; deed++) {
        s32 status = tiny_run(deed->code, deed->size, "deed");
        KEXPECT(status == SIGSEGV || status == SIGILL || status == SIGBUS || status == SIGTRAP,
                "deed %ld (%02x %02x %02x): status %#x", deed - from, deed->code[0], deed->code[1],
                deed->code[2], status);
    }
    return NULL;
}

KTEST(proc, privileged_instructions)
{
    const char *error = try_deeds(program_deeds, program_deeds_end);
    if (!error && read_cr4() & CR4_UMIP)
        error = try_deeds(program_umip_deeds, program_umip_deeds_end);
    return error;
}

KTEST(proc, fpu_is_private)
{
    struct process *process[4];
    for (unsigned i = 0; i < ARRAY_SIZE(process); i++) {
        char name[2] = {(char)('A' + i), 0};
        process[i] = tiny_start(PROGRAM(keeps_fpu), name);
        KEXPECT(process[i], "start %u", i);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(process); i++) {
        s32 status = process_await(process[i]);
        KEXPECT(status == 0, "program %u: status %#x", i, status);
    }
    return NULL;
}

KTEST(proc, children_and_orphans)
{
    s32 status = tiny_run(PROGRAM(family), "family");
    KEXPECT(status == 0, "status %#x", status);
    KEXPECT(process_count() == 0 && task_count() == 0, "%u processes, %u tasks are left",
            process_count(), task_count());
    return NULL;
}

KTEST(proc, fork_bomb)
{
    s32 status = tiny_run(PROGRAM(bomb), "bomb");
    KEXPECT(status == 0 || status == SIGKILL, "status %#x", status);
    KEXPECT(task_count() == 0, "%u tasks are left", task_count());
    return NULL;
}

/* The dead whom nobody asks for have numbers, and there are only 32767. */
KTEST(proc, zombie_bomb)
{
    if (kernel_buddy.managed < 8 * MIB / PAGE_SIZE)
        return ktest_skip("the dead need memory, too");
    s32 status = tiny_run(PROGRAM(zombies), "zombies");
    KEXPECT(status == 0, "status %#x", status);
    return NULL;
}

/* A task that is being made is in the process already: a key that sends a signal now must not start it. */
KTEST(proc, a_new_task_cannot_be_woken)
{
    struct process *process = process_create(NULL);
    struct task *task = process ? task_create(process) : NULL;
    KEXPECT(task, "no task");
    signal_process(process, SIGINT);
    enum task_state state = task->state;
    task_free(task);
    process_free(process);
    KEXPECT(state == TASK_NEW, "a signal made it %d", state);
    return NULL;
}

KTEST(proc, nobody_takes_sigkill)
{
    struct process *process = tiny_start(PROGRAM(takes_all), "takes_all");
    KEXPECT(process, "start");
    for (unsigned i = 0; i < 10; i++)
        schedule();
    signal_process(process, SIGKILL);
    for (unsigned i = 0; i < 10; i++)
        schedule();
    bool ended = process->zombie;
    if (!ended)
        process->exiting = true, signal_process(process, SIGKILL);
    s32 status = process_await(process);
    KEXPECT(ended && status == SIGKILL, "ended %d, status %#x", ended, status);
    return NULL;
}

KTEST(proc, sigtimedwait_takes_what_is_ignored)
{
    s32 status = tiny_run(PROGRAM(takes_sigchld), "takes_sigchld");
    KEXPECT(status == 0, "status %#x", status);
    return NULL;
}

/* Two loops share the processor; a signal ends one that never calls. */
KTEST(proc, preemption_and_kill)
{
    struct process *a = tiny_start(PROGRAM(spin), "spin"), *b = tiny_start(PROGRAM(spin), "spin");
    KEXPECT(a && b, "start");
    u64 end = clock_ns() + 100 * NS_PER_MS;
    while (clock_ns() < end)
        schedule();
    signal_process(a, SIGTERM);
    signal_process(b, SIGKILL);
    s32 status = process_await(a), killed = process_await(b);
    KEXPECT(status == SIGTERM && killed == SIGKILL, "status %#x, %#x", status, killed);
    return NULL;
}

static struct task *only_task(struct process *process)
{
    return list_entry(process->tasks.next, struct task, member);
}

/* The stack of a sleeping task has a guard page and a name; an overflow would be reported with both. */
KTEST(proc, stacks_are_known_by_name)
{
    struct stack_info stack;
    struct process *process = tiny_start(PROGRAM(pauses), "pauses");
    KEXPECT(process, "start");
    for (unsigned i = 0; i < 10 && only_task(process)->state != TASK_SLEEPING; i++)
        schedule();
    struct task *task = only_task(process);
    bool inside = stack_find(task->stack_pointer, &stack) && !stack.is_guard;
    bool named = inside && strstr(stack.name, "(pauses)");
    bool guard = stack_find(task->stack_low - 8, &stack) && stack.is_guard;
    u64 value;
    bool mapped = safe_read(task->stack_low - 8, &value);
    const char *waits = task->waits_for;
    signal_process(process, SIGTERM);
    s32 status = process_await(process);
    KEXPECT(inside && named && guard, "inside %d, named %d, guard %d", inside, named, guard);
    KEXPECT(!mapped, "the page below the stack is mapped");
    KEXPECT(waits && strcmp(waits, "signal") == 0, "waits for %s", waits ? waits : "nothing");
    KEXPECT(status == SIGTERM, "status %#x", status);
    return NULL;
}

/* Ctrl-Z to a program for which nobody waits: nobody would let it go on. */
KTEST(proc, terminal_does_not_stop_an_orphaned_group)
{
    struct process *process = tiny_start(PROGRAM(pauses), "pauses");
    KEXPECT(process, "start");
    process->awaited = false;
    signal_group(process->pgid, SIGTSTP);
    for (unsigned i = 0; i < 10; i++)
        schedule();
    bool stopped = process->stopped;
    process->awaited = true;
    signal_process(process, SIGTERM);
    signal_process(process, SIGCONT);
    s32 status = process_await(process);
    KEXPECT(!stopped && status == SIGTERM, "stopped %d, status %#x", stopped, status);
    return NULL;
}

/* Two ways through /proc: an offset that is no int, and a link that never ends. */
KTEST(proc, offsets_and_links_of_proc)
{
    s32 status = tiny_run(PROGRAM(far_listing), "far_listing");
    KEXPECT(status == 0, "a listing from 2^31 on: status %#x", status);
    status = tiny_run(PROGRAM(loop_of_exe), "/loop_of_exe");
    KEXPECT(status == 0, "exe leads to exe: status %#x", status);
    return NULL;
}

KTEST(proc, a_place_has_no_content)
{
    s32 status = tiny_run(PROGRAM(maps_a_place), "maps_a_place");
    KEXPECT(status == 0, "status %#x", status);
    return NULL;
}

/* SIGKILL to one thread of a process that is stopped ends it all the same. */
KTEST(proc, sigkill_for_a_stopped_thread)
{
    static const struct signal_cause cause;
    struct process *process = tiny_start(PROGRAM(pauses), "pauses");
    KEXPECT(process, "start");
    signal_process(process, SIGSTOP);
    for (unsigned i = 0; i < 10; i++)
        schedule();
    bool stopped = process->stopped;
    signal_send_task(only_task(process), SIGKILL, &cause);
    for (unsigned i = 0; i < 10; i++)
        schedule();
    bool ended = process->zombie;
    signal_process(process, SIGCONT);
    s32 status = process_await(process);
    KEXPECT(stopped && ended && status == SIGKILL, "stopped %d, ended %d, status %#x", stopped,
            ended, status);
    return NULL;
}

/* What starts at all gets some time, in which it may do what it likes, and is then killed. */
static void try_file(const u8 *file, u64 size, u32 *started)
{
    struct process *process = tiny_start_file(file, size, "odd");
    if (!process)
        return;
    for (unsigned i = 0; i < 8; i++)
        schedule();
    signal_process(process, SIGKILL);
    process_await(process);
    (*started)++;
}

/* G5: each byte of the headers in turn is another one. Nothing is left of what was refused, or of what ran. */
KTEST(proc, odd_elf_headers)
{
    static u8 file[TINY_ELF_SIZE(64)];
    u64 code_size = (u64)(program_exit42_end - program_exit42), size = TINY_ELF_SIZE(code_size);
    u32 tried = 0, started = 0;
    KEXPECT(size <= sizeof(file), "%lu bytes", size);
    for (u64 at = 0; at < TINY_HEADERS_SIZE; at++) {
        tiny_elf(file, program_exit42, code_size);
        const u8 good = file[at], odd[] = {0, 0xff, good ^ 1, good ^ 0x10, good ^ 0x80};
        for (unsigned i = 0; i < ARRAY_SIZE(odd); i++, tried++) {
            file[at] = odd[i];
            try_file(file, size, &started);
        }
    }
    for (u64 part = 0; part < size; part++, tried++) {
        tiny_elf(file, program_exit42, code_size);
        try_file(file, part, &started);
    }
    tiny_settle();
    ktest_note("%u files, %u of them could be started", tried, started);
    KEXPECT(started > 0 && started < tried, "%u of %u started", started, tried);
    return NULL;
}
