// SPDX-License-Identifier: MIT
/*
 * Time: nanoseconds since boot from the best clock that a driver registered (HPET or PIT calibrate
 * the TSC), busy delays, and one one-shot timer per machine for things that must happen in interrupt
 * context. Tickless: nothing fires unless somebody asked.
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include "lib/types.h"

/* Calibrate: ticks of the TSC during a known time, measured by a driver. Boot only. */
void time_init_tsc(u64 tsc_hz, const char *calibrated_by);

/* Nanoseconds since kernel_main; 0 before time_init_tsc(). Any context, monotonic on one CPU. */
u64 clock_ns(void);
u64 clock_tsc_hz(void);
const char *clock_source_name(void);

/* Busy wait. Any context. */
void delay_us(u64 microseconds);

/* A device that can raise one interrupt after `ns` nanoseconds and then calls time_event(). */
struct clock_event {
    const char *name;
    void (*arm)(u64 ns);
};
void clock_event_register(const struct clock_event *device);
void time_event(void *unused);

/* Call fn(arg) once in interrupt context after at least `ns`. -EBUSY one is pending; -ENODEV. */
int timer_once(u64 ns, void (*fn)(void *arg), void *arg);

#endif
