// SPDX-License-Identifier: MIT
/*
 * Random system calls with interesting values: fuzz [CALLS [PROCESSES [SEED]]]. Each of the processes makes its calls in
 * a child, which may lose its stack, its code or its life; then the next child goes on. A child that does not move for a
 * while waits for something that never comes, and is killed. Calls that would end this program itself or the machine are
 * kept away from their purpose: signals go to the caller alone, paths lie below /tmp. For Vitrine, and for a virtual
 * machine: not for a Linux that somebody needs.
 */
#include "user/lab.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define BATCH 20000    /* calls that one child makes at most */
#define PATIENCE_MS 30 /* without a call: it sleeps for good */
#define MOST_PROCESSES 16

/* What a process and its children share. */
struct progress {
    _Atomic unsigned long calls, enosys;
};

static uint64_t state;

static uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dUL;
}

static char buffer[2 * PAGE] __attribute__((aligned(4096)));
static char *half_mapped; /* a page, and one behind it that nobody may touch */

static char *arena;        /* where mmap and its relatives may do what they like */
#define ARENA_PAGES 2048UL /* a few pages of 2 MiB */

static uint64_t an_address(void)
{
    switch (random_number() % 16) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return 0xffffffff80100000UL; /* the kernel's text */
    case 3:
        return 0xffff888000000000UL + random_number() % (64 * MIB);
    case 4:
        return 0xffffc90000000000UL + random_number() % (1 * MIB);
    case 5:
        return 0x0000800000000000UL - random_number() % 16;
    case 6:
        return -(random_number() % 5000);
    case 7:
        return (uint64_t)half_mapped + PAGE - random_number() % 16;
    case 8:
        return (uint64_t)half_mapped + PAGE;
    case 9:
        return (uint64_t)an_address; /* its own text: read only */
    case 10:
        return random_number();
    case 11:
    case 12:
        return (uint64_t)arena + random_number() % (ARENA_PAGES * PAGE);
    default:
        return (uint64_t)buffer + random_number() % sizeof(buffer);
    }
}

static uint64_t a_number(void)
{
    static const uint64_t edges[] = {
        0,         1,         2,          3,          4,          7,         8,
        16,        255,       511,        512,        4095,       4096,      4097,
        65536,     1UL << 20, 0x7fffffff, 0x80000000, 0xffffffff, 1UL << 32, 0x7fffffffffffffff,
        1UL << 63, -1UL,      -2UL,       -4096UL};
    if (random_number() % 4)
        return edges[random_number() % (sizeof(edges) / sizeof(edges[0]))];
    return random_number() >> (random_number() % 64);
}

/* Relative to a directory of our own: most calls that take a path change something there. */
static uint64_t a_path(void)
{
    static const char *const paths[] = {
        "a", "b", "d", "d/e", "./a", ".", "..", "", "/", "no/such", "/proc/self/maps"};
    return (uint64_t)paths[random_number() % (sizeof(paths) / sizeof(paths[0]))];
}

static uint64_t an_argument(void)
{
    switch (random_number() % 8) {
    case 0:
        return random_number() % 12; /* a file descriptor, a signal, a small flag */
    case 1:
        return a_path();
    case 2:
    case 3:
    case 4:
        return an_address();
    default:
        return a_number();
    }
}

/* Numbers: mostly of calls that there are, some that there are not. */
static uint64_t a_call(void)
{
    static const uint64_t nowhere[] = {-1UL, 0xffffffff, 1UL << 63, 335, 450, 1000, 0x40000000};
    switch (random_number() % 64) {
    case 0:
        return nowhere[random_number() % (sizeof(nowhere) / sizeof(nowhere[0]))];
    case 1:
        return random_number();
    default:
        return random_number() % 335;
    }
}

