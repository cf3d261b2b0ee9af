// SPDX-License-Identifier: MIT
/*
 * The host's side of mm/port.h and of the ASSERT() in lib/assert.h, and the test's side of both
 * (harness.h). One thread, so nothing here is locked. A panic inside expect_panic() jumps back to
 * it; any other panic fails the running test with its text.
 */
#include "tests/host/harness.h"

#include <sys/mman.h>

#include "lib/bits.h"
#include "lib/failpoint.h"
#include "lib/format.h"
#include "mm/page.h"
#include "mm/port.h"
#include "tests/host/soft_mmu.h"

#define MESSAGE_SIZE 1024
#define LOCKS_HELD_MAX 16
#define LOCK_ORDERS_MAX 256
#define LOCK_IRQ_SAFE 1u   /* taken by spin_lock_irqsave() or inside an interrupt */
#define LOCK_IRQ_UNSAFE 2u /* taken while an interrupt could come and want it, too */
#define FLAG_INTERRUPTS 0x200u /* where IF is in the real flags register */

vaddr_t host_direct_map_base, host_vmemmap_base;

/* Everything a panic may leave in the middle of a change. */
static struct {
    u32 cpu;
    bool irqs_off[MAX_CPUS];
    bool in_interrupt;
    u32 depth;
    struct spinlock *held[LOCKS_HELD_MAX]; /* in order of acquisition, all CPUs */
} world;

static u32 cpu_count = 1;
static u64 clock_ns;
static struct tlb_stats tlb_counters;
static u64 warnings;

/* "`second` was taken while `first` was held", by class name. Kept for the life of the program. */
static struct {
    const char *first, *second;
} lock_orders[LOCK_ORDERS_MAX];
static u32 lock_order_count;

static bool panic_expected;
static jmp_buf panic_return;
static char panic_message[MESSAGE_SIZE];

static u64 reports, reports_seen;
static char last_report[MESSAGE_SIZE];

static void *direct_map, *vmemmap;
static u64 memory_size;

/* ---- how the sanitizers behave ------------------------------------------------------------- */

/* A wild access ends the program with ASan's report, which cmocka's own handler would swallow. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "handle_segv=2:handle_sigbus=2:detect_stack_use_after_return=1";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1";
}

/* ---- panics and reports -------------------------------------------------------------------- */

static __noreturn void stop_here(void)
{
    if (panic_expected)
        longjmp(panic_return, 1);
    print_error("unexpected panic: %s\n", panic_message);
    _fail(__FILE__, __LINE__);
    abort();
}

void port_panic(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vformat_to(panic_message, sizeof(panic_message), format, args);
    va_end(args);
    stop_here();
}

void assert_failed(const char *file, int line, const char *expression, const char *format, ...)
{
    va_list args;
    size_t n = format_to(panic_message, sizeof(panic_message), "%s:%d: ASSERT(%s): ", file, line,
                         expression);

    va_start(args, format);
    if (n < sizeof(panic_message))
        vformat_to(panic_message + n, sizeof(panic_message) - n, format, args);
    va_end(args);
    stop_here();
}

void port_report(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vformat_to(last_report, sizeof(last_report), format, args);
    va_end(args);
    reports++;
    if (getenv("HOST_VERBOSE"))
        fprintf(stderr, "BUG: %s\n", last_report);
}

static void __printf(2, 0) log_line(const char *level, const char *format, va_list args)
{
    char line[MESSAGE_SIZE];

    vformat_to(line, sizeof(line), format, args); /* in any case: ASan sees bad arguments */
    if (getenv("HOST_VERBOSE"))
        fprintf(stderr, "%s: %s\n", level, line);
}

void port_warn(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_line("warning", format, args);
    va_end(args);
    warnings++;
}

void port_info(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_line("info", format, args);
    va_end(args);
}

u64 host_warnings(void)
{
    return warnings;
}

u64 host_take_reports(void)
{
    u64 n = reports - reports_seen;

    reports_seen = reports;
    return n;
}

const char *host_last_report(void)
{
    return last_report;
}

void host_expect_report(const char *substring, const char *file, int line)
{
    u64 n = host_take_reports();

    if (n == 1 && strstr(last_report, substring))
        return;
    print_error("expected one report with \"%s\"; %lu came, the last one: %s\n", substring, n,
                n ? last_report : "-");
    _fail(file, line);
}

/* Locks that the interrupted code took are let go; those from before the call stay held. */
static void rewind_world(u32 depth, u32 cpu, const bool *irqs_off, bool in_irq)
{
    while (world.depth > depth)
        world.held[--world.depth]->holder = 0;
    world.cpu = cpu;
    world.in_interrupt = in_irq;
    memcpy(world.irqs_off, irqs_off, sizeof(world.irqs_off));
}

