// SPDX-License-Identifier: MIT
/*
 * Each way a program can go wrong, in a process of its own, and the signal that ends it. `faults` runs them all and
 * compares; `faults list` names them; `faults NAME` makes that one mistake in this very process, so that the kernel's
 * report can be read. Exit status 0: everything ended as it has to. Runs on Linux too.
 */
#include "user/lab.h"

#include "user/faults.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#define KERNEL_TEXT 0xffffffff80100000UL
#define DIRECT_MAP 0xffff888000000000UL
#define VMALLOC 0xffffc90000000000UL
#define NOT_CANONICAL 0x0000800000000000UL

static const char constant[] = "read only";

static unsigned char read_byte(unsigned long at)
{
    return *(volatile unsigned char *)at;
}

static void write_byte(unsigned long at)
{
    *(volatile unsigned char *)at = 1;
}

/* Bytes of machine code on a page that may be executed, called. */
static void execute(const char *code, size_t size)
{
    char *page = map_anonymous(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memcpy(page, code, size);
    if (mprotect(page, PAGE, PROT_READ | PROT_EXEC))
        die("mprotect");
    ((void (*)(void))(uintptr_t)page)();
}

static void jump(unsigned long to)
{
    ((void (*)(void))to)();
}

/* ---- memory ------------------------------------------------------------------------------------------------- */

static void null_read(void)
{
    read_byte(0);
}

static void null_write(void)
{
    write_byte(8);
}

static void kernel_read(void)
{
    read_byte(KERNEL_TEXT);
}

static void direct_map_write(void)
{
    write_byte(DIRECT_MAP);
}

static void vmalloc_read(void)
{
    read_byte(VMALLOC);
}

static void non_canonical(void)
{
    read_byte(NOT_CANONICAL);
}

static void text_write(void)
{
    write_byte((unsigned long)text_write);
}

static void constant_write(void)
{
    write_byte((unsigned long)constant);
}

static void after_munmap(void)
{
    char *page = map_anonymous(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    *page = 1;
    munmap(page, PAGE);
    read_byte((unsigned long)page);
}

static void no_access(void)
{
    read_byte((unsigned long)map_anonymous(PAGE, PROT_NONE, MAP_PRIVATE));
}

static void beyond_file(void)
{
    int fd = open("/tmp/faults", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1)
        die("/tmp/faults");
    char *map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    unlink("/tmp/faults");
    if (map == MAP_FAILED)
        die("mmap");
    read_byte((unsigned long)map); /* the page that holds the one byte is there */
    read_byte((unsigned long)map + PAGE);
}

/* ---- jumps and stacks ------------------------------------------------------------------------------------------ */

static void jump_null(void)
{
    jump(0);
}

static void jump_stack(void)
{
    char code[] = "\xc3";
    jump((unsigned long)code);
}

static void jump_heap(void)
{
    char *heap = malloc(16);
    *heap = '\xc3';
    jump((unsigned long)heap);
}

static void jump_kernel(void)
{
    jump(KERNEL_TEXT);
}

static unsigned long depth_wanted = -1UL;

static int deeper(unsigned long depth)
{
    volatile char here[1024];
    here[0] = (char)depth;
    return depth == depth_wanted ? 0 : deeper(depth + 1) + here[0];
}

static void stack_overflow(void)
{
    deeper(0);
}

static void stack_null(void)
{
    __asm__ volatile("xor %%esp, %%esp; push %%rax" ::: "memory");
}

static void stack_kernel(void)
{
    __asm__ volatile("mov %0, %%rsp; push %%rax" ::"r"(DIRECT_MAP + 0x1000) : "memory");
}

static void stack_non_canonical(void)
{
    __asm__ volatile("mov %0, %%rsp; push %%rax" ::"r"(NOT_CANONICAL + 8) : "memory");
}

/* A handler, but no stack to run it on: the default action then. */
static void on_signal(int signal)
{
    (void)signal;
    _exit(99);
}

static void no_stack_for_handler(void)
{
    signal(SIGSEGV, on_signal);
    stack_null();
}

/* ---- instructions ---------------------------------------------------------------------------------------------- */

static void undefined(void)
{
    __asm__ volatile("ud2");
}

static void breakpoint(void)
{
    __asm__ volatile("int3");
}

static void divide(void)
{
    volatile int zero = 0;
    __asm__ volatile("idivl %0" ::"m"(zero), "a"(1), "d"(0));
}

static void single_step(void)
{
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop" ::: "memory", "cc");
}

#define PRIVILEGED(ident, code)                                                                    \
    static void ident(void)                                                                        \
    {                                                                                              \
        __asm__ volatile(code ::: "memory", "eax", "ecx", "edx");                                  \
    }
PRIVILEGED(do_hlt, "hlt")
PRIVILEGED(do_cli, "cli")
PRIVILEGED(do_sti, "sti")
PRIVILEGED(do_in, "mov $0x64, %%edx; in %%dx, %%al")
PRIVILEGED(do_out, "mov $0xf4, %%edx; xor %%eax, %%eax; out %%al, %%dx")
PRIVILEGED(do_wrmsr, "mov $0xc0000080, %%ecx; xor %%eax, %%eax; xor %%edx, %%edx; wrmsr")
PRIVILEGED(do_rdmsr, "mov $0xc0000080, %%ecx; rdmsr")
PRIVILEGED(do_cr0, "mov %%cr0, %%rax")
PRIVILEGED(do_cr3, "xor %%eax, %%eax; mov %%rax, %%cr3")
PRIVILEGED(do_invlpg, "invlpg (%%rsp)")
PRIVILEGED(do_lgdt, "lgdt (%%rsp)")
PRIVILEGED(do_lidt, "lidt (%%rsp)")
PRIVILEGED(do_ltr, "xor %%eax, %%eax; ltr %%ax")
PRIVILEGED(do_swapgs, "swapgs")
PRIVILEGED(do_sysret, "sysretq")
PRIVILEGED(do_iret, "pushq $0; pushq %%rsp; pushfq; pushq $8; pushq $0; iretq")

static sigjmp_buf refused;

static void on_refusal(int signal)
{
    siglongjmp(refused, signal);
}

/* Every software interrupt. 3 is the debugger's, 4 for INTO, 0x80 Linux's old door; no other gate is open to ring 3. */
static void interrupts(void)
{
    signal(SIGSEGV, on_refusal);
    for (volatile int vector = 0; vector < 256; vector++) {
        char code[] = {'\xcd', (char)vector, '\xc3'};
        if (vector == 3 || vector == 4 || vector == 0x80)
            continue;
        if (sigsetjmp(refused, 1) == 0) {
            execute(code, sizeof(code));
            printf("int %#x: let in\n", vector);
            _exit(1);
        }
    }
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV); /* all 253 ended like this */
}

/* ---- the way into the kernel and back ------------------------------------------------------------------------------ */

/* A system call with flags that the kernel must not keep: NT, DF, AC, and IOPL, which ring 3 cannot set. */
static void odd_flags(void)
{
    static const unsigned long odd[] = {1UL << 14, 1UL << 10, 1UL << 18, 3UL << 12, 0x47400};
    unsigned long expected = (unsigned long)getpid(), got;

    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        __asm__ volatile(
            "pushfq; orq %1, (%%rsp); popfq; syscall; pushfq; andl $0xfffbbbff, (%%rsp); popfq"
            : "=a"(got)
            : "r"(odd[i]), "a"((unsigned long)SYS_getpid)
            : "rcx", "r11", "memory", "cc");
        if (got != expected)
            _exit(1);
    }
}

