// SPDX-License-Identifier: MIT
/*
 * 8042 controller, first port only. Every wait is bounded: on machines without one the ports read as
 * all ones for ever. `map` belongs to the interrupt handler, which runs on the boot CPU with
 * interrupts off; no lock. Reference: IBM PS/2 technical reference, keyboard and auxiliary device
 * controller. Read next: drivers/keymap.c.
 */
#include "drivers/keyboard.h"
#include "drivers/keymap.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/irq.h"
#include "kernel/printk.h"
#include "lib/errno.h"

#define DATA_PORT 0x60
#define STATUS_PORT 0x64
#define COMMAND_PORT 0x64
#define KEYBOARD_IRQ 1

#define STATUS_OUTPUT_FULL 0x01 /* a byte waits for us */
#define STATUS_INPUT_FULL 0x02  /* the controller is not ready for a byte */
#define STATUS_FROM_MOUSE 0x20

#define COMMAND_READ_CONFIG 0x20
#define COMMAND_WRITE_CONFIG 0x60
#define COMMAND_DISABLE_MOUSE 0xa7
#define COMMAND_DISABLE_KEYBOARD 0xad
#define COMMAND_ENABLE_KEYBOARD 0xae
#define CONFIG_KEYBOARD_IRQ 0x01
#define CONFIG_MOUSE_IRQ 0x02
#define CONFIG_KEYBOARD_OFF 0x10
#define CONFIG_TRANSLATE 0x40

#define KEYBOARD_ENABLE_SCANNING 0xf4
#define KEYBOARD_ACK 0xfa

/* Looks at a status port, about 1 us each on a real machine: 0.1 s. */
#define PATIENCE 100000
#define FLUSH_LIMIT 32

static struct keymap map;

/* Wait until the status bits in `mask` equal `wanted`. */
static bool wait_status(u8 mask, u8 wanted)
{
    for (unsigned looks = 0; looks < PATIENCE; looks++) {
        if ((inb(STATUS_PORT) & mask) == wanted)
            return true;
        cpu_relax();
    }
    return false;
}

static bool send(u16 to_port, u8 byte)
{
    if (!wait_status(STATUS_INPUT_FULL, 0))
        return false;
    outb(to_port, byte);
    return true;
}

/* The next byte from the controller, or -EIO. */
static int receive(void)
{
    return wait_status(STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL) ? inb(DATA_PORT) : -EIO;
}

static void flush(void)
{
    for (unsigned i = 0; i < FLUSH_LIMIT && (inb(STATUS_PORT) & STATUS_OUTPUT_FULL); i++)
        inb(DATA_PORT);
}

/* Interrupts for the keyboard only, translation to scan code set 1, clock on. */
static bool configure_controller(void)
{
    if (!send(COMMAND_PORT, COMMAND_DISABLE_KEYBOARD) || !send(COMMAND_PORT, COMMAND_DISABLE_MOUSE))
        return false;
    flush();
    if (!send(COMMAND_PORT, COMMAND_READ_CONFIG))
        return false;
    int config = receive();
    if (config < 0)
        return false;

    u8 wanted = (u8)config;
    wanted |= CONFIG_KEYBOARD_IRQ | CONFIG_TRANSLATE;
    wanted &= (u8) ~(CONFIG_MOUSE_IRQ | CONFIG_KEYBOARD_OFF);
    return send(COMMAND_PORT, COMMAND_WRITE_CONFIG) && send(DATA_PORT, wanted) &&
           send(COMMAND_PORT, COMMAND_ENABLE_KEYBOARD);
}

/* Typed keys may come before the answer; they are lost, nobody is reading yet. */
static bool start_keyboard(void)
{
    if (!send(DATA_PORT, KEYBOARD_ENABLE_SCANNING))
        return false;
    for (unsigned i = 0; i < FLUSH_LIMIT; i++) {
        int answer = receive();
        if (answer < 0)
            return false;
        if (answer == KEYBOARD_ACK)
            return true;
    }
    return false;
}

static void keyboard_interrupt(void *unused)
{
    u8 bytes[KEYMAP_MAX_BYTES];
    u8 status;

    (void)unused;
    for (unsigned i = 0; i < FLUSH_LIMIT && (status = inb(STATUS_PORT)) & STATUS_OUTPUT_FULL; i++) {
        u8 scancode = inb(DATA_PORT);
        unsigned length = status & STATUS_FROM_MOUSE ? 0 : keymap_decode(&map, scancode, bytes);

        for (unsigned b = 0; b < length; b++)
            console_input_push(bytes[b]);
    }
}

void keyboard_init(void)
{
    if (inb(STATUS_PORT) == 0xff || !configure_controller()) {
        log_info("keyboard: no 8042 controller");
        return;
    }
    if (!start_keyboard()) {
        log_info("keyboard: the controller is there, no keyboard answers");
        return;
    }
    int error = irq_request(KEYBOARD_IRQ, keyboard_interrupt, NULL);
    if (error) {
        log_warn("keyboard: no interrupt %u (error %d)", KEYBOARD_IRQ, error);
        return;
    }
    keyboard_interrupt(NULL); /* a byte that waits already would keep the line from rising again */
    log_info("keyboard: PS/2, US layout");
}
