// SPDX-License-Identifier: MIT
/*
 * COM1 (16550 UART at I/O port 0x3f8). Transmit: polled, 16 bytes for each time that the FIFO runs
 * empty, with a bounded wait. Receive: IRQ 4 empties the FIFO; the transmit loop empties it too,
 * because printk writes with interrupts off and at 115200 baud 16 bytes arrive in 1.4 ms.
 * Locking: write() runs under printk's output lock; the receive side touches only the receiver's
 * registers, and console_input_push() has its own lock. Reference: National PC16550D data sheet.
 * Read next: kernel/console.h.
 */
#include "drivers/serial.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/irq.h"
#include "kernel/percpu.h"
#include "kernel/printk.h"

#define COM1 0x3f8
#define COM1_IRQ 4

enum uart_register {
    UART_DATA = COM1,           /* read: received byte, write: byte to send; divisor low if DLAB */
    UART_INTERRUPTS = COM1 + 1, /* interrupt enable; divisor high if DLAB */
    UART_FIFO = COM1 + 2,       /* write: FIFO control */
    UART_CAUSE = COM1 + 2,      /* read: interrupt identification */
    UART_LINE = COM1 + 3,       /* line control */
    UART_MODEM = COM1 + 4,      /* modem control */
    UART_STATUS = COM1 + 5,     /* line status */
    UART_MODEM_STATUS = COM1 + 6, /* modem status */
};

#define INTERRUPT_ON_RECEIVE 0x01
#define FIFO_ENABLE 0x01
#define FIFO_TRIGGER_8 0x80
#define CAUSE_NONE 0x01
#define LINE_8N1 0x03
#define LINE_DIVISOR 0x80
#define MODEM_DTR_RTS 0x03
#define MODEM_OUT2 0x08 /* gates the interrupt line on PC boards */
#define MODEM_LOOPBACK 0x10
#define STATUS_RECEIVED 0x01
#define STATUS_OVERRUN 0x02
#define STATUS_BREAK 0x10
#define STATUS_TRANSMIT_EMPTY 0x20

#define FIFO_SIZE 16
#define DIVISOR_115200 1

/*
 * How often to look at a busy port before giving a byte up: seconds, not milliseconds, because a
 * terminal that was stopped for a moment must not cost output. A port that once was that slow is
 * "stalled" and gets one look for each byte until it answers again, so a dead one cannot stop us.
 */
#define TRANSMIT_PATIENCE 4000000

static struct {
    bool present;
    bool receives; /* interrupts are on, console_input_push() may be called */
    bool stalled;
    unsigned room; /* bytes that still fit into the transmit FIFO */
    u64 dropped, overruns;
    u8 early[FIFO_SIZE]; /* typed ahead, before there was anyone to give it to */
    unsigned early_count;
} port;

/*
 * In loopback mode a real UART shows its modem-control outputs as modem-status inputs. This asks
 * the chip without sending a byte and without losing one that was already received.
 */
static bool uart_answers(void)
{
    outb(UART_MODEM, MODEM_LOOPBACK | 0x0a); /* RTS and OUT2 on, DTR and OUT1 off */
    bool first = (inb(UART_MODEM_STATUS) & 0xf0) == 0x90;
    outb(UART_MODEM, MODEM_LOOPBACK | 0x05); /* the other way round */
    bool second = (inb(UART_MODEM_STATUS) & 0xf0) == 0x60;
    outb(UART_MODEM, MODEM_DTR_RTS);
    return first && second;
}

/* Turning the FIFO on empties it: what is in there comes out first. */
static void save_early_input(void)
{
    while (port.early_count < FIFO_SIZE && (inb(UART_STATUS) & STATUS_RECEIVED))
        port.early[port.early_count++] = inb(UART_DATA);
}

/* Move what the UART holds to the console queue; bounded, so that a stuck status bit ends. */
static void drain_receiver(u8 status)
{
    for (unsigned i = 0; i < 8 * FIFO_SIZE && (status & STATUS_RECEIVED); i++) {
        u8 byte = inb(UART_DATA);

        if (status & STATUS_OVERRUN)
            port.overruns++;
        if (!(status & STATUS_BREAK)) /* a break reads as a zero byte that nobody sent */
            console_input_push(byte);
        status = inb(UART_STATUS);
    }
}

/* In a panic the queue's lock may be held by the code that crashed: leave input alone then. */
static bool may_receive(void)
{
    return port.receives && !this_cpu()->in_panic;
}

/* Wait until the FIFO takes bytes again; false when the port stays busy. */
static bool wait_for_room(void)
{
    for (unsigned tries = port.stalled ? 1 : TRANSMIT_PATIENCE; tries > 0; tries--) {
        u8 status = inb(UART_STATUS);

        if ((status & STATUS_RECEIVED) && may_receive())
            drain_receiver(status);
        if (status & STATUS_TRANSMIT_EMPTY) {
            port.stalled = false;
            port.room = FIFO_SIZE;
            return true;
        }
        cpu_relax();
    }
    port.stalled = true;
    return false;
}

static void send_byte(u8 byte)
{
    if (port.room == 0 && !wait_for_room()) {
        port.dropped++;
        return;
    }
    outb(UART_DATA, byte);
    port.room--;
}

static void serial_write(struct console *self, const char *text, size_t length)
{
    (void)self;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            send_byte('\r');
        send_byte((u8)text[i]);
    }
}

static struct console serial_console = {.name = "ttyS0", .write = serial_write};

bool serial_early_init(void)
{
    if (!uart_answers())
        return false;
    port.present = true;
    save_early_input();

    outb(UART_INTERRUPTS, 0);
    outb(UART_LINE, LINE_DIVISOR | LINE_8N1);
    outb(UART_DATA, DIVISOR_115200);
    outb(UART_INTERRUPTS, 0);
    outb(UART_LINE, LINE_8N1);
    outb(UART_FIFO, FIFO_ENABLE | FIFO_TRIGGER_8);
    outb(UART_MODEM, MODEM_DTR_RTS);

    console_register(&serial_console);
    return true;
}

/* The IOAPIC input is edge-triggered: leave only when the UART has withdrawn its request. */
static void serial_interrupt(void *unused)
{
    (void)unused;
    for (unsigned rounds = 0; rounds < FIFO_SIZE; rounds++) {
        if (inb(UART_CAUSE) & CAUSE_NONE)
            return;
        drain_receiver(inb(UART_STATUS));
        inb(UART_MODEM_STATUS);
    }
}

void serial_enable_irq(void)
{
    if (!port.present)
        return;
    int error = irq_request(COM1_IRQ, serial_interrupt, NULL);
    if (error) {
        log_warn("serial: no interrupt %u (error %d), ttyS0 is output only", COM1_IRQ, error);
        return;
    }
    for (unsigned i = 0; i < port.early_count; i++)
        console_input_push(port.early[i]);

    port.receives = true;
    outb(UART_MODEM, MODEM_DTR_RTS | MODEM_OUT2);
    outb(UART_INTERRUPTS, INTERRUPT_ON_RECEIVE);
}

u64 serial_dropped(void)
{
    return port.dropped;
}

u64 serial_overruns(void)
{
    return port.overruns;
}
