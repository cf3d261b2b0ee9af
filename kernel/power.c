// SPDX-License-Identifier: MIT
/*
 * Leaving the machine: whatever drivers/power registered, and a halt when that is nothing or did not
 * work. No lock: registered once at start-up; called on the way out.
 */
#include "kernel/cpu.h"
#include "kernel/panic.h"
#include "kernel/printk.h"

static const struct power_ops *power;
static void (*exit_hook)(void);

void power_register(const struct power_ops *ops)
{
    power = ops;
}

void exit_hook_register(void (*hook)(void))
{
    exit_hook = hook;
}

/* Once: a hook that panics comes back here. */
static void run_exit_hook(void)
{
    void (*hook)(void) = exit_hook;

    exit_hook = NULL;
    if (hook)
        hook();
}

static __noreturn void nothing_left(const char *wish)
{
    print("%s did not work on this machine: halted. Ctrl-A X leaves QEMU.\n", wish);
    cpu_halt_forever();
}

__noreturn void machine_power_off(void)
{
    run_exit_hook();
    if (power && power->off)
        power->off();
    nothing_left("Power off");
}

__noreturn void machine_reboot(void)
{
    run_exit_hook();
    if (power && power->reboot)
        power->reboot();
    nothing_left("Reboot");
}

__noreturn void machine_exit(u8 code)
{
    run_exit_hook();
    if (power && power->exit)
        power->exit(code);
    nothing_left("Exit (it needs QEMU's isa-debug-exit)");
}
