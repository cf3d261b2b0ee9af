// SPDX-License-Identifier: MIT
/*
 * Tests of the harness: the debug locks, the capture of panics and reports, and the software MMU
 * with its TLB must each show the fault that they are there to show. A world that notices nothing
 * would let every other host test pass.
 */
#include "tests/host/harness.h"

#include "mm/layout.h"
#include "mm/page.h"
#include "mm/port.h"
#include "tests/host/soft_mmu.h"

/* ---- panics and reports ---------------------------------------------------------------------- */

static void panic_with(void *text)
{
    port_panic("panic %s %d", (const char *)text, 7);
}

static void fail_assertion(void *n)
{
    ASSERT(*(int *)n == 2, "n is %d", *(int *)n);
}

static void test_panics_are_captured(void **state)
{
    int one = 1;

    (void)state;
    expect_panic(panic_with, "B1", "panic B1 7");
    expect_panic(fail_assertion, &one, "ASSERT(*(int *)n == 2): n is 1");
}

static void test_reports_are_counted(void **state)
{
    (void)state;
    assert_int_equal(host_take_reports(), 0);
    port_report("double free of %#lx", 0x1234UL);
    expect_report("double free of 0x1234");
    port_report("first");
    port_report("second");
    assert_int_equal(host_take_reports(), 2);
    assert_string_equal(host_last_report(), "second");
    port_warn("low on %s", "memory");
    port_info("nothing");
    assert_int_equal(host_warnings(), 1);
}

/* What teardown must complain about. It prints its complaint; that is part of this test's
 * output. */
static void test_leftovers_fail_a_test(void **state)
{
    struct spinlock lock = SPINLOCK_INIT("leftover");
    u64 flags;

    assert_int_equal(host_teardown(state), 0);
    port_report("unread");
    assert_int_equal(host_teardown(state), -1);
    spin_lock(&lock);
    assert_int_equal(host_teardown(state), -1);
    spin_unlock(&lock);
    flags = irq_save();
    assert_int_equal(host_teardown(state), -1);
    irq_restore(flags);
    assert_int_equal(host_teardown(state), 0);
}

/* ---- locks ----------------------------------------------------------------------------------- */

static void lock_it(void *lock)
{
    spin_lock(lock);
}

static void unlock_it(void *lock)
{
    spin_unlock(lock);
}

static void test_lock_misuse(void **state)
{
    struct spinlock lock = SPINLOCK_INIT("alpha");

    (void)state;
    expect_panic(unlock_it, &lock, "\"alpha\" released by CPU 0");
    spin_lock(&lock);
    assert_true(spin_held(&lock));
    assert_false(spin_trylock(&lock));
    expect_panic(lock_it, &lock, "\"alpha\" taken twice by CPU 0");
    host_set_cpu(1);
    assert_false(spin_held(&lock));
    expect_panic(lock_it, &lock, "CPU 0 never lets go");
    expect_panic(unlock_it, &lock, "released by CPU 1");
    host_set_cpu(0);
    spin_unlock(&lock);
    expect_panic(unlock_it, &lock, "does not hold it");
    assert_true(spin_trylock(&lock));
    spin_unlock(&lock);
    assert_int_equal(host_locks_held(), 0);
}

static struct spinlock outer, inner;

static void lock_both_the_other_way(void *unused)
{
    (void)unused;
    spin_lock(&inner);
    spin_lock(&outer);
}

/* The first inversion panics, no deadlock is needed; the locks taken until then are let go. */
static void test_lock_order(void **state)
{
    (void)state;
    spin_init(&outer, "outer");
    spin_init(&inner, "inner");
    spin_lock(&outer);
    spin_lock(&inner);
    spin_unlock(&outer); /* out of order is fine for releasing */
    spin_unlock(&inner);
    expect_panic(lock_both_the_other_way, NULL, "lock order: \"outer\" taken under \"inner\"");
    assert_int_equal(host_locks_held(), 0);
    assert_true(spin_trylock(&inner));
    spin_unlock(&inner);
}

static void turn_interrupts_on(void *flags)
{
    irq_restore(*(u64 *)flags);
}

