# SPDX-License-Identifier: MIT
"""The tests inside the kernel, one pytest case each. Which tests exist is read from the symbol table
before anything runs; a test that the kernel then does not report has failed."""
import re

import pytest
from machine import BUILD, KTEST_FAIL, KTEST_PASS, Machine, differences

SYMBOL = re.compile(r" ktest_entry_(\w+)$", re.M)


def known_tests():
    try:
        with open(f"{BUILD}/og/kernel.sym", encoding="utf-8") as file:
            return sorted(SYMBOL.findall(file.read()))
    except FileNotFoundError:
        return []


def parse_ktap(text):
    """{'suite_test': (result, diagnostics)}; result is 'ok', 'not ok' or 'skip'."""
    results, suite, notes = {}, None, []
    for line in text.splitlines():
        line = line.strip()
        if match := re.match(r"# Subtest: (\S+)", line):
            suite, notes = match[1], []
        elif match := re.match(r"(ok|not ok) \d+ (\S+)(.*)", line):
            result = "skip" if "# SKIP" in match[3] else match[1]
            if match[2] != suite:
                results[f"{suite}_{match[2]}"] = (result, "\n".join([*notes, line]))
            notes = []
        else:
            notes.append(line)
    return results


def boot_into_tests(**configuration):
    """Run all self-tests and end: results, exit status, everything that was said."""
    with Machine(**configuration) as machine:
        text, status = machine.rest()
    return parse_ktap(text), status, text


def assert_green(results, status, text):
    failed = {name: notes for name, (result, notes) in results.items() if result == "not ok"}
    assert not failed, f"{failed}"
    assert set(results) == set(known_tests()), set(results) ^ set(known_tests())
    assert status == KTEST_PASS, text[-3000:]


@pytest.fixture(scope="session")
def ktap():
    """The outcome of the debug kernel, booted once."""
    return boot_into_tests(append="selftest")


@pytest.mark.quick
@pytest.mark.xdist_group("kernel")
@pytest.mark.parametrize("name", known_tests())
def test_in_kernel(ktap, name):
    results, _, text = ktap
    assert name in results, f"the kernel did not report this test:\n{text[-3000:]}"
    result, notes = results[name]
    if result == "skip":
        pytest.skip(notes)
    assert result == "ok", notes


@pytest.mark.quick
@pytest.mark.xdist_group("kernel")
def test_whole_run_passes(ktap):
    assert known_tests(), "no self-tests in build/og/kernel.sym"
    assert_green(*ktap)


@pytest.mark.parametrize("append, configuration", [
    ("selftest", {"flavour": "o2"}),
    ("vmap=vmlist selftest", {"flavour": "o2", "cpu": "qemu64"}),
    ("vmap=vmlist selftest", {"smp": 2}),
    ("vmap=freelist selftest", {"flavour": "o2"}),
    ("vmap=nodes vmap.check=3 selftest", {}),
    ("vmap=freetree53 selftest", {"flavour": "o2"}),
    ("vmap=busytree vmap.check=3 selftest", {}),
    ("vmap=busytree28 selftest", {}),
    ("vmap=avlhash vmap.check=3 selftest", {"smp": 2}),
    ("vmap.flush=eager selftest", {}),
    ("vmap.check=1 selftest", {"mem": "32M"}),
    ("vmap.check=3 selftest", {}),
    ("page_poison=off vmalloc.debug=off selftest", {}),
    ("seed=12345 selftest", {"mem": "1G"}),
    ("seed=0xdeadbeef console=ttyS0 color=off loglevel=error selftest", {"smp": 4}),
])
def test_other_configurations_pass(append, configuration):
    assert_green(*boot_into_tests(append=append, **configuration))


@pytest.mark.quick
def test_one_suite_from_the_command_line():
    results, status, _ = boot_into_tests(append="selftest=shell")
    assert status == KTEST_PASS and results and all(name.startswith("shell_") for name in results)


@pytest.mark.quick
def test_a_suite_that_does_not_exist_is_no_success():
    _, status, text = boot_into_tests(append="selftest=nosuchsuite")
    assert status == KTEST_FAIL and "nosuchsuite" in text


@pytest.mark.parametrize("append", [pytest.param("", marks=pytest.mark.quick), "vmap=vmlist",
                                    "vmap=busytree", "vmap=avlhash", "vmap=nodes", "vmap.flush=eager",
                                    "page_poison=off vmalloc.debug=off"])
def test_three_runs_leave_identical_counts(append):
    """Before, and after each of three whole runs: the same free pages, slab pages, page tables, objects
    of each cache, areas at the same addresses with the same callers, descriptors and free ranges."""
    with Machine(mem="64M", append=append) as machine:
        machine.boot()
        before = counts(machine)
        for _ in range(3):
            totals = machine.run("selftest")
            assert re.search(r"^# Totals: pass:[1-9]\d* fail:0 ", totals, re.M), totals[-3000:]
            after = counts(machine)
            assert not differences(before, after), differences(before, after)
        assert "all invariants hold" in machine.run("vmap check")


def counts(machine):
    """The gauges, and those of the address space that no other command shows; totals only grow."""
    gauges = machine.gauges()
    stats = re.findall(r"^(?:now|metadata) .*", machine.run("vmap stats"), re.M)
    assert len(stats) == 2, stats
    return {**gauges, "vmap stats": "\n".join(stats)}
