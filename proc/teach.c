// SPDX-License-Identifier: MIT
/*
 * The line that says why a program died: signal, what it did, where, and what is (or is not) there. Reads the
 * dead program's areas; the program is the current one. The console, because its terminal is that.
 */
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

static const char *access_name(u64 error)
{
    return error & PF_FETCH ? "jump to" : error & PF_WRITE ? "write to" : "read from";
}

static void describe_place(char *out, u64 size, struct uspace *space, vaddr_t address)
{
    const struct vma *vma = uspace_find(space, address);
    if (address >= USER_END)
        format_to(out, size, "that is the kernel's half, or nobody's");
    else if (address < USER_START)
        format_to(out, size, "a NULL pointer: nothing is ever mapped there");
    else if (!vma)
        format_to(out, size, "nothing is mapped there");
    else
        format_to(out, size, "%s [%#lx, %#lx) is %c%c%c", vma->name ? vma->name : "its area",
                  vma->start, vma->end, vma->prot & PROT_READ ? 'r' : '-',
                  vma->prot & PROT_WRITE ? 'w' : '-', vma->prot & PROT_EXEC ? 'x' : '-');
}

/* Signals that somebody sent need no explanation, only those that the program earned by itself. */
static bool is_fault(const struct trap_frame *frame)
{
    return frame->vector < TRAP_EXCEPTIONS && frame->vector != TRAP_NMI;
}

void fault_teach(const struct trap_frame *frame, int signal, const struct signal_cause *cause)
{
    struct process *process = current_process();
    char place[120];
    if (signal == SIGINT || signal == SIGPIPE || signal == SIGTERM || signal == SIGHUP ||
        signal == SIGKILL || signal == SIGALRM || signal == SIGQUIT)
        return;
    if (frame->rip >= NON_CANONICAL_LOW) {
        print("%d (%s) %s: jump to %#lx: that is no address that a program can have\n",
              process->pid, process->name, signal_name(signal), frame->rip);
    } else if (frame->vector == TRAP_PAGE_FAULT && (signal == SIGSEGV || signal == SIGBUS)) {
        describe_place(place, sizeof(place), process->space, cause->address);
        print("%d (%s) %s: %s %#lx at rip %#lx: %s\n", process->pid, process->name,
              signal_name(signal), access_name(frame->error_code), cause->address, frame->rip,
              place);
    } else if (is_fault(frame)) {
        print("%d (%s) %s: %s at rip %#lx\n", process->pid, process->name, signal_name(signal),
              trap_name(frame->vector), frame->rip);
    } else {
        print("%d (%s) ended by %s at rip %#lx\n", process->pid, process->name, signal_name(signal),
              frame->rip);
    }
}
