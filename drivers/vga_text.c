// SPDX-License-Identifier: MIT
/*
 * VGA text mode: one of the two painters under drivers/screen. A cell is two bytes, character (code
 * page 437) and attribute; the CRT controller shows the hardware cursor.
 * Locking: drivers/screen's. Static memory only: this console exists before any allocator.
 * Reference: IBM VGA technical reference; attribute controller index 0x10, CRTC indices 0x0a..0x0f.
 */
#include "drivers/vga_text.h"
#include "drivers/charset.h"
#include "drivers/screen.h"
#include "kernel/cpu.h"
#include "mm/layout.h"

#define VGA_MEMORY 0xb8000UL
#define VGA_COLUMNS 80
#define VGA_ROWS 25

#define CRTC_INDEX 0x3d4
#define CRTC_DATA 0x3d5
#define CRTC_CURSOR_START 0x0a
#define CRTC_CURSOR_END 0x0b
#define CRTC_CURSOR_HIGH 0x0e
#define CRTC_CURSOR_LOW 0x0f
#define CURSOR_OFF 0x20

#define ATTRIBUTE_PORT 0x3c0
#define ATTRIBUTE_READ 0x3c1
#define ATTRIBUTE_MODE (0x10 | 0x20) /* 0x20: leave the palette connected to the screen */
#define ATTRIBUTE_BLINK 0x08
#define INPUT_STATUS 0x3da

/* ANSI counts red, green, blue from bit 0 up; the VGA counts them from bit 2 down. */
static const u8 vga_color[16] = {0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15};

static volatile u16 *video;
static struct screen screen;
static struct terminal_cell cells[2 * VGA_COLUMNS * VGA_ROWS];

static void crtc_write(u8 index, u8 value)
{
    outb(CRTC_INDEX, index);
    outb(CRTC_DATA, value);
}

static void vga_paint(unsigned column, unsigned row, struct terminal_cell cell)
{
    u8 attribute = (u8)(vga_color[cell.background & 15] << 4 | vga_color[cell.foreground & 15]);

    video[row * VGA_COLUMNS + column] = (u16)(attribute << 8 | charset_cp437(cell.code));
}

static void vga_cursor(unsigned column, unsigned row, bool visible)
{
    unsigned position = row * VGA_COLUMNS + column;

    crtc_write(CRTC_CURSOR_HIGH, (u8)(position >> 8));
    crtc_write(CRTC_CURSOR_LOW, (u8)position);
    crtc_write(CRTC_CURSOR_START, visible ? 14 : CURSOR_OFF);
    crtc_write(CRTC_CURSOR_END, 15);
}

static const struct terminal_painter vga_painter = {.paint = vga_paint, .cursor = vga_cursor};

/* Without a VGA nothing answers at this address, and what was written does not come back. */
static bool vga_answers(void)
{
    u16 before = video[0];

    video[0] = 0x0755;
    bool first = video[0] == 0x0755;
    video[0] = 0x07aa;
    bool second = video[0] == 0x07aa;
    video[0] = before;
    return first && second;
}

/* The top attribute bit means "bright background" instead of "blink". Reading 0x3da resets the
 * attribute port to expect an index. */
static void allow_bright_backgrounds(void)
{
    inb(INPUT_STATUS);
    outb(ATTRIBUTE_PORT, ATTRIBUTE_MODE);
    u8 mode = inb(ATTRIBUTE_READ);
    outb(ATTRIBUTE_PORT, mode & (u8)~ATTRIBUTE_BLINK);
}

bool vga_text_init(bool text_mode)
{
    video = phys_to_virt(VGA_MEMORY);
    if (!text_mode || !vga_answers())
        return false;
    allow_bright_backgrounds();
    screen_start(&screen, "vga", &vga_painter, VGA_COLUMNS, VGA_ROWS, cells);
    return true;
}
