# SPDX-License-Identifier: MIT
"""The tests inside the kernel, one pytest case each. Which tests exist is read from the symbol table
before anything runs; a test that the kernel then does not report has failed."""
import re

import pytest
from machine import BUILD, Machine

KTEST_PASS, KTEST_FAIL = 0x10, 0x11
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


@pytest.fixture(scope="session")
def ktap():
    """Results by kernel flavour; each flavour is booted once."""
    cache = {}

    def of(flavour):
        if flavour not in cache:
            with Machine(append="selftest", flavour=flavour) as machine:
                text, status = machine.rest()
            cache[flavour] = (parse_ktap(text), status, text)
        return cache[flavour]
    return of


@pytest.mark.quick
@pytest.mark.xdist_group("kernel")
@pytest.mark.parametrize("name", known_tests())
def test_in_kernel(ktap, name):
    results, _, text = ktap("og")
    assert name in results, f"the kernel did not report this test:\n{text[-3000:]}"
    result, notes = results[name]
    if result == "skip":
        pytest.skip(notes)
    assert result == "ok", notes


@pytest.mark.quick
@pytest.mark.xdist_group("kernel")
def test_whole_run_passes(ktap):
    results, status, text = ktap("og")
    assert set(results) == set(known_tests()) and known_tests()
    assert status == KTEST_PASS, text[-3000:]


@pytest.mark.xdist_group("kernel-o2")
def test_optimised_kernel_passes(ktap):
    results, status, text = ktap("o2")
    failed = {name: notes for name, (result, notes) in results.items() if result == "not ok"}
    assert not failed and status == KTEST_PASS, f"{failed}\n{text[-3000:]}"


@pytest.mark.parametrize("append", ["vmap=vmlist selftest", "vmap.flush=eager selftest",
                                    "page_poison=off vmalloc.debug=off selftest",
                                    "seed=12345 selftest"])
def test_other_configurations_pass(append):
    with Machine(append=append) as machine:
        text, status = machine.rest()
    failed = {n: notes for n, (result, notes) in parse_ktap(text).items() if result == "not ok"}
    assert not failed and status == KTEST_PASS, f"{failed}\n{text[-3000:]}"


@pytest.mark.quick
def test_three_runs_leave_identical_counts(fast):
    """Pages, areas and objects are the same after each of three whole self-test runs."""
    counts = []
    for _ in range(3):
        totals = fast.run("selftest")
        assert " fail:0 " in totals, totals[-2000:]
        counts.append([fast.run("vmap stats"), fast.run("buddyinfo"), fast.run("slabinfo")])
    gauges = [re.findall(r"^ *(busy|free|lazy|pages|areas|nodes).*$", "\n".join(c), re.M)
              for c in counts]
    assert gauges[0] == gauges[1] == gauges[2]
    assert stable(counts[1]) == stable(counts[2]) == stable(counts[0])


def stable(answers):
    """The gauges of an answer; running totals (allocs, frees, purges ...) grow, of course."""
    return [line for answer in answers[:1] for line in answer.splitlines()
            if re.search(r"busy|free extents|lazy now|nodes|metadata", line)
            and not re.search(r"alloc|purge|total|since", line)]
