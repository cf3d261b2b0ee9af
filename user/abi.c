// SPDX-License-Identifier: MIT
/*
 * What a program may rely on between it and the kernel: abi. One line for each promise, with what came of it; nothing
 * in a line depends on process numbers or addresses, so that the same binary must print the same on Linux, where the
 * tests run it too. No promise about speed.
 */
#include "user/lab.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static volatile sig_atomic_t caught, caught_code;
static void *volatile caught_address;
static sigjmp_buf back;

static void note(int signal)
{
    caught = signal;
}

static void note_info(int signal, siginfo_t *info, void *context)
{
    (void)context;
    caught = signal;
    caught_code = info->si_code;
    caught_address = info->si_addr;
}

static void jump_back(int signal, siginfo_t *info, void *context)
{
    note_info(signal, info, context);
    siglongjmp(back, 1);
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | flags};
    action.sa_sigaction = handler;
    sigaction(signal, &action, NULL);
    caught = caught_code = 0;
    caught_address = NULL;
}

static const char *ended(int status)
{
    static char text[40];
    if (WIFEXITED(status))
        snprintf(text, sizeof(text), "exited %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof(text), "killed by %d", WTERMSIG(status));
    else if (WIFSTOPPED(status))
        snprintf(text, sizeof(text), "stopped by %d", WSTOPSIG(status));
    else
        snprintf(text, sizeof(text), "continued");
    return text;
}

static const char *wait_for(pid_t child, int options)
{
    int status = 0;
    pid_t got = waitpid(child, &status, options);
    return got == child ? ended(status) : got == 0 ? "not yet" : strerror(errno);
}

static void say(const char *promise, const char *outcome)
{
    printf("%-34s %s\n", promise, outcome);
}

static void say_number(const char *promise, long number)
{
    printf("%-34s %ld\n", promise, number);
}

static void say_error(const char *promise, long result)
{
    printf("%-34s %s\n", promise, result == -1 ? strerror(errno) : "works");
}

static void nap(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&time, &time) && errno == EINTR)
        ;
}

static void children(void)
{
    pid_t child = fork();
    if (!child)
        _exit(7);
    say("exit status", wait_for(child, 0));
    say("wait again", wait_for(child, 0));
    if (!(child = fork()))
        abort();
    say("abort", wait_for(child, 0));
    if (!(child = vfork()))
        _exit(9);
    say("vfork", wait_for(child, 0));
    if (!(child = fork()))
        pause();
    say("WNOHANG", wait_for(child, WNOHANG));
    kill(child, SIGSTOP);
    say("WUNTRACED", wait_for(child, WUNTRACED));
    kill(child, SIGCONT);
    say("WCONTINUED", wait_for(child, WCONTINUED));
    kill(child, SIGTERM);
    say("SIGTERM", wait_for(child, 0));
    signal(SIGCHLD, SIG_IGN);
    if (!(child = fork()))
        _exit(1);
    say("SIGCHLD ignored: no zombie", wait_for(child, 0));
    signal(SIGCHLD, SIG_DFL);
    siginfo_t info = {0};
    if (!(child = fork()))
        _exit(5);
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    say_number("waitid si_status", info.si_status);
    say("... left waitable", wait_for(child, 0));
    say_error("kill nobody", kill(0x7ffffff, SIGTERM));
    say_error("kill with signal 65", kill(getpid(), 65));
}

static void groups(void)
{
    pid_t child = fork();
    if (!child)
        _exit(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid() ? 0 : 1);
    say("setsid", wait_for(child, 0));
    if (!(child = fork()))
        pause();
    say_error("setpgid of a child", setpgid(child, child));
    say_number("getpgid is its pid", getpgid(child) == child);
    kill(-child, SIGUSR1);
    say("signal to its group", wait_for(child, 0));
    say_error("setpgid of nobody", setpgid(0x7ffffff, 0));
}

static void signals(void)
{
    sigset_t set, old, pending;
    handle(SIGUSR1, note_info, 0);
    raise(SIGUSR1);
    say_number("raise runs the handler", caught);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    caught = 0;
    kill(getpid(), SIGUSR1);
    sigpending(&pending);
    say_number("blocked: not delivered", caught);
    say_number("... but pending", sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    say_number("... delivered when unblocked", caught);
    say_number("... si_code SI_USER", caught_code == SI_USER);
    sigprocmask(SIG_BLOCK, &set, &old);
    kill(getpid(), SIGUSR1);
    struct timespec no_time = {0, 0};
    say_number("sigtimedwait takes it", sigtimedwait(&set, NULL, &no_time));
    say_error("... and then there is none", sigtimedwait(&set, NULL, &no_time));
    caught = 0;
    if (!fork()) {
        nap(20);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    say_error("sigsuspend", sigsuspend(&old));
    say_number("... handler has run", caught);
    sigprocmask(SIG_SETMASK, &old, NULL);
    wait(NULL);
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESETHAND};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &action);
    say_number("SA_RESETHAND resets", action.sa_handler == SIG_DFL);
    signal(SIGKILL, SIG_IGN);
    say_error("SIGKILL cannot be ignored", signal(SIGKILL, SIG_IGN) == SIG_ERR ? -1 : 0);
}

