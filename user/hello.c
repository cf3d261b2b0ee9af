// SPDX-License-Identifier: MIT
/*
 * The smallest program: says who it is and what the kernel gave it to start with. Runs on Linux too.
 */
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static int in_data = 1;
    int on_stack = 2;

    printf("Hello from ring 3: I am process %d, my parent is %d.\n", (int)getpid(), (int)getppid());
    for (int i = 0; i < argc; i++)
        printf("  argv[%d] = %s\n", i, argv[i]);
    printf("  main is at %p, data at %p, the stack at %p\n", (void *)main, (void *)&in_data,
           (void *)&on_stack);
    printf("  a page has %lu bytes, the program headers are at %#lx\n", getauxval(AT_PAGESZ),
           getauxval(AT_PHDR));
    return 0;
}
