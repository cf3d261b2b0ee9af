# SPDX-License-Identifier: MIT
"""`make gdb`, scripted: one command, breakpoints before paging, source lines from the first C line on,
the vmap commands on a stopped kernel, nothing left running afterwards."""
import glob
import re

import pytest
from machine import make

pytestmark = [pytest.mark.quick, pytest.mark.xdist_group("make")]

BUSY = r"^0xffffc9[0-9a-f]{10}-0xffff[0-9a-f]{12} .* busy "


def gdb(*commands, boot="fast", append="", flavour="og", mem="128M", target="gdb", **variables):
    """The session stops at kernel_main when it is first continued."""
    flags = "-batch " + " ".join(f"-ex '{command}'" for command in commands)
    flags = flags.replace("$", "$$")  # for make
    text = make(target, f"BOOT={boot}", f"GDBFLAGS={flags}", f"APPEND={append}", f"FLAVOUR={flavour}", f"MEM={mem}",
                *(f"{name}={value}" for name, value in variables.items()))
    for trouble in ("Traceback", "g' packet", "Python Exception", "Undefined command"):
        assert trouble not in text, text
    return text


@pytest.mark.parametrize("boot", ["fast", "iso"])
def test_breaks_in_alloc_vmap_area(boot):
    text = gdb("break alloc_vmap_area", "continue", "continue", "backtrace", "finish", "vmap list",
               boot=boot)
    assert re.search(r"alloc_vmap_area \(.*\) at mm/vmalloc\.c:\d+", text), text
    assert re.search(r"^#\d+ .* vm_reserve", text, re.M), text
    assert re.search(r"^#\d+ .* kernel_main \(.*\) at boot/main\.c:\d+", text, re.M), text
    assert re.search(BUSY, text, re.M), text


def test_hardware_breakpoint_before_paging():
    text = gdb("hbreak boot_entry32", "continue", "info registers cr0", "stepi", "stepi", "x/i $pc")
    assert "boot_entry32" in text and "PG" not in re.search(r"^cr0 .*", text, re.M)[0], text


def test_steps_through_source_from_the_first_line():
    text = gdb("continue", "next", "next", "next", "info source")
    assert re.search(r"kernel_main \(.*\) at boot/main\.c:\d+", text), text
    assert len(re.findall(r"^\d+\t", text, re.M)) >= 3, text
    assert "Current source file is boot/main.c" in text


def test_vmap_commands_at_the_prompt():
    text = gdb("break shell_run", "continue", "continue", "vmap", "vmap list", "vmap tree",
               "vmap tree --fit 20480 65536", "vmap tree busy", "vmap check", "buddy",
               "vmap at 0xffffc90000000000", "pt kernel_main", "whatis-addr kernel_main", "klog 5",
               "print $vmap_area(0xffffc90000000000)", "print *$page(0x1000000)", "help vitrine")
    assert re.search(BUSY, text, re.M), text
    for number in range(1, 7):
        assert re.search(rf"^ +V{number} +ok ", text, re.M), text
    for words in (r"subtree_max", r"B1, B2 and B3 hold", r"^region +kernel image", r"keyboard: PS/2"):
        assert re.search(words, text, re.M), f"no {words} in {text}"


def test_vmap_commands_before_there_is_a_vmap():
    text = gdb("continue", "vmap list", "vmap tree", "vmap check", "buddy", "klog",
               "whatis-addr 0xffffc90000000000")
    assert "the vmap space is not initialised yet" in text, text
    assert "the buddy is not initialised yet" in text and "the log is empty" in text, text


@pytest.mark.parametrize("flavour, append", [("og", "vmap=vmlist"), ("og", "vmap=freelist"),
                                            ("og", "vmap=busytree"), ("og", "vmap=avlhash"), ("og", "vmap=nodes"),
                                            ("o2", "vmap=freetree53"), ("o2", "")])
def test_other_design_other_flavour(flavour, append):
    text = gdb("break shell_run", "continue", "continue", "vmap list", "vmap check", append=append,
               flavour=flavour)
    assert re.search(BUSY, text, re.M) and re.search(r"^ +V1 ", text, re.M), text


def test_nothing_is_left_running():
    mark = "seed=8405694583940"
    gdb("continue", append=mark)
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                assert mark.encode() not in file.read(), f"{path}: left behind"
        except (FileNotFoundError, ProcessLookupError):
            continue
