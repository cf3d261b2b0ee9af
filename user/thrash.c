// SPDX-License-Identifier: MIT
/*
 * Much of everything: thrash [MIB [PROCESSES]]. Memory taken, filled, verified and given back in odd pieces; processes
 * that fork while others write; files grown and cut. Then a child that takes all memory there is, which the kernel has to
 * end, and nobody else. Exit status 0: all content was as written. Runs on Linux too; `thrash 0` leaves the last part
 * out.
 */
#include "user/lab.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define PIECES 64

static uint64_t random_state = 88172645463325252UL;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

struct piece {
    unsigned long *at;
    size_t pages;
};

static void fill(struct piece *piece, unsigned long key)
{
    for (size_t i = 0; i < piece->pages; i++)
        piece->at[i * PAGE / sizeof(long)] = key + i;
}

static size_t wrong_in(const struct piece *piece, unsigned long key)
{
    size_t wrong = 0;
    for (size_t i = 0; i < piece->pages; i++)
        wrong += piece->at[i * PAGE / sizeof(long)] != key + i;
    return wrong;
}

/* Pieces of odd sizes come and go until `budget` pages have been written. Returns the pages found wrong. */
static size_t thrash_memory(size_t budget)
{
    struct piece pieces[PIECES] = {{0}};
    size_t wrong = 0;

    while (budget) {
        unsigned i = (unsigned)(random_number() % PIECES);
        struct piece *piece = &pieces[i];
        if (piece->at) {
            wrong += wrong_in(piece, i);
            if (munmap(piece->at, piece->pages * PAGE))
                die("munmap");
            piece->at = NULL;
            continue;
        }
        piece->pages = 1 + random_number() % 40;
        if (piece->pages > budget)
            piece->pages = budget;
        piece->at = (unsigned long *)map_anonymous(piece->pages * PAGE, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE);
        fill(piece, i);
        budget -= piece->pages;
    }
    for (unsigned i = 0; i < PIECES; i++) {
        wrong += pieces[i].at ? wrong_in(&pieces[i], i) : 0;
        if (pieces[i].at)
            munmap(pieces[i].at, pieces[i].pages * PAGE);
    }
    return wrong;
}

/* A file that grows and is cut, with a pattern that says where a byte belongs. Returns the bytes found wrong. */
static size_t thrash_file(int number)
{
    unsigned char block[3000], found[3000];
    char path[64];
    size_t wrong = 0;

    snprintf(path, sizeof(path), "/tmp/thrash.%d.%d", (int)getpid(), number);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        die(path);
    memset(block, 'a' + number, sizeof(block));
    for (int i = 0; i < 30; i++)
        if (write(fd, block, sizeof(block)) != sizeof(block))
            die("write");
    if (ftruncate(fd, 10000) || ftruncate(fd, 20000) || lseek(fd, 9000, SEEK_SET) != 9000)
        die("ftruncate");
    if (read(fd, found, sizeof(found)) != sizeof(found))
        die("read");
    for (size_t i = 0; i < sizeof(found); i++)
        wrong += found[i] != (i < 1000 ? 'a' + number : 0);
    close(fd);
    unlink(path);
    return wrong;
}

static int worker(int number, size_t pages)
{
    struct piece shared = {
        (unsigned long *)map_anonymous(100 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), 100};
    int status;

    random_state += (unsigned long)number * 0x9e3779b97f4a7c15UL;
    fill(&shared, 7);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    fill(&shared, child ? 8 : 9); /* both write what both had */
    size_t wrong =
        thrash_memory(pages / 2) + thrash_file(number) + wrong_in(&shared, child ? 8 : 9);
    if (child == 0)
        _exit(wrong != 0);
    if (waitpid(child, &status, 0) != child)
        die("waitpid");
    return wrong || status;
}

/* Everything, until the kernel says stop: by an error or by SIGKILL. */
static void take_all_memory(void)
{
    for (;;) {
        char *area =
            mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED)
            _exit(42);
        for (size_t at = 0; at < 4 * MIB; at += PAGE)
            area[at] = 1;
    }
}

static int bomb(void)
{
    int status;
    pid_t child = fork();

    if (child < 0)
        die("fork");
    if (child == 0)
        take_all_memory();
    if (waitpid(child, &status, 0) != child)
        die("waitpid");
    if (WIFSIGNALED(status))
        printf("a child took all memory and was ended by signal %d\n", WTERMSIG(status));
    else
        printf("a child took all memory and was refused, status %d\n", WEXITSTATUS(status));
    return !(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 42);
}

int main(int argc, char **argv)
{
    unsigned long mib = argument(argc, argv, 1, 16), processes = argument(argc, argv, 2, 4);
    int status, bad = 0;

    for (unsigned long i = 0; i < processes; i++) {
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0)
            _exit(worker((int)i, (mib ? mib : 16) * MIB / PAGE));
    }
    for (unsigned long i = 0; i < processes; i++)
        bad += wait(&status) < 0 || status != 0;
    printf("%lu processes and a child of each: %d found something wrong\n", processes, bad);
    fflush(stdout);
    return (bad || (mib && bomb())) != 0;
}
