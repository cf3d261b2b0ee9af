# SPDX-License-Identifier: MIT
"""The event log while it is off, beside a kernel that was built without it: at most one instruction in a
hundred, counted. And that kernel works, and says why it has no log."""
import re
import subprocess
import sys

import pytest
from machine import BUILD, HANG, ROOT, Machine

pytestmark = pytest.mark.xdist_group("make")


def test_off_costs_less_than_one_percent():
    done = subprocess.run([sys.executable, f"{ROOT}/bench/events", "--build", BUILD], capture_output=True,
                          text=True, timeout=4 * HANG, check=False)
    assert done.returncode == 0 and "kept" in done.stdout, done.stdout + done.stderr
    rows = re.findall(r"^ +(\w+) +([\d,.]+) +([\d,.]+) +(-?[\d.]+)%$", done.stdout, re.M)
    assert len(rows) == 3
    for _, bare, off, cost in rows:
        bare, off = float(bare.replace(",", "")), float(off.replace(",", ""))
        assert 0 < off - bare < bare / 100 and abs((off / bare - 1) * 100 - float(cost)) < 0.01
    with Machine(kernel=f"{BUILD}/noevents/o2/kernel.elf") as machine:
        machine.boot()
        assert "EVENTS=0" in machine.run("trace on") and "EVENTS=0" in machine.run("trace")
        assert " fail:0 " in machine.run("selftest trace")
