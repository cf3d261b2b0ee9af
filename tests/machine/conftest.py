# SPDX-License-Identifier: MIT
"""What all machine tests share. The kernel's own tests (KTAP) and the host programs (cmocka) are run
once per session and appear as one pytest case each, so that a single summary line tells the truth."""
import os
import subprocess

import pytest
from machine import BUILD, ROOT, Machine


def pytest_configure(config):
    config.addinivalue_line("markers", "quick: part of `make test-quick`")


@pytest.fixture
def fast():
    """A booted machine at its prompt, through qemu -kernel."""
    with Machine() as machine:
        machine.log = machine.boot()
        yield machine


@pytest.fixture(scope="session")
def make():
    """Run make with arguments; returns its output; fails the test when make fails."""
    def run(*arguments, status=0, **environment):
        result = subprocess.run(["make", f"O={os.path.relpath(BUILD, ROOT)}", *arguments], cwd=ROOT,
                                capture_output=True, text=True, timeout=1200, check=False,
                                env={**os.environ, "MAKEFLAGS": "", **environment})
        assert result.returncode == status, result.stdout[-4000:] + result.stderr[-4000:]
        return result.stdout + result.stderr
    return run
