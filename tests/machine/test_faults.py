# SPDX-License-Identifier: MIT
"""Death tests: every `fault KIND` in a machine of its own. Fatal ones must panic with the explanation,
the right culprits, a symbolised backtrace and the next step; refused ones must leave a working system.
A triple fault, a reboot or silence is a failure; that a triple fault would not go unseen is tested."""
import re
import subprocess

import pytest
from machine import BUILD, HANG, PANIC, PROMPT, TRIPLE_FAULT, Machine, plain
from pexpect import EOF

pytestmark = pytest.mark.quick

FATAL = {  # kind: (the explanation, the function that did it, the next step)
    "stack": (r"kernel stack overflow: write at 0x\w+ hit the guard page below the boot stack \[",
              "recurse_until_the_stack_ends", "recursion"),
    "guard": (r"out-of-bounds write 0 bytes past the end of area \[0x\w+, 0x\w+\): it hit the guard page"
              r".*\(asked for: 8192\), allocated by fault_guard\+", "write_behind_the_end", "index"),
    "under": (r"out-of-bounds write at 0x\w+, 1 bytes before the start of area .*allocated by fault_under",
              "write_before_the_start", "index"),
    "uaf": (r"use after free: read at 0x\w+, 0 bytes into the former area .* of 12288 bytes, "
            r"allocated by fault_use_after_free\+.*, freed by fault_use_after_free\+",
            "read_after_vfree", "who kept the pointer"),
    "null": (r"NULL pointer read at 0x0", "read_through_null", "pointer was NULL"),
    "wx": (r"W\^X violation: write to 0x\w+ in kernel text \(mapped read-execute\)",
           "write_to_kernel_text", "P2"),
    "rodata": (r"W\^X violation: write to 0x\w+ in kernel rodata \(mapped read-only\)",
               "write_to_read_only_data", "P2"),
    "exec": (r"W\^X violation: jump to 0xffffc9\w+, which is data \(NX\)", "jump_into_data", "P2"),
    "noncanonical": (r"general protection fault \(#GP\): non-canonical address", "read_non_canonical", "docs/faults.md"),
    "ud": (r"invalid opcode \(#UD\)", "execute_undefined_instruction", "docs/faults.md"),
    "div": (r"divide error \(#DE\)", "divide_by", "docs/faults.md"),
    "assert": (r"order 11 > 10\n +ASSERT\(order <= MAX_ORDER\) failed at mm/commands/fault\.c:\d+",
               "assert_on_request", "make gdb"),
    "panic": (r"asked for with `fault panic`", "panic_on_request", "make gdb"),
}
REFUSED = {
    "double": r"BUG: vfree\(0x\w+\): double free\. Area .* of 12288 bytes was allocated by misuse_double\+.*"
              r"freed by vfree_twice\+.*freed again by vfree_twice\+",
    "unaligned": r"BUG: vfree\(0x\w+\): bad address \(unaligned\)",
    "middle": r"BUG: vfree\(0x\w+\): not the start of an area; it lies 4096 bytes inside \[.*allocated by",
    "foreign": r"BUG: vfree\(0x\w+\): foreign address, it lies in the region kernel image",
    "badpage": r"BUG: .*double free",
}
LEVELS = {"guard": ["PGD", "PUD", "PMD", "PTE"], "wx": ["PGD", "PUD", "PMD", "PTE"], "null": ["PGD"]}


def die(kind, **configuration):
    """Cause a fatal fault; what was said, and the exit status."""
    with Machine(append="panic=exit", **configuration) as machine:
        machine.boot()
        machine.send(f"fault {kind}\r")
        return plain(machine.expect(EOF)), machine.wait()


def assert_explained(kind, text, status):
    what, culprit, step = FATAL[kind]
    assert "KERNEL PANIC" in text and status == PANIC, (status, text[-3000:])
    assert re.search(rf"^what : {what}", text, re.M), text[-4000:]
    assert re.search(rf"^  #\d+ +{culprit}\+0x\w+/0x\w+", text, re.M), text[-4000:]
    assert re.search(rf"^next : .*{step}", text, re.M), text[-4000:]
    for level in LEVELS.get(kind, []):
        assert re.search(rf"^  {level}\[ *\d+\] at 0x\w+ = 0x\w+ ", text, re.M), text[-3000:]


@pytest.mark.parametrize("kind", FATAL)
def test_fatal_fault_explains_itself(kind):
    assert_explained(kind, *die(kind))


@pytest.mark.parametrize("kind", ["stack", "uaf", "exec"])
def test_optimised_kernel_explains_too(kind):
    assert_explained(kind, *die(kind, flavour="o2", cpu="qemu64", smp=2))


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_mistake_leaves_a_working_system(fast, kind):
    before = fast.gauges()
    text = fast.run(f"fault {kind}")
    assert re.search(REFUSED[kind], text), text
    assert re.search(r"  #\d+ +fault_run\+", text), text
    assert fast.gauges() == before
    assert " fail:0 " in fast.run("selftest vmalloc")
    assert "all invariants hold" in fast.run("vmap check")


def test_every_kind_that_is_listed_is_tested(shell):
    listed = set(re.findall(r"^ +([a-z]+) +\S", shell.run("fault"), re.M))
    assert listed == set(FATAL) | set(REFUSED), listed ^ (set(FATAL) | set(REFUSED))


def test_panic_halts_without_the_option(fast):
    fast.send("fault null\r")
    fast.expect("NULL pointer")
    fast.expect("next : ")
    assert fast.process.poll() is None


def test_report_stops_the_machine_when_asked():
    with Machine(append="panic=exit panic_on_report=on") as machine:
        machine.boot()
        machine.send("fault double\r")
        text, status = machine.rest()
    assert status == PANIC and "double free" in text, text[-3000:]


def test_prompt_survives_a_report(fast):
    fast.send("fault double\r")
    assert "BUG:" in fast.expect(PROMPT)


def test_triple_fault_stops_qemu_with_a_log():
    """GDB empties the interrupt table: an exception has no handler, nor has the fault that this is, nor
    the double fault that that is."""
    wipe = "gdb.selected_inferior().write_memory(int(gdb.parse_and_eval('&idt')), bytes(4096))"
    commands = ["hbreak shell_run", "continue", f"python {wipe}", "jump execute_undefined_instruction"]
    with Machine(gdb=True) as machine:
        session = subprocess.run(
            ["gdb", "-nx", "-batch", f"{BUILD}/og/kernel.elf", "-ex", f"target remote {machine.gdb}",
             *(f"-ex={command}" for command in commands)],
            capture_output=True, text=True, timeout=HANG, check=False, stdin=subprocess.DEVNULL)
        assert machine.wait() == TRIPLE_FAULT, session.stdout + session.stderr
        assert "TRIPLE FAULT" in machine.process.stderr.read()
        with open(machine.log, encoding="utf-8", errors="replace") as log:
            text = log.read()
    assert "Triple fault" in text, text[-3000:]
