// SPDX-License-Identifier: MIT
/*
 * The transmit queue of a virtio console in its legacy PCI form: registers in an I/O BAR, one ring of
 * descriptors in memory that the device reads by itself. One buffer, one descriptor: write() copies
 * into it, tells the device, and waits until the device has taken it; no interrupt. Called by the event
 * log with interrupts off and one CPU at a time; allocates at start-up only.
 * Reference: Virtio 1.0 specification, 2.4 and 4.1.4.8 (legacy interface). Read next: mm/event.c.
 */
#include "drivers/virtio_console.h"
#include "drivers/pci.h"
#include "kernel/cpu.h"
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/event.h"

#define VENDOR 0x1af4
#define DEVICE 0x1003 /* transitional: console */

enum legacy_register {
    DRIVER_FEATURES = 0x04,
    QUEUE_FRAME = 0x08,
    QUEUE_SIZE = 0x0c,
    QUEUE_SELECT = 0x0e,
    QUEUE_NOTIFY = 0x10,
    STATUS = 0x12,
};
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FAILED 128

#define TRANSMIT_QUEUE 1
#define NO_INTERRUPT 1
#define MAX_QUEUE 1024u
#define BUFFER_ORDER 2       /* 16 KiB */
#define PATIENCE 200000000UL /* looks at the ring: a minute or so, for a host that is busy */

struct descriptor {
    u64 address;
    u32 length;
    u16 flags, next;
};

struct available {
    u16 flags, index, ring[];
};

struct used {
    u16 flags, index; /* and what was used, which with one buffer is no news */
};

static struct {
    u16 port, size;
    u16 sent; /* buffers given to the device so far, modulo 2^16 */
    struct descriptor *descriptors;
    struct available *available;
    volatile struct used *used;
    void *buffer;
} console;

/* The device may take it at once, inside the OUT, or a while later. */
static bool send(u64 count)
{
    console.descriptors[0] =
        (struct descriptor){.address = virt_to_phys(console.buffer), .length = (u32)count};
    console.available->ring[console.sent % console.size] = 0;
    __atomic_store_n(&console.available->index, ++console.sent, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    outw(console.port + QUEUE_NOTIFY, TRANSMIT_QUEUE);
    for (u64 looks = 0; looks < PATIENCE; looks++) {
        if (console.used->index == console.sent)
            return true;
        cpu_relax();
    }
    return false;
}

static bool virtio_console_write(const void *bytes, u64 count)
{
    const u8 *from = bytes;

    while (count) {
        u64 part = min_u64(count, PAGE_SIZE << BUFFER_ORDER);
        memcpy(console.buffer, from, part);
        if (!send(part))
            return false;
        from += part;
        count -= part;
    }
    return true;
}

/*
 * The legacy layout, in one piece of memory: descriptors, then the available ring, then on the next
 * page the used ring. False: no memory, or no such queue.
 */
static bool set_queue_up(void)
{
    outw(console.port + QUEUE_SELECT, TRANSMIT_QUEUE);
    console.size = inw(console.port + QUEUE_SIZE);
    if (console.size == 0 || console.size > MAX_QUEUE)
        return false;
    u64 first =
        align_up(sizeof(struct descriptor) * console.size + 6 + 2UL * console.size, PAGE_SIZE);
    u64 bytes = first + 6 + 8UL * console.size;
    struct page *queue = alloc_pages(__GFP_ZERO, (unsigned)fls((bytes - 1) >> PAGE_SHIFT));
    struct page *buffer = alloc_pages(GFP_KERNEL, BUFFER_ORDER);
    if (!queue || !buffer)
        return false;
    u8 *base = page_address(queue);
    console.descriptors = (struct descriptor *)base;
    console.available = (struct available *)(base + sizeof(struct descriptor) * console.size);
    console.available->flags = NO_INTERRUPT;
    console.used = (struct used *)(base + first);
    console.buffer = page_address(buffer);
    outl(console.port + QUEUE_FRAME, (u32)(page_to_phys(queue) >> PAGE_SHIFT));
    return true;
}

void virtio_console_init(void)
{
    pci_address device = pci_find(VENDOR, DEVICE);
    u32 bar = device == PCI_NONE ? 0 : pci_read(device, PCI_BAR0);

    if (!(bar & PCI_BAR_IO))
        return;
    pci_write(device, PCI_COMMAND,
              pci_read(device, PCI_COMMAND) | PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    console.port = (u16)(bar & ~3u);
    outb(console.port + STATUS, 0); /* reset */
    outb(console.port + STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    outl(console.port + DRIVER_FEATURES, 0); /* none wanted: one port, no control queues */
    if (!set_queue_up()) {
        outb(console.port + STATUS, STATUS_FAILED);
        log_warn("virtio-console: no transmit queue; the event log has no channel");
        return;
    }
    outb(console.port + STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK);
    event_sink_register(virtio_console_write);
    log_info("virtio-console: channel of the event log, at I/O port %#x", console.port);
}
