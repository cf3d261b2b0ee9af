// SPDX-License-Identifier: MIT
/*
 * A virtio console as a fast way out (hundreds of MB/s, a serial port does 0.4): whatever the event log
 * writes goes to the host's file. QEMU: tools/qemu --trace FILE.
 */
#ifndef DRIVERS_VIRTIO_CONSOLE_H
#define DRIVERS_VIRTIO_CONSOLE_H

/* Find the device and register it as the event log's channel; silent when there is none. Boot, when
 * the buddy works. */
void virtio_console_init(void);

#endif
