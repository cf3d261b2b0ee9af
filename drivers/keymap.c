// SPDX-License-Identifier: MIT
/*
 * The US keyboard. Scan code set 1 is what the 8042 controller delivers with its translation on,
 * whatever the keyboard itself speaks: code when pressed, code + 0x80 when released, 0xe0 before the
 * keys that the first PC did not have. No lock: the state is the caller's.
 */
#include "drivers/keymap.h"

#define RELEASED 0x80
#define CODE_BITS 0x7f
#define PREFIX_EXTENDED 0xe0
#define PREFIX_PAUSE 0xe1
#define PAUSE_REST 5 /* e1 1d 45 e1 9d c5 */

enum key {
    KEY_CTRL = 0x1d,
    KEY_LEFT_SHIFT = 0x2a,
    KEY_KEYPAD_SLASH = 0x35, /* with 0xe0 */
    KEY_RIGHT_SHIFT = 0x36,
    KEY_ALT = 0x38,
    KEY_CAPS_LOCK = 0x3a,
    KEY_NUM_LOCK = 0x45,
    KEY_ENTER = 0x1c,
    KEY_KEYPAD_FIRST = 0x47,
    KEY_KEYPAD_LAST = 0x53,
};

/* By scan code 0x00..0x39; 0 = nothing. */
static const u8 plain[] = "\0\x1b"
                          "1234567890-=\x7f\t"
                          "qwertyuiop[]\r\0"
                          "asdfghjkl;'`\0\\"
                          "zxcvbnm,./\0*\0 ";
static const u8 shifted[] = "\0\x1b"
                            "!@#$%^&*()_+\x7f\t"
                            "QWERTYUIOP{}\r\0"
                            "ASDFGHJKL:\"~\0|"
                            "ZXCVBNM<>?\0*\0 ";

/* The block of keys 0x47..0x53: digits with Num Lock, else what a VT100 sends after ESC [. */
static const char keypad_digits[] = "789-456+1230.";
static const char *const keypad_sequences[] = {"H",  "A", "5~", NULL, "D",  NULL, "C",
                                               NULL, "F", "B",  "6~", "2~", "3~"};
_Static_assert(sizeof(plain) == sizeof(shifted), "the two layers have the same keys");
_Static_assert(sizeof(keypad_digits) - 1 == ARRAY_SIZE(keypad_sequences), "one entry for each key");

/* Shift, Ctrl, Alt and the locks. True when the code was one of them. */
static bool modifier(struct keymap *map, u8 key, bool extended, bool pressed)
{
    switch (key) {
    case KEY_LEFT_SHIFT:
        /* Grey keys come wrapped in made-up shift codes, which must not count. */
        if (!extended)
            map->left_shift = pressed;
        return true;
    case KEY_RIGHT_SHIFT:
        if (!extended)
            map->right_shift = pressed;
        return true;
    case KEY_CTRL:
        *(extended ? &map->right_ctrl : &map->left_ctrl) = pressed;
        return true;
    case KEY_ALT:
        *(extended ? &map->right_alt : &map->left_alt) = pressed;
        return true;
    case KEY_CAPS_LOCK:
        if (pressed)
            map->caps_lock = !map->caps_lock;
        return true;
    case KEY_NUM_LOCK:
        if (pressed && !extended)
            map->num_lock = !map->num_lock;
        return true;
    default:
        return false;
    }
}

static unsigned escape_sequence(const char *tail, u8 *out)
{
    unsigned length = 0;

    if (!tail)
        return 0;
    out[length++] = '\x1b';
    out[length++] = '[';
    while (*tail)
        out[length++] = (u8)*tail++;
    return length;
}

static unsigned keypad(const struct keymap *map, u8 key, bool extended, u8 *out)
{
    unsigned index = key - KEY_KEYPAD_FIRST;
    bool always_itself = keypad_digits[index] == '-' || keypad_digits[index] == '+';

    if (extended || (!map->num_lock && !always_itself))
        return escape_sequence(keypad_sequences[index], out);
    out[0] = (u8)keypad_digits[index];
    return 1;
}

static bool is_letter(u8 byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* The character on a key of the main block. */
static u8 character(const struct keymap *map, u8 key)
{
    bool shift = map->left_shift || map->right_shift;
    u8 byte = key < sizeof(plain) - 1 ? plain[key] : 0;

    if (is_letter(byte) && map->caps_lock)
        shift = !shift;
    if (shift && byte)
        byte = shifted[key];
    return byte;
}

/* Ctrl with a key: the low five bits of '@' .. '_' and of letters; others unchanged. */
static u8 with_control(u8 byte)
{
    if (byte == ' ')
        return 0;
    return is_letter(byte) || (byte >= '@' && byte <= '_') ? byte & 0x1f : byte;
}

unsigned keymap_decode(struct keymap *map, u8 scancode, u8 *out)
{
    if (map->skip_bytes > 0) {
        map->skip_bytes--;
        return 0;
    }
    if (scancode == PREFIX_PAUSE) {
        map->skip_bytes = PAUSE_REST;
        return 0;
    }
    if (scancode == PREFIX_EXTENDED) {
        map->extended = true;
        return 0;
    }

    bool extended = map->extended, pressed = !(scancode & RELEASED);
    u8 key = scancode & CODE_BITS;
    map->extended = false;
    if (modifier(map, key, extended, pressed) || !pressed)
        return 0;
    if (key >= KEY_KEYPAD_FIRST && key <= KEY_KEYPAD_LAST)
        return keypad(map, key, extended, out);
    if (extended && key != KEY_ENTER && key != KEY_KEYPAD_SLASH)
        return 0;

    u8 byte = extended && key == KEY_KEYPAD_SLASH ? '/' : character(map, key);
    bool control = map->left_ctrl || map->right_ctrl;
    if (byte == 0)
        return 0;
    unsigned length = 0;
    if (map->left_alt || map->right_alt)
        out[length++] = '\x1b';
    out[length++] = control ? with_control(byte) : byte;
    return length;
}
