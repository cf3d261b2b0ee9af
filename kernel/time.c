// SPDX-License-Identifier: MIT
/*
 * Owns the conversion from TSC ticks to nanoseconds and the one pending timer. The conversion is
 * written once at start-up; the timer is guarded by `timer_lock`, taken with interrupts off because
 * time_event() runs in interrupts. Read next: drivers/hpet.c (calibration), drivers/lapic.c (events).
 */
#include "kernel/time.h"
#include "kernel/cpu.h"
#include "kernel/lock.h"
#include "kernel/printk.h"
#include "lib/assert.h"
#include "lib/errno.h"

#define NS_PER_SECOND 1000000000UL
#define NS_PER_US 1000UL
#define SCALE_SHIFT 32
#define POST_PORT 0x80 /* a write to it takes about 1 us on any PC */

static u64 tsc_hz, tsc_base;
static u64
    ns_scale; /* nanoseconds per tick, fixed point with SCALE_SHIFT fraction bits; 0 = none */
static const char *calibration = "none";

static const struct clock_event *event_device;
static struct spinlock timer_lock = SPINLOCK_INIT("timer");
static struct {
    void (*fn)(void *arg);
    void *arg;
    u64 deadline_ns;
} timer;

void time_init_tsc(u64 hz, const char *calibrated_by)
{
    ASSERT(hz >= 1000000 && hz < 100 * NS_PER_SECOND, "TSC at %lu Hz, measured by %s", hz,
           calibrated_by);
    tsc_hz = hz;
    tsc_base = cpu_features.boot_tsc;
    calibration = calibrated_by;
    __atomic_store_n(&ns_scale, (NS_PER_SECOND << SCALE_SHIFT) / hz, __ATOMIC_RELEASE);
    log_info("time: TSC at %lu.%03lu MHz, measured by %s", hz / 1000000, hz / 1000 % 1000,
             calibrated_by);
}

/* The product has up to 96 significant bits for centuries of ticks: 128 never overflow. */
u64 clock_ns(void)
{
    u64 scale = __atomic_load_n(&ns_scale, __ATOMIC_ACQUIRE);
    return (u64)(((unsigned __int128)(rdtsc() - tsc_base) * scale) >> SCALE_SHIFT);
}

u64 clock_tsc_hz(void)
{
    return tsc_hz;
}

const char *clock_source_name(void)
{
    return calibration;
}

void delay_us(u64 microseconds)
{
    if (!ns_scale) {
        while (microseconds--)
            outb(POST_PORT, 0);
        return;
    }
    u64 start = clock_ns();
    while ((clock_ns() - start) / NS_PER_US < microseconds)
        cpu_relax();
}

void clock_event_register(const struct clock_event *device)
{
    event_device = device;
    log_info("time: one-shot events from %s", device->name);
}

int timer_once(u64 ns, void (*fn)(void *arg), void *arg)
{
    if (!event_device)
        return -ENODEV;
    int error = -EBUSY;
    u64 flags = spin_lock_irqsave(&timer_lock);
    if (!timer.fn) {
        timer.fn = fn;
        timer.arg = arg;
        timer.deadline_ns = clock_ns() + ns;
        event_device->arm(ns);
        error = 0;
    }
    spin_unlock_irqrestore(&timer_lock, flags);
    return error;
}

/*
 * The device may be early (its counter is narrower than the wait, or ticks in coarser steps): then it
 * is armed again for the rest. The callback runs without the lock, so that it may start a new timer.
 */
void time_event(void *unused)
{
    (void)unused;
    void (*fn)(void *arg) = NULL;
    void *arg = NULL;
    u64 flags = spin_lock_irqsave(&timer_lock);
    if (timer.fn) {
        u64 now = clock_ns();
        if (ns_scale && now < timer.deadline_ns) {
            event_device->arm(timer.deadline_ns - now);
        } else {
            fn = timer.fn;
            arg = timer.arg;
            timer.fn = NULL;
        }
    }
    spin_unlock_irqrestore(&timer_lock, flags);
    if (fn)
        fn(arg);
}
