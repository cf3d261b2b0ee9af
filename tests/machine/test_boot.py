# SPDX-License-Identifier: MIT
"""Ways to boot. Every boot path with every memory size that it can have; CPU models and CPU counts
rotate through them so that each pair of values meets. Then the machines that are not normal: too
small, too old, with holes in their memory, with no screen. Who boots passes the self-tests."""
import re

import pytest
from machine import Machine

MEMORY = ["8M", "16M", "32M", "128M", "1G", "4G", "16G", "64G"]
PATHS = {  # the memory sizes that each path can have: UEFI itself needs 64 MiB
    "iso": MEMORY,
    "uefi": ["64M", *MEMORY[3:]],
    "disk": MEMORY,
    "disk-uefi": ["128M", "1G", "4G"],
    "fast": MEMORY,
}
QUICK = [("iso", "128M"), ("fast", "8M")]
CPUS = ["max", "qemu64"]
SMP = [1, 2, 4]
RAM = re.compile(r"RAM (0x\w+)-(0x\w+)")
PAGE = 4096


def matrix():
    for row, (boot, sizes) in enumerate(PATHS.items()):
        for column, mem in enumerate(sizes):
            mark = [pytest.mark.quick] if (boot, mem) in QUICK else []
            yield pytest.param(boot, mem, CPUS[(row + column) % 2], SMP[(row + column) % 3],
                               marks=mark)


def assert_selftest_passes(machine):
    answer = machine.run("selftest")
    assert re.search(r"^# Totals: pass:[1-9]\d* fail:0 ", answer, re.M), answer[-3000:]


@pytest.mark.parametrize("boot, mem, cpu, smp", matrix())
def test_boots_and_passes_selftest(boot, mem, cpu, smp):
    with Machine(boot=boot, mem=mem, cpu=cpu, smp=smp) as machine:
        log = machine.boot()
        assert "Vitrine" in log and "BUG" not in log
        loader = "PVH" if boot == "fast" else "GRUB 2"
        assert re.search(rf"loader: {loader}", log), log
        assert_selftest_passes(machine)


@pytest.mark.quick
def test_smallest_memory_that_works():
    with Machine(mem="6M") as machine:
        machine.boot()
        assert_selftest_passes(machine)


@pytest.mark.quick
def test_too_little_memory_is_said():
    with Machine(mem="4M") as machine:
        text = machine.expect("give the machine more memory")
        assert re.search(r"need at least \d+ MiB of usable RAM above 1 MiB, have \d+ KiB", text), text


@pytest.mark.quick
@pytest.mark.parametrize("cpu, words", [("qemu32", "long mode"), ("qemu64,-nx", "NX")])
def test_cpu_that_cannot_run_it_is_told(cpu, words):
    with Machine(cpu=cpu) as machine:
        machine.expect(words)


@pytest.mark.quick
@pytest.mark.parametrize("append, words", [
    ("vmap=nonsense", "option 'vmap' does not take 'nonsense'"), ("seed=abc", "'seed' does not take 'abc'"),
    ("vmap.check=9", r"option 'vmap\.check' does not take '9'; it takes 0\.\.3"),
    ("frobnicate=1", "unknown option 'frobnicate'"), ("vmap.chek=1", "did you mean 'vmap.check'"),
    ("= ==", "unknown option ''"), ("seed=1 \"color=off", "unmatched \" quote")])
def test_bad_option_warns_and_boots(append, words):
    with Machine(append=append) as machine:
        assert re.search(words, machine.boot())
        assert "MemTotal" in machine.run("meminfo")


@pytest.mark.parametrize("boot", ["iso", "uefi", "disk", "fast"])
def test_command_line_arrives_whole(boot):
    """Quotes, blanks and the signs that GRUB's own language gives a meaning."""
    script = "echo $1 'c  d;' {e} \\\"f\\\"; vmalloc 3p; poweroff"
    with Machine(boot=boot, append=f'vmap.check=3 vmap=vmlist exec="{script}"') as machine:
        text, status = machine.rest()
    assert "design vmlist" in text and "check level 3" in text
    assert re.search(r"^\$1 c  d; {e} f$", text, re.M) and "12 KiB, 3 pages" in text, text
    assert status == 0


def test_long_command_line():
    with Machine(append="columns=100 " + "x" * 3000) as machine:
        machine.boot()
        assert "MemTotal" in machine.run("meminfo")


@pytest.mark.parametrize("qemu, smp", [
    (["-M", "q35"], 3),
    (["-vga", "none"], 1),
    (["-M", "pc,max-ram-below-4g=64M"], 2),
    (["-M", "pc,max-ram-below-4g=1G", "-m", "2G"], 3),
    (["-M", "q35", "-nodefaults", "-vga", "none"], 1),
    (["-M", "pc,hpet=off"], 1),
    (["-m", "4099M"], 1),
])
@pytest.mark.parametrize("boot", ["fast", "iso"])
def test_exotic_machines(boot, qemu, smp):
    if boot == "iso" and "-nodefaults" in qemu:
        pytest.skip("no CD drive")
    with Machine(boot=boot, qemu=qemu, smp=smp) as machine:
        machine.boot()
        assert_selftest_passes(machine)


# --- memory maps that have been cut up ---------------------------------------------------------------

LAST = 0x10000000  # behind the RAM of a 128 MiB machine
HOLES = {
    "one": [(0x2000000, 0x2800000)],
    "unaligned": [(0x2000000, 0x2801800)],
    "of-one-byte": [(0x1800000, 0x1800001)],
    "behind-the-kernel": [(0x400000, 0x700000)],
    "less-than-a-page-left": [(0x3000000, 0x3000800), (0x3001001, 0x3002000)],
    "ram-ends-odd": [(0x7a00801, LAST)],
    "forty": [(at, at + 0x1000) for at in range(0x3000000, 0x3000000 + 40 * 0x5000, 0x5000)],
    "all-but-eight-megabytes": [(0x900000, LAST)],
}


def without(ranges, holes):
    """Page-aligned ranges with the holes cut out, the rest rounded inwards to whole pages."""
    for hole_start, hole_end in holes:
        parts = []
        for start, end in ranges:
            parts += [(start, min(end, hole_start)), (max(start, hole_end), end)]
        ranges = [(start, end) for start, end in parts if start < end]
    rounded = [(-(-start // PAGE) * PAGE, end // PAGE * PAGE) for start, end in ranges]
    return [(start, end) for start, end in rounded if start < end]


def ram(machine):
    return [(int(start, 16), int(end, 16)) for start, end in RAM.findall(machine.boot())]


@pytest.fixture(scope="module")
def whole():
    """RAM as the firmware tells it, by boot path."""
    known = {}

    def of(boot):
        if boot not in known:
            with Machine(boot=boot, append="loglevel=debug") as machine:
                known[boot] = ram(machine)
        return known[boot]
    return of


@pytest.mark.xdist_group("holes")
@pytest.mark.parametrize("boot, name", [*(("iso", name) for name in HOLES), ("disk", "unaligned")])
def test_memory_map_with_holes(whole, boot, name):
    """GRUB's `cutmem` takes RAM away, to the byte; what is left is used, to the page."""
    lines = ["insmod mmap", *(f"cutmem {start:#x} {end:#x}" for start, end in HOLES[name])]
    with Machine(boot=boot, append="loglevel=debug", grub=lines) as machine:
        assert ram(machine) == without(whole(boot), HOLES[name])
        assert_selftest_passes(machine)
