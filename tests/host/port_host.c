// SPDX-License-Identifier: MIT
/*
 * The host's side of mm/port.h and of the ASSERT() in lib/assert.h, and the test's side of both
 * (harness.h): panics, reports, memory, flushes, fixtures. CPUs and locks are in cpu_host.c. One
 * thread, so nothing here is locked. A panic inside expect_panic() jumps back to it; any other
 * panic fails the running test with its text.
 */
#include "tests/host/harness.h"

#include <sys/mman.h>

#include "lib/bits.h"
#include "lib/failpoint.h"
#include "lib/format.h"
#include "mm/page.h"
#include "mm/port.h"
#include "tests/host/cpu_host.h"
#include "tests/host/soft_mmu.h"

#define MESSAGE_SIZE 1024

vaddr_t host_direct_map_base, host_vmemmap_base;

static u32 cpu_count = 1;
static u64 clock_ns;
static struct tlb_stats tlb_counters;
static bool (*flush_hook)(vaddr_t start, vaddr_t end);
static u64 warnings;

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

void host_expect_panic(void (*fn)(void *), void *arg, const char *substring, const char *file,
                       int line)
{
    struct host_cpus before = host_cpus_save();

    panic_message[0] = '\0';
    panic_expected = true;
    if (!setjmp(panic_return)) {
        fn(arg);
        panic_expected = false;
        print_error("expected a panic with \"%s\"; none came\n", substring);
        _fail(file, line);
    }
    panic_expected = false;
    host_cpus_restore(&before);
    if (strstr(panic_message, substring))
        return;
    print_error("expected a panic with \"%s\"; got: %s\n", substring, panic_message);
    _fail(file, line);
}

/* ---- time, memory and TLB ------------------------------------------------------------------ */

u32 port_cpu_count(void)
{
    return cpu_count;
}

void host_set_cpu_count(u32 count)
{
    ASSERT(count >= 1 && count <= MAX_CPUS, "%u CPUs, at most %u", count, MAX_CPUS);
    cpu_count = count;
}

/* Each look at the clock takes a microsecond, so that times differ and repeat from run to run. */
u64 port_clock_ns(void)
{
    return clock_ns += 1000;
}

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
    if (!flush_hook || flush_hook(start, end))
        mmu_flush_range(start, end); /* stricter than real: a long range drops only itself */
}

void port_tlb_flush_all(void)
{
    tlb_counters.full_flushes++;
    if (!flush_hook || flush_hook(0, 0))
        mmu_flush_all();
}

void port_tlb_flush_user(vaddr_t start, vaddr_t end)
{
    port_tlb_flush_range(start, end);
}

void port_load_root(paddr_t root)
{
    mmu_flush_all();
}

void host_flush_hook(bool (*hook)(vaddr_t start, vaddr_t end))
{
    flush_hook = hook;
}

struct tlb_stats port_tlb_stats(void)
{
    return tlb_counters;
}

/* ---- fixtures -------------------------------------------------------------------------------- */

int host_setup(void **state)
{
    (void)state;
    host_cpus_reset();
    memset(&tlb_counters, 0, sizeof(tlb_counters));
    flush_hook = NULL;
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
    const char *cpus = host_cpus_complaint();
    int bad = 0;

    (void)state;
    bad |= complain(cpus, "the CPUs in disorder", cpus);
    bad |= complain(fail_armed, "a fault armed", "fail_disarm() is missing");
    bad |= complain(unread, "a report that nobody expected", last_report);
    drop_memory();
    mmu_flush_all();
    return bad ? -1 : 0;
}

/* The host's sites read event_log.on: nothing to flip. */
void port_event_sites(bool on)
{
}
