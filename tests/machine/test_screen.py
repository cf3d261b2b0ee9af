# SPDX-License-Identifier: MIT
"""What stands on the screen, read back from it: VGA text from video memory, the framebuffer by
recognising each character of a screenshot in the console font. And the keyboard: keys that QEMU presses
must reach the shell."""
import re
import time

import pytest
from machine import BUILD, HANG, PROMPT, Machine

VGA_MEMORY, VGA_COLUMNS, VGA_ROWS = 0xb8000, 80, 25
GLYPH_WIDTH, GLYPH_HEIGHT = 8, 16
PSF1_HEADER = 4


def vga_text(machine):
    """The rows of the text screen."""
    memory = machine.physical_memory(VGA_MEMORY, 2 * VGA_COLUMNS * VGA_ROWS)
    text = memory[::2].decode("cp437").replace("\0", " ")
    return [text[at:at + VGA_COLUMNS].rstrip() for at in range(0, len(text), VGA_COLUMNS)]


def glyphs():
    """{bitmap: character} for ASCII, from the font that is linked into the kernel."""
    with open(f"{BUILD}/font.psf", "rb") as file:
        font = file.read()
    assert font[:2] == b"\x36\x04" and font[3] == GLYPH_HEIGHT
    at = {code: PSF1_HEADER + code * GLYPH_HEIGHT for code in range(0x20, 0x7f)}
    return {font[start:start + GLYPH_HEIGHT]: chr(code) for code, start in at.items()}


def framebuffer_text(machine):
    """The rows of the graphic screen, `?` for what is not ASCII. A lit pixel is one that is not black."""
    known = glyphs()
    width, height, pixels = machine.screenshot()
    lit = bytes(map(any, zip(pixels[0::3], pixels[1::3], pixels[2::3])))
    rows = []
    for top in range(0, height - GLYPH_HEIGHT + 1, GLYPH_HEIGHT):
        cells = [bytes(int("".join(map(str, lit[y * width + x:y * width + x + GLYPH_WIDTH])), 2)
                       for y in range(top, top + GLYPH_HEIGHT))
                 for x in range(0, width - GLYPH_WIDTH + 1, GLYPH_WIDTH)]
        rows.append("".join(known.get(cell, "?") for cell in cells).rstrip())
    return rows


def until(read, machine, words):
    """The screen is painted when the machine has time for it: look again until it shows the words."""
    deadline = time.monotonic() + HANG
    while True:
        rows = read(machine)
        if any(re.search(words, row) for row in rows):
            return rows
        assert time.monotonic() < deadline, "\n".join(rows)
        time.sleep(0.1)


SCREENS = [
    pytest.param("fast", vga_text, 80, marks=pytest.mark.quick, id="vga-text"),
    pytest.param("iso", framebuffer_text, 128, marks=pytest.mark.quick, id="framebuffer-bios"),
    pytest.param("uefi", framebuffer_text, 128, id="framebuffer-uefi"),
]


@pytest.mark.parametrize("boot, read, columns", SCREENS)
def test_screen_shows_what_the_serial_line_shows(boot, read, columns):
    with Machine(boot=boot) as machine:
        machine.boot()
        before = until(read, machine, "^vitrine>")
        assert any("keyboard: PS/2" in row for row in before), before
        serial = machine.run("vmap layout; buddyinfo; echo the end")
        after = until(read, machine, "^the end$")
        for line in serial.strip().splitlines():
            for at in range(0, len(line.rstrip()), columns):
                part = line[at:at + columns].rstrip()
                assert part in [row[:len(part)] for row in after], (part, after)
        for _ in range(5):
            machine.run("help")
        machine.run("echo scrolled")
        rows = until(read, machine, "^scrolled$")
        assert not any("the end" in row for row in rows) and rows != after
        machine.run("clear")
        rows = until(lambda m: [row for row in read(m) if row], machine, "^vitrine>")
        assert len(rows) <= 2, rows


@pytest.mark.parametrize("boot, read, columns", SCREENS[:2])
def test_panic_is_on_the_screen(boot, read, columns):
    with Machine(boot=boot) as machine:
        machine.boot()
        machine.send("fault null\r")
        machine.expect("next : ")
        rows = until(read, machine, "^next : ")
        assert all(len(row) <= columns for row in rows)
        assert any("read_through_null" in row for row in rows), rows


def test_no_screen_at_all():
    with Machine(qemu=["-vga", "none"]) as machine:
        machine.boot()
        machine.run("help")


@pytest.mark.parametrize("boot", [pytest.param("fast", marks=pytest.mark.quick), "iso", "uefi"])
def test_keyboard_reaches_the_shell(boot):
    """Letters, Shift, Backspace, an arrow (two-byte scan code), Tab, Ctrl."""
    with Machine(boot=boot) as machine:
        machine.boot()
        machine.press("m", "e", "m", "i", "x", "backspace", "n", "f", "o", "ret")
        assert "MemTotal" in machine.expect(PROMPT)
        machine.press("up", "ret")
        assert "MemTotal" in machine.expect(PROMPT)
        machine.press("b", "u", "d", "d", "y", "i", "tab", "ret")
        assert "Normal" in machine.expect(PROMPT)
        machine.press("e", "c", "h", "o", "spc", "shift-a", "caps_lock", "b", "caps_lock", "shift-1",
                      "home", "z", "end", "1", "ctrl-u", *"echo", "spc", "shift-a", "shift-minus", "1", "ret")
        assert re.search("^A_1$", machine.expect(PROMPT), re.M)
        machine.press(*"repeat", "spc", *"99999999", "spc", *"uptime", "ret")
        machine.expect("TSC|HPET|PIT")
        machine.press("ctrl-c")
        machine.expect(PROMPT)
        assert "MemTotal" in machine.run("meminfo")
