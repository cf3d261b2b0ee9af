# SPDX-License-Identifier: MIT
"""The boot matrix. Every boot path with every memory size that it can have; CPU models and CPU counts
rotate through them so that each pair of values meets. Each machine passes the self-tests."""
import re

import pytest
from machine import Machine

MEMORY = ["8M", "16M", "32M", "128M", "1G", "4G", "16G", "64G"]
CPUS = ["max", "qemu64"]
SMP = [1, 2, 4]
UEFI_MINIMUM = MEMORY.index("128M")  # UEFI needs 64M; see test_uefi_at_its_minimum
KTEST_PASS = 0x10


def matrix():
    for row, boot in enumerate(["iso", "uefi", "disk", "disk-uefi", "fast"]):
        for column, mem in enumerate(MEMORY):
            if boot.endswith("uefi") and (column < UEFI_MINIMUM or (boot == "disk-uefi" and column > 4)):
                continue
            mark = [pytest.mark.quick] if (boot, mem) in (("iso", "128M"), ("fast", "8M")) else []
            yield pytest.param(boot, mem, CPUS[(row + column) % 2], SMP[(row + column) % 3],
                               marks=mark)


@pytest.mark.parametrize("boot, mem, cpu, smp", matrix())
def test_boots_and_passes_selftest(boot, mem, cpu, smp):
    with Machine(boot=boot, mem=mem, cpu=cpu, smp=smp) as machine:
        log = machine.boot()
        assert "Vitrine" in log
        answer = machine.run("selftest")
        assert re.search(r"# Totals: pass:[1-9]\d* fail:0 ", answer), answer[-3000:]


def test_uefi_at_its_minimum():
    with Machine(boot="uefi", mem="64M") as machine:
        machine.boot()
        assert "fail:0" in machine.run("selftest")


@pytest.mark.quick
def test_smallest_memory_that_works():
    with Machine(mem="6M") as machine:
        machine.boot()
        assert "MemTotal" in machine.run("meminfo")


@pytest.mark.quick
def test_too_little_memory_is_said():
    with Machine(mem="4M") as machine:
        text = machine.expect("give the machine more memory")
        assert "need at least" in text


@pytest.mark.quick
@pytest.mark.parametrize("cpu, words", [("qemu32", "long mode"), ("qemu64,-nx", "NX")])
def test_cpu_that_cannot_run_it_is_told(cpu, words):
    with Machine(cpu=cpu) as machine:
        machine.expect(words)


@pytest.mark.quick
@pytest.mark.parametrize("append, words", [
    ("vmap=nonsense", "vmap"), ("vmap.check=9", "vmap.check"), ("frobnicate=1", "frobnicate")])
def test_bad_option_warns_and_boots(append, words):
    with Machine(append=append) as machine:
        log = machine.boot()
        assert words in log
        assert "MemTotal" in machine.run("meminfo")


def test_command_line_through_grub():
    with Machine(boot="iso", append="vmap.check=3 vmap=vmlist loglevel=3") as machine:
        log = machine.boot()
        assert "design vmlist" in log and "check level 3" in log


def test_exotic_machines():
    for qemu, smp in [(["-M", "q35"], 3), (["-M", "pc", "-vga", "none"], 1)]:
        with Machine(boot="fast", qemu=qemu, smp=smp) as machine:
            machine.boot()
            assert "fail:0" in machine.run("selftest vmalloc")


# GRUB's own `cutmem` makes real weird maps, byte by byte (RAM that is not where it was).
@pytest.mark.parametrize("holes", [["0x2000000 0x2801800"], ["0x1800000 0x1800001"],
                                   [f"{at:#x} {at + 0x1000:#x}" for at in
                                    range(0x3000000, 0x3000000 + 40 * 0x5000, 0x5000)]])
def test_memory_maps_with_holes(holes, tmp_path):
    import iso_with_grub
    image = iso_with_grub.make(tmp_path, ["insmod mmap", *(f"cutmem {hole}" for hole in holes)])
    with Machine(boot="fast", qemu=[], mem="128M") if image is None else \
            iso_with_grub.Booted(image) as machine:
        machine.boot()
        assert "fail:0" in machine.run("selftest")
