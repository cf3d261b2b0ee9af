# SPDX-License-Identifier: MIT
"""`make gdb`, scripted: one command, breakpoints before paging, source lines from the first C line on,
the vmap commands on a stopped kernel, nothing left running afterwards."""
import os
import re
import subprocess

import pytest
from machine import BUILD, HANG, ROOT

pytestmark = pytest.mark.quick


def gdb(*commands, boot="fast", append="", flavour="og"):
    flags = "-batch " + " ".join(f"-ex '{command}'" for command in commands)
    result = subprocess.run(
        ["make", f"O={os.path.relpath(BUILD, ROOT)}", "gdb", f"BOOT={boot}", f"GDBFLAGS={flags}",
         f"APPEND={append}", f"FLAVOUR={flavour}"],
        cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=HANG, check=False,
        stdin=subprocess.DEVNULL, env={**os.environ, "MAKEFLAGS": ""})
    text = result.stdout + result.stderr
    assert "Traceback" not in text and "g' packet" not in text, text
    return text


@pytest.mark.parametrize("boot", ["fast", "iso"])
def test_breaks_in_alloc_vmap_area(boot):
    text = gdb("break alloc_vmap_area", "continue", "continue", "backtrace", "finish", "vmap list",
               boot=boot)
    assert re.search(r"alloc_vmap_area \(.*\) at mm/vmalloc\.c:\d+", text), text
    assert "vm_reserve" in text and re.search(r"0xffffc9[0-9a-f]{10}", text), text


def test_hardware_breakpoint_before_paging():
    text = gdb("hbreak boot_entry32", "continue", "info registers cr0", "stepi", "stepi", "x/i $pc")
    assert "boot_entry32" in text and "PG" not in re.search(r"cr0 .*", text)[0], text


def test_steps_through_source_from_the_first_line():
    text = gdb("continue", "next", "next", "next", "info source", "print $_siginfo_missing_is_void")
    assert re.search(r"kernel_main \(.*\) at boot/main\.c:\d+", text), text
    assert len(re.findall(r"^\d+\t", text, re.M)) >= 3, text


def test_vmap_commands_read_memory_only():
    text = gdb("break boot_actions_run", "continue", "vmap list", "vmap tree", "vmap check", "buddy",
               "pt 0xffffffff80200000", "whatis-addr 0xffffc90000000000", "klog")
    for words in ("subtree_max", "V1", "V2", "V3", "V4", "V5"):
        assert words in text, text


def test_vmap_commands_before_there_is_a_vmap():
    text = gdb("continue", "vmap list", "vmap tree", "vmap check")
    assert re.search(r"not initiali[sz]ed|not .*up yet|not ready", text), text


def test_vmlist_design_too():
    text = gdb("break boot_actions_run", "continue", "vmap list", "vmap check", append="vmap=vmlist")
    assert re.search(r"0xffffc9[0-9a-f]{10}", text) and "V1" in text, text


def test_nothing_is_left_running():
    gdb("continue")
    left = subprocess.run(["pgrep", "-f", "vitrine-gdb-"], capture_output=True, text=True, check=False)
    for pid in left.stdout.split():
        environ = f"/proc/{pid}/cmdline"
        if os.path.exists(environ):
            with open(environ, encoding="utf-8", errors="replace") as file:
                assert "qemu-system" not in file.read(), "QEMU was left behind"
