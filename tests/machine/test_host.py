# SPDX-License-Identifier: MIT
"""The host programs (cmocka under ASan and UBSan), one pytest case per cmocka test. Names are read
from the sources before anything runs; a test that its program then does not report has failed."""
import glob
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from machine import BUILD, HANG, ROOT

CASE = re.compile(r"cmocka_unit_test(?:_\w+)?\(\s*(\w+)")


def programs():
    return sorted(os.path.basename(path)[:-2] for path in glob.glob(f"{ROOT}/tests/host/test_*.c"))


@pytest.fixture(scope="session")
def outcome():
    """Results by program; each program runs once."""
    cache = {}

    def of(program):
        if program not in cache:
            cache[program] = run(program)
        return cache[program]
    return of


def run(program):
    environment = {**os.environ, "CMOCKA_MESSAGE_OUTPUT": "XML"}
    environment.pop("CMOCKA_XML_FILE", None)
    result = subprocess.run([f"{BUILD}/host/{program}"], cwd=ROOT, capture_output=True, text=True,
                            errors="replace", timeout=4 * HANG, env=environment, check=False)
    cases = {}
    for document in re.findall(r"<testsuites>.*?</testsuites>", result.stdout, re.S):
        for case in ElementTree.fromstring(document).iter("testcase"):
            failure = case.find("failure")
            cases[case.get("name")] = None if failure is None else failure.text
    return result, cases


@pytest.mark.quick
@pytest.mark.parametrize("program", programs())
def test_host_program(outcome, program):
    result, cases = outcome(program)
    output = result.stdout[-3000:] + result.stderr[-3000:]
    failed = {name: text for name, text in cases.items() if text}
    assert not failed, f"{failed}\n{output}"
    assert cases, f"no test was reported:\n{output}"
    assert result.returncode == 0, output
