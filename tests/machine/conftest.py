# SPDX-License-Identifier: MIT
"""What all machine tests share. A machine costs about a second, so tests that leave a machine as they
found it share one per worker, and `shell` holds them to it: every page, page table, area and object
must be back. Tests that harm their machine take a fresh one from `fast`."""
import pytest
from machine import Machine, differences


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if call.when == "call":
        item.failed = report.failed


@pytest.fixture
def fast():
    """A machine of one's own at its prompt, through qemu -kernel."""
    with Machine() as machine:
        machine.boot()
        yield machine


class Shared:
    """One booted machine for many tests, and what it must look like between them."""

    def __init__(self):
        self.machine = self.gauges = None

    def get(self):
        if not self.machine:
            self.machine = Machine()
            self.machine.boot()
            self.gauges = self.machine.gauges()
        return self.machine

    def drop(self):
        if self.machine:
            self.machine.close()
        self.machine = None


@pytest.fixture(scope="session")
def shared():
    holder = Shared()
    yield holder
    holder.drop()


@pytest.fixture
def shell(shared, request):
    """The shared machine at its prompt. A failed test costs the next one a new boot."""
    try:
        yield shared.get()
        if getattr(request.node, "failed", True):
            shared.drop()
        else:
            changed = differences(shared.gauges, shared.machine.gauges())
            if changed:
                shared.drop()
            assert not changed, f"this test left something behind:\n{changed}"
    except AssertionError:
        shared.drop()
        raise
