// SPDX-License-Identifier: MIT
/*
 * The PS/2 keyboard behind the 8042 controller: a source of console input.
 */
#ifndef DRIVERS_KEYBOARD_H
#define DRIVERS_KEYBOARD_H

/* Set up the controller and listen on IRQ 1. Without controller or keyboard a log line and nothing
 * else. Boot, after an interrupt chip is registered. */
void keyboard_init(void);

#endif