void host_expect_panic(void (*fn)(void *), void *arg, const char *substring, const char *file,
                       int line)
{
    u32 depth = world.depth, cpu = world.cpu;
    bool irqs_off[MAX_CPUS], in_irq = world.in_interrupt;

    memcpy(irqs_off, world.irqs_off, sizeof(irqs_off));
    panic_message[0] = '\0';
    panic_expected = true;
    if (!setjmp(panic_return)) {
        fn(arg);
        panic_expected = false;
        print_error("expected a panic with \"%s\"; none came\n", substring);
        _fail(file, line);
    }
    panic_expected = false;
    rewind_world(depth, cpu, irqs_off, in_irq);
    if (strstr(panic_message, substring))
        return;
    print_error("expected a panic with \"%s\"; got: %s\n", substring, panic_message);
    _fail(file, line);
}

/* ---- CPUs, interrupts, time ---------------------------------------------------------------- */

u32 cpu_id(void)
{
    return world.cpu;
}

bool in_interrupt(void)
{
    return world.in_interrupt;
}

u32 port_cpu_count(void)
{
    return cpu_count;
}

void host_set_cpu(u32 cpu)
{
    ASSERT(cpu < MAX_CPUS, "CPU %u of %u", cpu, MAX_CPUS);
    world.cpu = cpu;
}

void host_set_cpu_count(u32 count)
{
    ASSERT(count >= 1 && count <= MAX_CPUS, "%u CPUs, at most %u", count, MAX_CPUS);
    cpu_count = count;
}

void host_set_interrupt(bool inside)
{
    world.in_interrupt = inside;
}

/* Each look at the clock takes a microsecond, so that times differ and repeat from run to run. */
u64 port_clock_ns(void)
{
    return clock_ns += 1000;
}

u64 irq_save(void)
{
    u64 flags = world.irqs_off[world.cpu] ? 0 : FLAG_INTERRUPTS;

    world.irqs_off[world.cpu] = true;
    return flags;
}

void irq_restore(u64 flags)
{
    for (u32 i = 0; flags && i < world.depth; i++) {
        const struct spinlock *lock = world.held[i];

        if (lock->holder == world.cpu + 1 && (lock->uses & LOCK_IRQ_SAFE))
            port_panic("interrupts turned on while lock \"%s\" is held", lock->name);
    }
    world.irqs_off[world.cpu] = !flags;
}

/* ---- locks ---------------------------------------------------------------------------------- */

static const char *lock_name(const struct spinlock *lock)
{
    return lock->name ? lock->name : "(no name)";
}

void spin_init(struct spinlock *lock, const char *name)
{
    *lock = (struct spinlock){.name = name};
}

static bool order_is_known(const char *first, const char *second)
{
    for (u32 i = 0; i < lock_order_count; i++)
        if (!strcmp(lock_orders[i].first, first) && !strcmp(lock_orders[i].second, second))
            return true;
    return false;
}

/* The first inversion of an order is a deadlock that waits to happen, whether it happens or not. */
static void check_lock_order(const struct spinlock *lock)
{
    const char *second = lock_name(lock);

    for (u32 i = 0; i < world.depth; i++) {
        const char *first = lock_name(world.held[i]);

        if (world.held[i]->holder != world.cpu + 1 || !strcmp(first, second))
            continue;
        if (order_is_known(second, first))
            port_panic("lock order: \"%s\" taken under \"%s\", earlier it was the other way round",
                       second, first);
        if (order_is_known(first, second))
            continue;
        ASSERT(lock_order_count < LOCK_ORDERS_MAX, "more than %u lock orders", lock_order_count);
        lock_orders[lock_order_count].first = first;
        lock_orders[lock_order_count++].second = second;
    }
}

static void check_lock_interrupts(struct spinlock *lock)
{
    if (world.in_interrupt)
        lock->uses |= LOCK_IRQ_SAFE;
    else if (!world.irqs_off[world.cpu])
        lock->uses |= LOCK_IRQ_UNSAFE;
    if (lock->uses == (LOCK_IRQ_SAFE | LOCK_IRQ_UNSAFE))
        port_panic("lock \"%s\" is taken with interrupts on here and off there", lock_name(lock));
}

static void hold(struct spinlock *lock)
{
    ASSERT(world.depth < LOCKS_HELD_MAX, "%u locks held at once", world.depth);
    lock->holder = world.cpu + 1;
    world.held[world.depth++] = lock;
}

