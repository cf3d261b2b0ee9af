// SPDX-License-Identifier: MIT
/*
 * PCI configuration mechanism 1 (PCI Local Bus Specification 3.0, 3.2.2.3.2): an address to one port,
 * the value through the other. Read next: drivers/virtio_console.c, the one who asks.
 */
#include "drivers/pci.h"
#include "kernel/cpu.h"

#define ADDRESS_PORT 0xcf8
#define DATA_PORT 0xcfc
#define ENABLE 0x80000000u
#define DEVICE_SHIFT 11
#define FUNCTION_SHIFT 8
#define DEVICES 32u
#define FUNCTIONS 8u

u32 pci_read(pci_address address, u32 offset)
{
    outl(ADDRESS_PORT, ENABLE | address | offset);
    return inl(DATA_PORT);
}

void pci_write(pci_address address, u32 offset, u32 value)
{
    outl(ADDRESS_PORT, ENABLE | address | offset);
    outl(DATA_PORT, value);
}

/* Only the first bus: what stands behind a bridge is nothing that QEMU puts there by itself. */
pci_address pci_find(u16 vendor, u16 device)
{
    u32 wanted = (u32)device << 16 | vendor;

    for (u32 slot = 0; slot < DEVICES; slot++)
        for (u32 function = 0; function < FUNCTIONS; function++) {
            pci_address at = slot << DEVICE_SHIFT | function << FUNCTION_SHIFT;
            u32 id = pci_read(at, PCI_ID);
            if (id == wanted)
                return at;
            if (function == 0 && id == PCI_NONE)
                break;
        }
    return PCI_NONE;
}
