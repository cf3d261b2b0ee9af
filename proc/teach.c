// SPDX-License-Identifier: MIT
/*
 * The line that says why a program died: signal, what it did, where, and what is (or is not) there. Reads the
 * dead program's areas; the program is the current one. The console, because its terminal is that.
 */
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "proc/elf_symbol.h"
#include "proc/exec.h"
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

/* Instructions of one or two bytes that ring 3 may not execute; `modrm` / 8 tells those apart that share them. */
static const struct {
    u8 first, last; /* opcode, after 0x0f where `two` */
    bool two;
    s32 reg; /* -1: any */
    const char *name;
} privileged[] = {
    {0x6c, 0x6d, false, -1, "INS"},
    {0x6e, 0x6f, false, -1, "OUTS"},
    {0xe4, 0xe5, false, -1, "IN"},
    {0xec, 0xed, false, -1, "IN"},
    {0xe6, 0xe7, false, -1, "OUT"},
    {0xee, 0xef, false, -1, "OUT"},
    {0xf4, 0xf4, false, -1, "HLT"},
    {0xfa, 0xfa, false, -1, "CLI"},
    {0xfb, 0xfb, false, -1, "STI"},
    {0x00, 0x00, true, 2, "LLDT"},
    {0x00, 0x00, true, 3, "LTR"},
    {0x01, 0x01, true, 2, "LGDT"},
    {0x01, 0x01, true, 3, "LIDT"},
    {0x01, 0x01, true, 6, "LMSW"},
    {0x01, 0x01, true, 7, "INVLPG"},
    {0x06, 0x06, true, -1, "CLTS"},
    {0x07, 0x07, true, -1, "SYSRET"},
    {0x08, 0x09, true, -1, "WBINVD"},
    {0x20, 0x20, true, -1, "MOV from a control register"},
    {0x22, 0x22, true, -1, "MOV to a control register"},
    {0x21, 0x21, true, -1, "MOV from a debug register"},
    {0x23, 0x23, true, -1, "MOV to a debug register"},
    {0x30, 0x30, true, -1, "WRMSR"},
    {0x32, 0x32, true, -1, "RDMSR"},
};

static const char *privileged_name(const u8 *code)
{
    bool two = code[0] == 0x0f;
    u8 opcode = code[two], modrm = code[two + 1];
    if (two && opcode == 0x01 && modrm == 0xf8)
        return "SWAPGS";
    for (u32 i = 0; i < ARRAY_SIZE(privileged); i++)
        if (privileged[i].two == two && opcode >= privileged[i].first &&
            opcode <= privileged[i].last &&
            (privileged[i].reg < 0 || privileged[i].reg == (modrm >> 3 & 7)))
            return privileged[i].name;
    return NULL;
}

/* What a general protection fault was about, by its instruction. */
static void describe_protection(char *out, u64 size, struct uspace *space, vaddr_t rip)
{
    u8 code[4] = {0}, *at = code;
    uspace_peek(space, rip, code, sizeof(code));
    if (*at == 0x66 || (*at & 0xf0) == 0x40) /* operand size or REX in front */
        at++;
    const char *name = privileged_name(at);
    if (name)
        format_to(out, size, "%s is for ring 0", name);
    else if (*at == 0xcd)
        format_to(out, size, "the gate of interrupt %#x is not for ring 3", at[1]);
    else
        format_to(out, size,
                  "an address that is none (not canonical), or a segment it may not have");
}

/* Signals that somebody sent need no explanation, only those that the program earned by itself. */
static bool is_fault(const struct trap_frame *frame)
{
    return frame->vector < TRAP_EXCEPTIONS && frame->vector != TRAP_NMI;
}

/* " (main+0x29)" when the file that is mapped at rip says so. */
static void name_place(char *out, u64 size, struct uspace *space, vaddr_t rip)
{
    const struct vma *vma = uspace_find(space, rip);
    char name[40];
    u64 offset = 0;
    out[0] = '\0';
    if (!vma || !vma->store)
        return;
    struct elf_source source = elf_source_of(vma->store);
    if (elf_symbol(&source, rip, name, sizeof(name), &offset))
        format_to(out, size, " (%s+%#lx)", name, offset);
}

/* What a person or another program asked for needs no explanation. */
static bool is_ordinary(int signal)
{
    return signal == SIGINT || signal == SIGPIPE || signal == SIGTERM || signal == SIGHUP ||
           signal == SIGKILL || signal == SIGALRM || signal == SIGQUIT;
}

static void tell_page_fault(const struct trap_frame *frame, vaddr_t address, const char *function)
{
    char place[120] = "by the processor for an instruction that ring 3 cannot finish";
    if (frame->error_code & PF_USER)
        describe_place(place, sizeof(place), current_process()->space, address);
    print("%s %#lx at rip %#lx%s: %s\n", access_name(frame->error_code), address, frame->rip,
          function, place);
}

static void tell_protection(const struct trap_frame *frame, const char *function)
{
    char why[120];
    describe_protection(why, sizeof(why), current_process()->space, frame->rip);
    print("general protection fault at rip %#lx%s: %s\n", frame->rip, function, why);
}

void fault_teach(const struct trap_frame *frame, int signal, const struct signal_cause *cause)
{
    struct process *process = current_process();
    char function[64];
    if (is_ordinary(signal))
        return;
    print("%d (%s) %s: ", process->pid, process->name, signal_name(signal));
    name_place(function, sizeof(function), process->space, frame->rip);
    if (frame->rip >= NON_CANONICAL_LOW)
        print("jump to %#lx: that is no address that a program can have\n", frame->rip);
    else if (frame->vector == TRAP_PAGE_FAULT && (signal == SIGSEGV || signal == SIGBUS))
        tell_page_fault(frame, cause->address, function);
    else if (frame->vector == TRAP_PROTECTION)
        tell_protection(frame, function);
    else if (is_fault(frame))
        print("%s at rip %#lx%s\n", trap_name(frame->vector), frame->rip, function);
    else
        print("sent to it, or by itself, at rip %#lx%s\n", frame->rip, function);
}