static void restarts(void)
{
    int ends[2];
    char byte = 0;
    for (int restart = 0; restart < 2; restart++) {
        handle(SIGALRM, note_info, restart ? SA_RESTART : 0);
        if (pipe(ends))
            die("pipe");
        pid_t child = fork();
        if (!child) {
            nap(40);
            kill(getppid(), SIGALRM);
            nap(40);
            _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
        }
        say_error(restart ? "read with SA_RESTART" : "read without SA_RESTART",
                  read(ends[0], &byte, 1) == 1 ? 0 : -1);
        waitpid(child, NULL, 0);
        close(ends[0]);
        close(ends[1]);
    }
    pid_t sleeper = fork();
    if (!sleeper) {
        struct timespec time = {0, 200000000};
        _exit(nanosleep(&time, NULL) ? 1 : 0);
    }
    nap(20);
    kill(sleeper, SIGSTOP);
    waitpid(sleeper, NULL, WUNTRACED);
    kill(sleeper, SIGCONT);
    say("a sleep that was stopped goes on", wait_for(sleeper, 0));
    handle(SIGALRM, note_info, SA_RESTART);
    struct itimerval timer = {.it_value = {0, 20000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    struct timespec time = {10, 0}, left = {0, 0};
    say_error("nanosleep and a timer", nanosleep(&time, &left));
    say_number("... tells what is left", left.tv_sec);
    say_number("... SIGALRM came", caught == SIGALRM);
    alarm(100);
    say_number("alarm gives back the old one", alarm(0));
}

static void faults(void)
{
    handle(SIGSEGV, jump_back, 0);
    if (!sigsetjmp(back, 1))
        *(volatile int *)0x1238 = 1;
    printf("%-34s signal %d code %d address %p\n", "write to nowhere", caught, caught_code,
           caught_address);
    volatile char *page = map_anonymous(PAGE, PROT_READ, MAP_PRIVATE);
    handle(SIGSEGV, jump_back, 0);
    if (!sigsetjmp(back, 1))
        page[8] = 1;
    printf("%-34s signal %d code %d offset %ld\n", "write to a read-only page", caught, caught_code,
           (long)((char *)caught_address - (char *)page));
    handle(SIGFPE, jump_back, 0);
    volatile int hundred = 100, zero = 0;
    if (!sigsetjmp(back, 1))
        zero = hundred / zero;
    printf("%-34s signal %d code %d\n", "divide by zero", caught, caught_code);
    handle(SIGILL, jump_back, 0);
    if (!sigsetjmp(back, 1))
        __asm__ volatile("ud2");
    printf("%-34s signal %d code %d\n", "ud2", caught, caught_code);
    handle(SIGTRAP, note_info, 0);
    __asm__ volatile("int3");
    printf("%-34s signal %d code %d\n", "int3", caught, caught_code);
    handle(SIGSEGV, jump_back, 0);
    if (!sigsetjmp(back, 1))
        __asm__ volatile("hlt");
    printf("%-34s signal %d code %d address %p\n", "hlt", caught, caught_code, caught_address);
    signal(SIGSEGV, SIG_DFL);
}

static int recurse(int depth)
{
    volatile char room[4096];
    room[0] = (char)depth;
    return depth < 0 ? 0 : recurse(depth + 1) + room[0];
}

static void stack_overflow(void)
{
    static char other[65536];
    stack_t stack = {.ss_sp = other, .ss_size = sizeof(other)}, was;
    sigaltstack(&stack, NULL);
    handle(SIGSEGV, jump_back, SA_ONSTACK);
    if (!sigsetjmp(back, 1))
        recurse(0);
    say_number("stack overflow on a signal stack", caught);
    sigaltstack(NULL, &was);
    say_number("... which is free again", !(was.ss_flags & SS_ONSTACK));
    signal(SIGSEGV, SIG_DFL);
}

static void spoil_registers(int signal)
{
    caught = signal;
    __asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm7, %%xmm7; fldz; fldz" ::
                         : "xmm0", "xmm1", "xmm7");
}

static void floating_point(void)
{
    double result;
    signal(SIGUSR1, spoil_registers);
    __asm__ volatile("movsd %1, %%xmm7\n\t"
                     "mov %2, %%eax\n\t" /* getpid() */
                     "syscall\n\t"
                     "mov %%eax, %%edi\n\t"
                     "mov %3, %%esi\n\t"
                     "mov %4, %%eax\n\t" /* kill() */
                     "syscall\n\t"
                     "movsd %%xmm7, %0"
                     : "=m"(result)
                     : "m"((double){42.5}), "i"(SYS_getpid), "i"(SIGUSR1), "i"(SYS_kill)
                     : "rax", "rcx", "rdi", "rsi", "r11", "memory", "xmm7");
    printf("%-34s %.2f\n", "SSE kept over a handler", result);
    say_number("... which has run", caught);
}

static void *thread_body(void *argument)
{
    *(volatile int *)argument += 1;
    return (char *)argument + 1;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count(void *argument)
{
    (void)argument;
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
        if (i % 100 == 0)
            sched_yield();
    }
    return NULL;
}

static void threads(void)
{
    pthread_t thread, many[8];
    int value = 41;
    void *result = NULL;
    pthread_create(&thread, NULL, thread_body, &value);
    pthread_join(thread, &result);
    say_number("a thread's work", value);
    say_number("... and result", (char *)result - (char *)&value);
    for (int i = 0; i < 8; i++)
        pthread_create(&many[i], NULL, count, NULL);
    for (int i = 0; i < 8; i++)
        pthread_join(many[i], NULL);
    say_number("8 threads count to", counter);
    pid_t child = fork();
    if (!child) {
        pthread_create(&thread, NULL, count, NULL);
        _exit(3);
    }
    say("exit_group with a thread", wait_for(child, 0));
    if (!(child = fork())) {
        pthread_create(&thread, NULL, (void *(*)(void *))(void *)pause, NULL);
        nap(10);
        pthread_kill(thread, SIGTERM);
        pause();
    }
    say("a signal to a thread kills all", wait_for(child, 0));
    if (!(child = fork())) {
        pthread_create(&thread, NULL, (void *(*)(void *))(void *)pause, NULL);
        nap(10);
        char *arguments[] = {"abi", "exit", "11", NULL};
        execve("/proc/self/exe", arguments, environ);
        execv("/bin/abi", arguments);
        _exit(127);
    }
    say("execve with a thread", wait_for(child, 0));
}

static void programs(const char *self)
{
    char path[] = "/tmp/abi.script", *arguments[] = {"abi", "exit", "5", NULL}, *none[] = {NULL};
    pid_t child = fork();
    if (!child) {
        execv(self, arguments);
        _exit(127);
    }
    say("execve", wait_for(child, 0));
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    dprintf(fd, "#! %s exit-third\n", self);
    close(fd);
    say_error("a script without x", execv(path, arguments));
    chmod(path, 0755);
    if (!(child = fork())) {
        execv(path, (char *[]){"name", "23", NULL});
        _exit(127);
    }
    say("a script", wait_for(child, 0));
    fd = open(path, O_WRONLY | O_TRUNC);
    dprintf(fd, "no program at all\n");
    close(fd);
    say_error("execve of text", execve(path, arguments, none));
    unlink(path);
    say_error("execve of nothing", execve("/tmp/not.there", arguments, none));
    say_error("execve of a directory", execve("/tmp", arguments, none));
    static char *much[40000];
    for (int i = 0; i < 39999; i++)
        much[i] =
            "a string of more than a hundred bytes, that is there forty thousand times, which is four "
            "million in all: no";
    say_error("execve with 4 MB of arguments", execve(self, much, none));
    say_error("execve with a bad pointer", syscall(SYS_execve, self, 8L, none));
}

static void identity(void)
{
    say_number("getuid", getuid());
    say_number("AT_PAGESZ", (long)getauxval(AT_PAGESZ));
    say_number("AT_CLKTCK", (long)getauxval(AT_CLKTCK));
    say_number("AT_SECURE", (long)getauxval(AT_SECURE));
    say_number("AT_PHENT", (long)getauxval(AT_PHENT));
    say_number("AT_RANDOM there", getauxval(AT_RANDOM) != 0);
    say_number("AT_EXECFN ends in abi",
               strcmp(strrchr((char *)getauxval(AT_EXECFN), '/') + 1, "abi") == 0);
    say_number("gettid is getpid", syscall(SYS_gettid) == getpid());
    struct timespec first, second;
    clock_gettime(CLOCK_MONOTONIC, &first);
    nap(20);
    clock_gettime(CLOCK_MONOTONIC, &second);
    long ns = (second.tv_sec - first.tv_sec) * 1000000000L + second.tv_nsec - first.tv_nsec;
    say_number("20 ms take 20 ms at least", ns >= 20000000);
    say_error("clock 99", clock_gettime(99, &first));
    say_error("a call that is none", syscall(5000));
    say_error("call -1", syscall(-1));
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "exit") == 0)
        return atoi(argv[2]);
    if (argc == 4 && strcmp(argv[1], "exit-third") == 0)
        return atoi(argv[3]);
    identity();
    children();
    groups();
    signals();
    restarts();
    faults();
    stack_overflow();
    floating_point();
    threads();
    programs(argv[0][0] == '/' ? argv[0] : "/bin/abi");
    return 0;
}