/* Calls whose success would end the wrong process, stop the machine, or leave two on one stack. */
static int is_kept_out(uint64_t call)
{
    static const short out[] = {
        SYS_vfork,           SYS_exit,    SYS_exit_group, SYS_reboot,      SYS_pause,
        SYS_ptrace,          SYS_umount2, SYS_mount,      SYS_pivot_root,  SYS_chroot,
        SYS_setsid,          SYS_swapoff, SYS_kexec_load, SYS_init_module, SYS_rt_sigsuspend,
        SYS_rt_sigtimedwait, SYS_vhangup};
    for (unsigned i = 0; i < sizeof(out) / sizeof(out[0]); i++)
        if (call == (uint64_t)out[i])
            return 1;
    return 0;
}

/* Signals reach the caller only, mostly signal 0, and none that stops it. */
static void tame_signal(uint64_t call, uint64_t *a)
{
    uint64_t own = (uint64_t)syscall(SYS_getpid), *number = &a[call == SYS_tgkill ? 2 : 1];

    a[0] = random_number() % 2 || call == SYS_tgkill ? own : 999999;
    if (call == SYS_tgkill)
        a[1] = own;
    if (random_number() % 8)
        *number = 0;
    else if ((uint32_t)*number >= SIGCHLD && (uint32_t)*number <= SIGTTOU)
        *number = SIGUSR1;
}

/* A piece of the arena, and a place in it where the piece goes: most end inside of a 2 MiB page. */
static uint64_t a_piece(uint64_t *size)
{
    uint64_t first =
        random_number() % 4 ? random_number() % ARENA_PAGES : random_number() % 4 * 512;
    uint64_t most = ARENA_PAGES - first,
             pages = random_number() % 2 ? random_number() % 16 : random_number() % most;
    *size = (pages < most ? pages + 1 : most) * PAGE;
    return (uint64_t)arena + first * PAGE;
}

static void tame_memory(uint64_t call, uint64_t *a)
{
    uint64_t size;
    a[0] = a_piece(&a[1]);
    if (call == SYS_mremap) {
        a[4] = a_piece(&a[2]);
        a[3] = random_number() % 4;
    } else if (call == SYS_mmap) {
        a[2] = random_number() % 8;
        a[3] = random_number() % 2 + 1 + random_number() % 2 * MAP_FIXED +
               (random_number() % 4 ? MAP_ANONYMOUS : 0);
        a[4] = random_number() % 12;
        a[5] = random_number() % 8 * PAGE;
    } else if (call == SYS_mprotect && random_number() % 4) {
        a[2] = PROT_READ | PROT_WRITE;
    } else if (call == SYS_madvise && random_number() % 2) {
        a[2] = MADV_DONTNEED;
    }
    uint64_t from = a_piece(&size);
    if (random_number() % 8 == 0) /* write through it, as far as it goes */
        syscall(SYS_getrandom, from, size, 0);
}

/* What would end a child at once is made rare, and what would reach beyond it is made impossible. */
static void tame(uint64_t call, uint64_t *a)
{
    switch (call) {
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_rt_sigqueueinfo:
        tame_signal(call, a);
        break;
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_mremap:
    case SYS_madvise:
        if (random_number() % 32)
            tame_memory(call, a);
        break; /* else anywhere, its own code included */
    case SYS_open:
    case SYS_openat:
        if (random_number() % 4)
            a[call == SYS_openat ? 2 : 1] =
                random_number() & (O_ACCMODE | O_CREAT | O_TRUNC | O_DIRECTORY);
        break;
    case SYS_ftruncate:
        a[1] %= 64 * PAGE;
        break;
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
        a[call == SYS_nanosleep ? 0 : 2] = (uint64_t)half_mapped + PAGE - 8;
        break;
    default:
        break;
    }
}

/*
 * The call itself, without anything of libc's around it. A child that comes into being here ends at once, without
 * touching a stack, which it may share.
 */
static int64_t make_call(uint64_t call, const uint64_t *a)
{
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    register uint64_t is_fork __asm__("r12") = call == SYS_fork || call == SYS_clone || call == 435;
    int64_t result;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "test %%r12, %%r12\n\t"
                     "jz 1f\n\t"
                     "mov $60, %%eax\n\t"
                     "xor %%edi, %%edi\n\t"
                     "syscall\n\t"
                     "1:"
                     : "=a"(result)
                     : "a"(call), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9),
                       "r"(is_fork)
                     : "rcx", "r11", "memory", "cc");
    return result;
}

