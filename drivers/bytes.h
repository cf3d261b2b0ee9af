// SPDX-License-Identifier: MIT
/*
 * Little-endian numbers out of bytes that firmware or a font file laid out: unaligned, untrusted.
 * The caller has checked that the bytes are there. Pure; used by the parsers that also run on the
 * host (acpi_tables.c, psf.c).
 */
#ifndef DRIVERS_BYTES_H
#define DRIVERS_BYTES_H

#include "lib/types.h"

static inline u16 load_u16(const void *at)
{
    u16 value;
    __builtin_memcpy(&value, at, sizeof(value));
    return value;
}

static inline u32 load_u32(const void *at)
{
    u32 value;
    __builtin_memcpy(&value, at, sizeof(value));
    return value;
}

static inline u64 load_u64(const void *at)
{
    u64 value;
    __builtin_memcpy(&value, at, sizeof(value));
    return value;
}

#endif