static void test_interrupts_and_locks(void **state)
{
    struct spinlock lock = SPINLOCK_INIT("irq");
    u64 outside, inside, flags;

    (void)state;
    outside = irq_save();
    inside = irq_save();
    assert_int_not_equal(outside, inside);
    irq_restore(inside);
    irq_restore(outside);
    flags = spin_lock_irqsave(&lock);
    assert_int_equal(flags, outside);
    expect_panic(turn_interrupts_on, &flags, "interrupts turned on while lock \"irq\" is held");
    spin_unlock_irqrestore(&lock, flags);
    expect_panic(lock_it, &lock, "with interrupts on here and off there");

    spin_init(&lock, "handler");
    spin_lock(&lock);
    spin_unlock(&lock);
    host_set_interrupt(true);
    expect_panic(lock_it, &lock, "with interrupts on here and off there");
    host_set_interrupt(false);
    assert_int_equal(host_locks_held(), 0);
}

/* ---- memory and MMU
 * --------------------------------------------------------------------------- */

#define FRAME(n) ((n)*PAGE_SIZE)
#define ROOT FRAME(1)

static u64 *table(paddr_t at)
{
    return phys_to_virt(at);
}

/* 4 KiB, 2 MiB and 1 GiB leaves at 0, 2 MiB and 1 GiB; tables in frames 1 to 4. */
static void build_tables(void)
{
    host_memory_init(64 * PAGE_SIZE);
    table(ROOT)[0] = FRAME(2) | 7;
    table(FRAME(2))[0] = FRAME(3) | 7;
    table(FRAME(2))[1] = (5 * GIB) | 0x83;
    table(FRAME(3))[0] = FRAME(4) | 3;
    table(FRAME(3))[1] = (6 * MIB) | 0x87 | 1UL << 63;
    table(FRAME(4))[5] = FRAME(9) | 3;
    table(FRAME(4))[6] = FRAME(10) | 1;
}

static void expect_access(vaddr_t address, unsigned access, paddr_t physical, u64 size)
{
    struct mmu_translation t;

    assert_true(mmu_access(ROOT, address, access, &t));
    assert_int_equal(t.physical, physical);
    assert_int_equal(t.page_size, size);
}

static void expect_fault(vaddr_t address, unsigned access, u32 error)
{
    struct mmu_translation t;

    assert_false(mmu_access(ROOT, address, access, &t));
    assert_int_equal(t.error, error);
}

static void test_translations(void **state)
{
    struct mmu_translation t;

    (void)state;
    build_tables();
    expect_access(0x5123, MMU_WRITE, 0x9123, PAGE_SIZE);
    expect_access(0x6fff, MMU_READ, 0xafff, PAGE_SIZE);
    expect_access(2 * MIB + 0x12345, MMU_WRITE | MMU_USER, 6 * MIB + 0x12345, 2 * MIB);
    expect_access(GIB + 0x1234567, MMU_EXECUTE, 5 * GIB + 0x1234567, GIB);
    assert_int_equal(table(FRAME(4))[5], FRAME(9) | 3 | 0x60); /* accessed and dirty */
    assert_int_equal(table(FRAME(4))[6], FRAME(10) | 1 | 0x20);
    assert_true(mmu_walk(ROOT, 0x5000, &t));
    assert_true(t.writable && t.executable && !t.user);
    assert_false(mmu_walk(ROOT, 0x7000, &t));
}

static void test_faults(void **state)
{
    (void)state;
    build_tables();
    expect_fault(0x7000, MMU_READ, 0);
    expect_fault(0x7000, MMU_WRITE | MMU_USER, MMU_ERROR_WRITE | MMU_ERROR_USER);
    expect_fault(0x6000, MMU_WRITE, MMU_ERROR_PRESENT | MMU_ERROR_WRITE);
    expect_fault(0x5000, MMU_USER, MMU_ERROR_PRESENT | MMU_ERROR_USER);
    expect_fault(2 * MIB, MMU_EXECUTE, MMU_ERROR_PRESENT | MMU_ERROR_EXECUTE);
    expect_fault(0x800000000000, MMU_READ, MMU_ERROR_NON_CANONICAL);
    table(FRAME(3))[1] |= 1UL << 13; /* not aligned to 2 MiB */
    expect_fault(2 * MIB, MMU_READ, MMU_ERROR_PRESENT | MMU_ERROR_RESERVED);
    table(ROOT)[0] |= 0x80; /* a 512 GiB leaf does not exist */
    expect_fault(0x5000, MMU_READ, MMU_ERROR_PRESENT | MMU_ERROR_RESERVED);
}

