// SPDX-License-Identifier: MIT
/*
 * What the command line asks to be done once the kernel is up, before the shell takes over:
 * `exec="vmap; buddyinfo"` runs shell commands, `selftest[=SUITE]` runs the tests and leaves QEMU.
 */
#ifndef KERNEL_BOOT_ACTIONS_H
#define KERNEL_BOOT_ACTIONS_H

/* The text of exec= (several are joined by "; "), "" when there was none. */
const char *boot_exec_line(void);

/*
 * Checks console=, runs exec=, then the self-tests; after these it does not return but ends the
 * machine with KTEST_EXIT_PASS or KTEST_EXIT_FAIL. With everything initialised, interrupts on.
 */
void boot_actions_run(void);

#endif