void spin_lock(struct spinlock *lock)
{
    if (lock->holder == world.cpu + 1)
        port_panic("lock \"%s\" taken twice by CPU %u", lock_name(lock), world.cpu);
    if (lock->holder)
        port_panic("CPU %u waits for lock \"%s\" that CPU %u never lets go", world.cpu,
                   lock_name(lock), lock->holder - 1);
    check_lock_order(lock);
    check_lock_interrupts(lock);
    hold(lock);
}

bool spin_trylock(struct spinlock *lock)
{
    if (lock->holder)
        return false;
    hold(lock);
    return true;
}

void spin_unlock(struct spinlock *lock)
{
    u32 i = 0;

    if (lock->holder != world.cpu + 1)
        port_panic("lock \"%s\" released by CPU %u, which does not hold it", lock_name(lock),
                   world.cpu);
    while (world.held[i] != lock)
        i++;
    world.depth--;
    memmove(&world.held[i], &world.held[i + 1], (world.depth - i) * sizeof(world.held[0]));
    lock->holder = 0;
}

u64 spin_lock_irqsave(struct spinlock *lock)
{
    u64 flags = irq_save();

    lock->uses |= LOCK_IRQ_SAFE;
    spin_lock(lock);
    return flags;
}

void spin_unlock_irqrestore(struct spinlock *lock, u64 flags)
{
    spin_unlock(lock);
    irq_restore(flags);
}

bool spin_held(const struct spinlock *lock)
{
    return lock->holder == world.cpu + 1;
}

u32 host_locks_held(void)
{
    return world.depth;
}

/* ---- memory and TLB -------------------------------------------------------------------------- */

/* `bytes` of zeroes between two inaccessible pages. */
static void *map_guarded(u64 bytes)
{
    u8 *base = mmap(NULL, bytes + 2 * PAGE_SIZE, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED || mprotect(base + PAGE_SIZE, bytes, PROT_READ | PROT_WRITE))
        port_panic("the host has no address space for %lu bytes", bytes);
    return base + PAGE_SIZE;
}

static void unmap_guarded(void *memory, u64 bytes)
{
    if (memory)
        munmap((u8 *)memory - PAGE_SIZE, bytes + 2 * PAGE_SIZE);
}

static u64 vmemmap_size(void)
{
    return align_up((memory_size >> PAGE_SHIFT) * sizeof(struct page), PAGE_SIZE);
}

static void drop_memory(void)
{
    unmap_guarded(direct_map, memory_size);
    unmap_guarded(vmemmap, vmemmap_size());
    direct_map = vmemmap = NULL;
    memory_size = 0;
}

void host_memory_init(u64 bytes)
{
    ASSERT(bytes && is_aligned(bytes, PAGE_SIZE), "%lu bytes are not pages", bytes);
    drop_memory();
    memory_size = bytes;
    direct_map = map_guarded(bytes);
    vmemmap = map_guarded(vmemmap_size());
    host_direct_map_base = (vaddr_t)direct_map;
    host_vmemmap_base = (vaddr_t)vmemmap;
    mmu_flush_all();
}

u64 host_memory_size(void)
{
    return memory_size;
}

void port_tlb_flush_range(vaddr_t start, vaddr_t end)
{
    ASSERT(is_aligned(start, PAGE_SIZE) && is_aligned(end, PAGE_SIZE) && start < end,
           "flush of [%#lx, %#lx)", start, end);
    tlb_counters.range_flushes++;
    tlb_counters.pages_flushed += (end - start) >> PAGE_SHIFT;
    mmu_flush_range(start, end); /* stricter than real: a long range drops no more than itself */
}

void port_tlb_flush_all(void)
{
    tlb_counters.full_flushes++;
    mmu_flush_all();
}

struct tlb_stats port_tlb_stats(void)
{
    return tlb_counters;
}

/* ---- fixtures -------------------------------------------------------------------------------- */

int host_setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    memset(&tlb_counters, 0, sizeof(tlb_counters));
    cpu_count = 1;
    clock_ns = 0;
    warnings = 0;
    host_take_reports();
    mmu_flush_all();
    for (unsigned site = 0; site < FAIL_SITES; site++)
        fail_disarm(site);
    return 0;
}

static int complain(bool bad, const char *what, const char *detail)
{
    if (bad)
        print_error("the test leaves %s: %s\n", what, detail);
    return bad;
}

int host_teardown(void **state)
{
    u64 unread = host_take_reports();
    int bad = 0;

    (void)state;
    for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
        bad |= complain(world.irqs_off[cpu], "interrupts off", "irq_restore() is missing");
    bad |= complain(world.depth, "a lock held", world.depth ? lock_name(world.held[0]) : "");
    bad |= complain(fail_armed, "a fault armed", "fail_disarm() is missing");
    bad |= complain(unread, "a report that nobody expected", last_report);
    drop_memory();
    mmu_flush_all();
    return bad ? -1 : 0;
}
