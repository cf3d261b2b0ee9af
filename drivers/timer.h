// SPDX-License-Identifier: MIT
/*
 * How fast is the TSC? Measured once against a clock whose rate is known.
 */
#ifndef DRIVERS_TIMER_H
#define DRIVERS_TIMER_H

#include "lib/types.h"

/*
 * Measure the TSC for about 10 ms against the HPET, else the PIT; failing both, take what CPUID says,
 * else assume 1 GHz with a warning. Then time_init_tsc(). Always returns. Boot CPU, interrupts off,
 * after acpi_init().
 */
void timer_calibrate(void);

#endif
