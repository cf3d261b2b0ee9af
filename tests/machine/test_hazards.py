# SPDX-License-Identifier: MIT
"""Hazards of the serial line: noise, floods, and Ctrl-C in the middle of everything. Afterwards the
prompt is back and nothing is lost."""
import random

import pytest
from machine import PROMPT, Machine

QUICK = pytest.mark.quick


@pytest.mark.parametrize("size", [pytest.param(20_000, marks=QUICK), 1_000_000])
def test_binary_garbage(size):
    """Any bytes: keys, half escape sequences, half UTF-8, control characters, thousands of lines."""
    noise = random.Random(size)
    with Machine() as machine:
        machine.boot()
        before = machine.gauges()
        machine.pump(noise.randbytes(size))
        machine.wake()
        assert machine.gauges() == before
        assert " fail:0 " in machine.run("selftest shell")


def test_flood_of_commands():
    """Faster than they can run: what the input queue drops is lost and counted, the rest is answered."""
    with Machine() as machine:
        machine.boot()
        before = machine.gauges()
        machine.pump(b"vmalloc 3p\rvfree all\r" * 2000)
        machine.wake()
        machine.run("vfree all")
        assert machine.gauges() == before


@pytest.mark.parametrize("command, seen", [
    pytest.param("repeat 100 selftest", "# Subtest: machine", marks=QUICK),
    pytest.param("repeat 1000000000 meminfo", "MemTotal", marks=QUICK),
    ("repeat 1000000000 echo tick", "tick"), ("selftest; echo not-reached", "# Subtest: fault"),
    ("repeat 100000 vmap-demo", "Three areas"), ("repeat 1000000 ptdump", "vmalloc"),
    ("repeat 1000000 vmap check", "V1"), ("repeat 1000000 vmalloc 1p", "1 page")])
def test_ctrl_c_stops_it(shell, command, seen):
    shell.send(command + "\r")
    shell.expect("\n")
    shell.expect(seen)
    shell.send("\x03")
    shell.expect(PROMPT)
    assert "MemTotal" in shell.run("meminfo")
    assert "not-reached" not in shell.run("echo")
    shell.run("vfree all")