/* The point of it all: without a flush the old translation stays, on every CPU that has used it. */
static void test_forgotten_flush_shows(void **state)
{
    (void)state;
    build_tables();
    for (u32 cpu = 0; cpu < 2; cpu++) {
        host_set_cpu(cpu);
        expect_access(0x5000, MMU_READ, FRAME(9), PAGE_SIZE);
    }
    host_set_cpu(0);
    expect_access(0x6000, MMU_READ, FRAME(10), PAGE_SIZE);
    table(FRAME(4))[5] = 0;
    expect_access(0x5000, MMU_READ, FRAME(9), PAGE_SIZE);
    assert_int_equal(mmu_cached_range(0x5000, 0x6000), 2);
    assert_int_equal(mmu_cached_frames(FRAME(9), FRAME(10)), 2);
    assert_int_equal(mmu_cached_table(FRAME(4)), 3);

    port_tlb_flush_range(0x5000, 0x6000);
    assert_int_equal(mmu_cached_range(0x5000, 0x6000), 0);
    assert_int_equal(mmu_cached_range(0x4000, 0x5000), 0);
    assert_int_equal(mmu_cached_range(0x6fff, 0), 1);
    expect_fault(0x5000, MMU_READ, 0);
    table(FRAME(4))[6] = FRAME(11) | 3;
    expect_access(0x6000, MMU_READ, FRAME(10), PAGE_SIZE); /* the flush was for its neighbour */
    host_set_cpu(1);
    expect_access(0x6000, MMU_READ, FRAME(11), PAGE_SIZE); /* CPU 1 had not cached this one */
    port_tlb_flush_all();
    assert_int_equal(mmu_cached_range(0, 0), 0);
    assert_int_equal(port_tlb_stats().range_flushes, 1);
    assert_int_equal(port_tlb_stats().full_flushes, 1);
    assert_int_equal(port_tlb_stats().pages_flushed, 1);
}

/* A fault forgets the translation that caused it, so a permission that was added is seen. */
static void test_cached_permission(void **state)
{
    (void)state;
    build_tables();
    expect_access(0x6000, MMU_READ, FRAME(10), PAGE_SIZE);
    table(FRAME(4))[6] |= 2;
    expect_fault(0x6000, MMU_WRITE, MMU_ERROR_PRESENT | MMU_ERROR_WRITE);
    expect_access(0x6000, MMU_WRITE, FRAME(10), PAGE_SIZE);
    /* ... and one that was taken away is not, until the flush. */
    table(FRAME(4))[6] &= ~2UL;
    expect_access(0x6000, MMU_WRITE, FRAME(10), PAGE_SIZE);
    port_tlb_flush_range(0x6000, 0x7000);
    expect_fault(0x6000, MMU_WRITE, MMU_ERROR_PRESENT | MMU_ERROR_WRITE);
}

static void flush_nothing(void *unused)
{
    (void)unused;
    port_tlb_flush_range(0x5000, 0x5000);
}

static void test_memory(void **state)
{
    u64 before;

    (void)state;
    host_memory_init(16 * PAGE_SIZE);
    assert_int_equal(host_memory_size(), 16 * PAGE_SIZE);
    memset(phys_to_virt(0), 0xff, 16 * PAGE_SIZE);
    memset(pfn_to_page(0), 0xff, 16 * sizeof(struct page));
    assert_int_equal(page_to_pfn(virt_to_page(phys_to_virt(FRAME(3) + 5))), 3);
    host_memory_init(16 * PAGE_SIZE);
    assert_int_equal(*(u64 *)phys_to_virt(FRAME(15)), 0);
    assert_int_equal(pfn_to_page(15)->state, PAGE_UNMANAGED);
    expect_panic(flush_nothing, NULL, "flush of");
    before = port_clock_ns();
    assert_true(before < port_clock_ns());
    host_set_cpu_count(4);
    assert_int_equal(port_cpu_count(), 4);
    host_set_interrupt(true);
    assert_true(in_interrupt());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_panics_are_captured),
        host_test(test_reports_are_counted),
        host_test(test_leftovers_fail_a_test),
        host_test(test_lock_misuse),
        host_test(test_lock_order),
        host_test(test_interrupts_and_locks),
        host_test(test_translations),
        host_test(test_faults),
        host_test(test_forgotten_flush_shows),
        host_test(test_cached_permission),
        host_test(test_memory),
    };

    return cmocka_run_group_tests_name("port_host", tests, NULL, NULL);
}