static unsigned long wild_rip, wild_rsp;

static void spoil_context(int signal, siginfo_t *info, void *context)
{
    ucontext_t *saved = context;
    (void)signal, (void)info;
    if (wild_rip)
        saved->uc_mcontext.gregs[REG_RIP] = (greg_t)wild_rip;
    if (wild_rsp)
        saved->uc_mcontext.gregs[REG_RSP] = (greg_t)wild_rsp;
    saved->uc_mcontext.gregs[REG_EFL] = ~0x100L; /* IOPL 3, NT, VM ...: all but TF */
}

/* rt_sigreturn with registers that no processor would take. */
static void return_wildly(void)
{
    struct sigaction action = {.sa_sigaction = spoil_context, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
}

static void return_non_canonical(void)
{
    wild_rip = NOT_CANONICAL;
    return_wildly();
}

static void return_to_kernel(void)
{
    wild_rip = KERNEL_TEXT;
    return_wildly();
}

static void return_without_stack(void)
{
    wild_rip = (unsigned long)undefined;
    wild_rsp = DIRECT_MAP;
    return_wildly();
}

static void last_page(void)
{
    void *page = mmap((void *)0x00007ffffffff000UL, PAGE, PROT_READ | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (page != MAP_FAILED)
        _exit(1); /* a SYSCALL in its last two bytes would return to a non-canonical address */
    raise(SIGSEGV);
}

static void bad_pointer(void)
{
    static const unsigned long bad[] = {1,    KERNEL_TEXT, DIRECT_MAP, VMALLOC, NOT_CANONICAL,
                                        -1UL, -PAGE};
    int null = open("/dev/zero", O_RDONLY);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (read(null, (void *)bad[i], 8) != -1 || errno != EFAULT)
            _exit(1);
}

/* What was opened for reading only stays so, however it is mapped. */
static void write_read_only(void)
{
    int fd = open("/proc/self/exe", O_RDONLY);
    void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED || mprotect(map, PAGE, PROT_READ | PROT_WRITE) == 0 || errno != EACCES)
        _exit(1);
    if (mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED || errno != EACCES)
        _exit(2);
}

static jmp_buf back;
static void *volatile fault_address;

static void remember(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    fault_address = info->si_addr;
    siglongjmp(back, 1);
}

/* A handler learns the address, and the program goes on. */
static void handled(void)
{
    struct sigaction action = {.sa_sigaction = remember, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    for (unsigned long at = 0x100; at < 0x110; at++) {
        if (sigsetjmp(back, 1) == 0)
            read_byte(at);
        if (fault_address != (void *)at)
            _exit(1);
    }
}

/* ---- its own doing ------------------------------------------------------------------------------------------------ */

static void broken_pipe(void)
{
    int ends[2];
    if (pipe(ends))
        die("pipe");
    close(ends[0]);
    if (write(ends[1], "x", 1) < 0)
        die("write");
}

static void killed(void)
{
    kill(getpid(), SIGKILL);
}

static void give_up(void)
{
    abort();
}

static const struct wrong table[] = {
    {"null-read", "reads address 0", SIGSEGV, null_read},
    {"null-write", "writes address 8", SIGSEGV, null_write},
    {"kernel-read", "reads the kernel's text", SIGSEGV, kernel_read},
    {"direct-map-write", "writes the kernel's direct map", SIGSEGV, direct_map_write},
    {"vmalloc-read", "reads a vmalloc address", SIGSEGV, vmalloc_read},
    {"non-canonical", "reads an address that is none", SIGSEGV, non_canonical},
    {"text-write", "writes its own code", SIGSEGV, text_write},
    {"constant-write", "writes a constant", SIGSEGV, constant_write},
    {"after-munmap", "reads what it has given back", SIGSEGV, after_munmap},
    {"no-access", "reads a PROT_NONE page", SIGSEGV, no_access},
    {"beyond-file", "reads a mapped file behind its end", SIGBUS, beyond_file},
    {"jump-null", "calls address 0", SIGSEGV, jump_null},
    {"jump-stack", "executes its stack", SIGSEGV, jump_stack},
    {"jump-heap", "executes its heap", SIGSEGV, jump_heap},
    {"jump-kernel", "calls the kernel's text", SIGSEGV, jump_kernel},
    {"stack-overflow", "calls itself without end", SIGSEGV, stack_overflow},
    {"stack-null", "pushes with RSP 0", SIGSEGV, stack_null},
    {"stack-kernel", "pushes onto the direct map", SIGSEGV, stack_kernel},
    {"stack-non-canonical", "pushes with an RSP that is none", SS_FAULT, stack_non_canonical},
    {"no-stack-for-handler", "has a handler but no stack for it", SIGSEGV, no_stack_for_handler},
    {"undefined", "UD2", SIGILL, undefined},
    {"breakpoint", "INT3", SIGTRAP, breakpoint},
    {"divide", "divides by zero", SIGFPE, divide},
    {"single-step", "sets TF", SIGTRAP, single_step},
    {"hlt", "HLT", SIGSEGV, do_hlt},
    {"cli", "CLI", SIGSEGV, do_cli},
    {"sti", "STI", SIGSEGV, do_sti},
    {"in", "reads an I/O port", SIGSEGV, do_in},
    {"out", "writes an I/O port", SIGSEGV, do_out},
    {"wrmsr", "WRMSR to EFER", SIGSEGV, do_wrmsr},
    {"rdmsr", "RDMSR", SIGSEGV, do_rdmsr},
    {"cr0", "reads CR0", SIGSEGV, do_cr0},
    {"cr3", "loads CR3", SIGSEGV, do_cr3},
    {"invlpg", "INVLPG", SIGSEGV, do_invlpg},
    {"lgdt", "LGDT", SIGSEGV, do_lgdt},
    {"lidt", "LIDT", SIGSEGV, do_lidt},
    {"ltr", "LTR", SIGSEGV, do_ltr},
    {"swapgs", "SWAPGS", SIGSEGV, do_swapgs},
    {"sysret", "SYSRET", SIGSEGV, do_sysret},
    {"iret", "IRET to ring 0", SIGSEGV, do_iret},
    {"interrupts", "INT n, each n", SIGSEGV, interrupts},
    {"odd-flags", "system calls with NT, DF, AC", NO_SIGNAL, odd_flags},
    {"return-non-canonical", "returns from a handler to no address", SIGSEGV, return_non_canonical},
    {"return-to-kernel", "returns from a handler into the kernel", SIGSEGV, return_to_kernel},
    {"return-without-stack", "returns from a handler onto no stack", SIGILL, return_without_stack},
    {"last-page", "maps the last page of the user half", SIGSEGV, last_page},
    {"bad-pointer", "hands bad pointers to read()", NO_SIGNAL, bad_pointer},
    {"write-read-only", "maps its program's file to write it", NO_SIGNAL, write_read_only},
    {"handled", "catches its SIGSEGV and goes on", NO_SIGNAL, handled},
    {"broken-pipe", "writes to a pipe that nobody reads", SIGPIPE, broken_pipe},
    {"killed", "kills itself", SIGKILL, killed},
    {"abort", "abort()", SIGABRT, give_up},
};
#define CASES (sizeof(table) / sizeof(table[0]))

/* In a child; how it ended, as the shell would say it. Returns whether that is right. */
static int try_case(const struct wrong *wrong)
{
    int status;

    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        alarm(60);
        wrong->run();
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child)
        die("waitpid");
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : NO_SIGNAL;
    int expected = wrong->signal != SS_FAULT ? wrong->signal : signal == SIGSEGV ? SIGSEGV : SIGBUS;
    int right = signal == expected && (signal || WEXITSTATUS(status) == 0);
    printf("%-21s %-40s ", wrong->name, wrong->what);
    if (signal)
        printf("%s", strsignal(signal));
    else if (WEXITSTATUS(status))
        printf("exit status %d", WEXITSTATUS(status));
    else
        printf("survives");
    if (!right)
        printf("   WRONG: expected %s", expected ? strsignal(expected) : "to survive");
    printf("\n");
    return right;
}

int main(int argc, char **argv)
{
    unsigned long right = 0;

    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        for (unsigned i = 0; i < CASES; i++)
            printf("%-21s %s\n", table[i].name, table[i].what);
        return 0;
    }
    for (unsigned i = 0; i < CASES; i++) {
        if (argc > 1 && strcmp(argv[1], table[i].name) == 0) {
            table[i].run();
            return 0;
        }
        if (argc == 1)
            right += (unsigned long)try_case(&table[i]);
    }
    if (argc > 1)
        return fprintf(stderr, "faults: no mistake is called %s; `faults list`\n", argv[1]), 2;
    printf("%lu of %lu mistakes ended as they have to\n", right, (unsigned long)CASES);
    return right != CASES;
}