static __attribute__((noreturn)) void child(struct progress *progress, unsigned long limit)
{
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    if (open("/dev/null", O_RDWR) != 0 || dup(0) != 1 || open("/dev/zero", O_RDWR) != 2)
        _exit(1);
    arena = map_anonymous((ARENA_PAGES + 513) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    arena += -(uintptr_t)arena % (512 * PAGE);
    mprotect(arena + ARENA_PAGES * PAGE, PAGE,
             PROT_NONE); /* what is above is not for long writes */
    unsigned long end = progress->calls + BATCH;
    if (end > limit)
        end = limit;
    while (progress->calls < end) {
        uint64_t arguments[6], call = a_call();
        if (is_kept_out(call))
            continue;
        for (int i = 0; i < 6; i++)
            arguments[i] = an_argument();
        tame(call, arguments);
        progress->calls++;
        if (make_call(call, arguments) == -ENOSYS)
            progress->enosys++;
    }
    _exit(0);
}

static void sleep_ms(long ms)
{
    struct timespec time = {0, ms * 1000000};
    nanosleep(&time, NULL);
}

/* Until the child ends; one that stands still is killed. Returns 1 for that. */
static int watch(pid_t pid, const struct progress *progress)
{
    unsigned long seen = -1UL;
    int stuck = 0, status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        unsigned long calls = progress->calls;
        if (calls == seen) {
            kill(pid, SIGKILL);
            stuck = 1;
        }
        seen = calls;
        sleep_ms(PATIENCE_MS);
    }
    return stuck;
}

/* One of the processes: children, one after the other, until the calls are made. */
static int supervise(struct progress *progress, unsigned long calls, uint64_t seed)
{
    char directory[64];
    unsigned long children = 0, stuck = 0, before = -1UL, idle = 0;

    snprintf(directory, sizeof(directory), "/tmp/fuzz.%d", (int)getpid());
    while (progress->calls < calls && idle < 100) {
        state = (seed + 1) * 0x9e3779b97f4a7c15UL + children++ * 0xbf58476d1ce4e5b9UL;
        mkdir(directory, 0700);
        pid_t pid = fork();
        if (pid == 0) {
            if (chdir(directory))
                _exit(1);
            child(progress, calls);
        }
        if (pid > 0)
            stuck += (unsigned long)watch(pid, progress);
        while (waitpid(-1, NULL, WNOHANG) > 0) /* what clone(CLONE_PARENT) gave us */
            ;
        idle = progress->calls == before ? idle + 1 : 0;
        before = progress->calls;
    }
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    if (system(command))
        printf("fuzz: %s cannot be removed\n", directory);
    printf("%lu calls (%lu of them unknown) in %lu children, %lu of which were killed waiting\n",
           progress->calls, progress->enosys, children, stuck);
    return progress->calls < calls;
}

int main(int argc, char **argv)
{
    unsigned long calls = argument(argc, argv, 1, 1000000), processes = argument(argc, argv, 2, 4),
                  total = 0;
    uint64_t seed = argument(argc, argv, 3, 1);
    int status, failed = 0;

    if (processes == 0 || processes > MOST_PROCESSES)
        return fprintf(stderr, "fuzz: 1 to %d processes\n", MOST_PROCESSES), 2;
    struct progress *progress = (struct progress *)map_anonymous(
        MOST_PROCESSES * sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED);
    half_mapped = map_anonymous(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    mprotect(half_mapped + PAGE, PAGE, PROT_NONE); /* a hole would be filled by the next mmap() */
    fflush(stdout);
    for (unsigned long i = 0; i < processes; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0)
            exit(supervise(&progress[i], calls / processes, seed * MOST_PROCESSES + i));
    }
    for (unsigned long i = 0; i < processes; i++)
        failed += wait(&status) < 0 || status != 0;
    for (unsigned long i = 0; i < processes; i++)
        total += progress[i].calls;
    printf("%lu random system calls by %lu processes, %d did not get through\n", total, processes,
           failed);
    return failed != 0;
}
