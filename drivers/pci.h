// SPDX-License-Identifier: MIT
/*
 * PCI configuration space through the I/O ports 0xcf8/0xcfc, as much as a driver needs to find its
 * device: look, read, write. Boot CPU only, before others run: the two ports are a pair.
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include "lib/types.h"

/* Bus, device, function in the bits where the address port wants them. */
typedef u32 pci_address;
#define PCI_NONE 0xffffffffu

#define PCI_ID 0x00 /* device id << 16 | vendor id */
#define PCI_COMMAND 0x04
#define PCI_COMMAND_IO 0x1u
#define PCI_COMMAND_MASTER 0x4u
#define PCI_BAR0 0x10
#define PCI_BAR_IO 0x1u

/* The first function with this vendor and device id on bus 0, or PCI_NONE. */
pci_address pci_find(u16 vendor, u16 device);

/* offset: a multiple of 4. */
u32 pci_read(pci_address address, u32 offset);
void pci_write(pci_address address, u32 offset, u32 value);

#endif
