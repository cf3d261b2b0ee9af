// SPDX-License-Identifier: MIT
/*
 * What the kernel writes into a program's memory must not tell where the kernel is, nor what others had there: leaks.
 * Each call that answers into a buffer is made many times with different arguments, the buffer and what a signal
 * leaves on the stack are searched for words that are kernel addresses, and fresh memory for anything but zeros.
 */
#include "user/lab.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define VARIANTS 64
#define CONTEXT_SIZE 936

static unsigned char buffer[16 * PAGE] __attribute__((aligned(4096)));
static int found;

/* The direct map, vmalloc, the page array, the kernel's image: see mm/layout.h. */
static int is_kernel_address(uint64_t word)
{
    return word >> 44 == 0xffff8 || word >> 40 == 0xffffc9 || word >> 40 == 0xffffea ||
           word >> 31 == 0x1ffffffff;
}

static void search(const char *where, const void *from, size_t size)
{
    const unsigned char *bytes = from;
    uint64_t word;
    for (size_t at = 0; at + sizeof(word) <= size; at += sizeof(word)) {
        memcpy(&word, bytes + at, sizeof(word));
        if (!is_kernel_address(word) || word >= 0xfffffffffffff000) /* an errno is none */
            continue;
        printf("%s: %#lx at byte %zu\n", where, (unsigned long)word, at);
        found++;
        return;
    }
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    search("siginfo", info, sizeof(*info));
    search("ucontext", context, CONTEXT_SIZE);
    search("the stack below", (unsigned char *)context - PAGE, PAGE);
}

static void search_signals(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_signal;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
    kill(getpid(), SIGUSR1);
    if (fork() == 0)
        _exit(0);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
}

/* Arguments by the bits of `variant`: descriptors, sizes, and the buffer in each place. */
static void search_call(long number, unsigned variant, int root, int proc)
{
    char name[32];
    long at = (long)buffer;
    memset(buffer, 0, sizeof(buffer));
    syscall(number,
            variant & 1   ? root
            : variant & 2 ? proc
            : variant & 4 ? at
                          : 0,
            variant & 8 ? at : 1, variant & 16 ? at : 128, variant & 32 ? at : 8, at, 0);
    snprintf(name, sizeof(name), "call %ld", number);
    search(name, buffer, sizeof(buffer));
}

static void search_calls(void)
{
    static const long numbers[] = {
        SYS_uname,
        SYS_sysinfo,
        SYS_getrusage,
        SYS_times,
        SYS_fstat,
        SYS_stat,
        SYS_newfstatat,
        SYS_statx,
        SYS_statfs,
        SYS_fstatfs,
        SYS_getdents64,
        SYS_getcwd,
        SYS_sched_getaffinity,
        SYS_rt_sigaction,
        SYS_rt_sigprocmask,
        SYS_rt_sigpending,
        SYS_sigaltstack,
        SYS_clock_gettime,
        SYS_clock_getres,
        SYS_gettimeofday,
        SYS_getitimer,
        SYS_prlimit64,
        SYS_getrlimit,
        SYS_ioctl,
        SYS_wait4,
        SYS_waitid,
        SYS_pipe2,
        SYS_readlink,
        SYS_syslog,
    };
    int root = open("/", O_RDONLY | O_DIRECTORY), proc = open("/proc", O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        for (unsigned variant = 0; variant < VARIANTS; variant++)
            search_call(numbers[i], variant, root, proc);
}

static void search_fresh_memory(void)
{
    unsigned char *area = map_anonymous(4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (size_t at = 0; at < 4 * MIB; at++) {
        if (!area[at])
            continue;
        printf("fresh memory: %#x at byte %zu\n", area[at], at);
        found++;
        return;
    }
}

int main(void)
{
    search_signals();
    search_calls();
    search_fresh_memory();
    printf("%d places told something\n", found);
    return found != 0;
}
