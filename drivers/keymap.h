// SPDX-License-Identifier: MIT
/*
 * PS/2 scan codes (set 1) to the bytes that a VT100 would send, US layout. Pure: a state machine with
 * its state in a struct, also compiled on the host.
 */
#ifndef DRIVERS_KEYMAP_H
#define DRIVERS_KEYMAP_H

#include "lib/types.h"

#define KEYMAP_MAX_BYTES 8

struct keymap {
    bool left_shift, right_shift, left_ctrl, right_ctrl, left_alt, right_alt, caps_lock, num_lock;
    bool extended;       /* an 0xe0 came: the next byte is one of the grey keys */
    unsigned skip_bytes; /* rest of the Pause key's fixed sequence */
};

/*
 * Digest one scan code. Bytes to deliver go to out (at most KEYMAP_MAX_BYTES); returns how many, 0 for
 * key releases, shift keys and unknown codes.
 */
unsigned keymap_decode(struct keymap *map, u8 scancode, u8 *out);

#endif
