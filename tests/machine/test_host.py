# SPDX-License-Identifier: MIT
"""The host programs (the same lib/ and mm/ sources, cmocka under ASan and UBSan): one pytest case per
program, which runs once. A test that stands in the source and is not reported has failed."""
import glob
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from machine import BUILD, HANG, ROOT

CASE = re.compile(r"^\s*cmocka_unit_test(?:_\w+)?\(\s*(\w+)", re.M)


def programs():
    return sorted(os.path.basename(path)[:-2] for path in glob.glob(f"{ROOT}/tests/host/test_*.c"))


def run(program):
    """The finished process, and {name: None or the failure's text}."""
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
def test_host_program(program):
    result, cases = run(program)
    output = result.stdout[-3000:] + result.stderr[-3000:]
    failed = {name: text for name, text in cases.items() if text}
    assert not failed, f"{failed}\n{output}"
    assert cases, f"no test was reported:\n{output}"
    assert result.returncode == 0, output
    with open(f"{ROOT}/tests/host/{program}.c", encoding="utf-8") as source:
        assert set(CASE.findall(source.read())) <= set(cases)
