// SPDX-License-Identifier: MIT
/*
 * What ring 3 pays: ubench [MIB]. Ticks of the time stamp counter, which under QEMU's -icount are instructions, the
 * kernel's and the few of this program alike. The same binary runs on Debian's Linux in the same virtual machine
 * (`make bench-linux`), so the figures can be laid side by side.
 *
 *   getppid        one system call that does next to nothing, there and back
 *   fault          first write to a page of anonymous memory: from the instruction and back to it
 *   fork           of a process that has touched MIB MiB, per page of 4 KiB: before anybody writes
 *   fork write     ... and what the first write to such a page costs while the child lives: the copy
 *   fork reuse     ... and once the child is gone: the frame is kept
 */
#include "user/lab.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#define CALLS 20000
#define FAULTS 4096

static void report(const char *what, unsigned long count, uint64_t total)
{
    unsigned long hundredths = (unsigned long)(total * 100 / count);
    printf("@ubench {\"what\": \"%s\", \"operations\": %lu, \"instructions\": %lu, "
           "\"instructions_per_operation\": %lu.%02lu}\n",
           what, count, (unsigned long)total, hundredths / 100, hundredths % 100);
    fflush(stdout);
}

static inline long raw_getppid(void)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"((long)SYS_getppid) : "rcx", "r11", "memory");
    return result;
}

static void bench_getppid(void)
{
    raw_getppid();
    uint64_t start = rdtsc();
    for (int i = 0; i < CALLS; i++)
        raw_getppid();
    report("getppid", CALLS, rdtsc() - start);
}

/* Memory in pages of 4 KiB: on Linux, too, where Debian's kernel would take 2 MiB at once. */
static char *small_pages(size_t size)
{
    char *area = map_anonymous(size, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    madvise(area, size, MADV_NOHUGEPAGE);
    return area;
}

static uint64_t write_each_page(volatile char *area, size_t size)
{
    uint64_t start = rdtsc();
    for (size_t at = 0; at < size; at += PAGE)
        area[at] = 1;
    return rdtsc() - start;
}

static void bench_fault(void)
{
    char *area = small_pages(FAULTS * PAGE);
    write_each_page(area, 64 * PAGE); /* page tables, and whatever the first fault brings */
    report("fault", FAULTS - 64, write_each_page(area + 64 * PAGE, (FAULTS - 64) * PAGE));
    munmap(area, FAULTS * PAGE);
}

/* The child only waits: what is measured is what its making costs the parent. */
static pid_t fork_waiting(int *let_go, uint64_t *ticks)
{
    int ends[2];
    char byte;

    if (pipe(ends))
        die("pipe");
    uint64_t start = rdtsc();
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) < 0);
    }
    *ticks = rdtsc() - start;
    if (child < 0)
        die("fork");
    close(ends[0]);
    *let_go = ends[1];
    return child;
}

static void wait_for_end(pid_t child, int let_go)
{
    close(let_go);
    if (waitpid(child, NULL, 0) != child)
        die("waitpid");
}

static void bench_fork(size_t size)
{
    char *area = small_pages(size);
    uint64_t ticks;
    int let_go;

    write_each_page(area, size);
    pid_t child = fork_waiting(&let_go, &ticks);
    report("fork", size / PAGE, ticks);
    report("fork write", size / PAGE, write_each_page(area, size));
    wait_for_end(child, let_go);
    child = fork_waiting(&let_go, &ticks);
    wait_for_end(child, let_go);
    report("fork reuse", size / PAGE, write_each_page(area, size));
    munmap(area, size);
    child = fork_waiting(&let_go, &ticks);
    wait_for_end(child, let_go);
    report("fork alone", 1, ticks);
}

int main(int argc, char **argv)
{
    size_t mib = argument(argc, argv, 1, 256);

    bench_getppid();
    bench_fault();
    bench_fork((mib ? mib : 1) * MIB);
    printf("@ubench {\"done\": true, \"mib\": %zu}\n", mib);
    return 0;
}
