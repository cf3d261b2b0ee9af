# SPDX-License-Identifier: MIT
"""The host programs (the same lib/ and mm/ sources, cmocka under ASan and UBSan): one pytest case per
program, which runs once. A test that stands in the source and is not reported has failed."""
import glob
import os
import re
import struct
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


def cpio_seed():
    """A small good archive, behind the byte that says which allocation fails (none)."""
    def entry(name, mode, content=b"", links=1, file=7):
        fields = (file, mode, 0, 0, links, 0, len(content), 0, 0, 5, 1, len(name) + 1, 0)
        out = b"070701" + b"".join(b"%08x" % field for field in fields) + name + b"\0"
        out += b"\0" * (-len(out) % 4) + content
        return out + b"\0" * (-len(content) % 4)
    return b"\0" + b"".join([
        entry(b".", 0o40755), entry(b"bin", 0o40755), entry(b"bin/a", 0o100755, b"text", 2),
        entry(b"bin/b", 0o100755, b"", 2), entry(b"bin/l", 0o120777, b"a"), entry(b"dev", 0o40755),
        entry(b"dev/console", 0o20600), entry(b"TRAILER!!!", 0)])


def elf_seed():
    """Text and data with zeros behind it: 64 bytes of header, two segments of 56, code."""
    header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x4000b0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    text = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0, 0xb8, 0xb8, 4096)
    data = struct.pack("<IIQQQQQQ", 1, 6, 0x80, 0x401080, 0, 0x20, 0x3000, 4096)
    return header + text + data + b"\x90" * 8


def seed_corpus(name):
    return {"cpio": [cpio_seed()], "elf": [elf_seed()]}.get(name, [])


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


@pytest.mark.parametrize("name", [os.path.basename(path)[len("fuzz_"):-2]
                                  for path in sorted(glob.glob(f"{ROOT}/tests/host/fuzz_*.c"))])
def test_fuzzers_find_nothing(name, tmp_path):
    """A bounded run with a fixed seed, from a seed corpus when there is one; `make fuzz-NAME` is the long one."""
    program = f"{BUILD}/host/fuzz_{name}"
    if not os.path.exists(program):
        pytest.skip("no clang: the fuzzers were not built")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    seeds = seed_corpus(name)
    for number, seed in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    result = subprocess.run([program, "-runs=30000", "-seed=1", "-max_len=4096", str(corpus)], cwd=tmp_path,
                            capture_output=True, text=True, errors="replace", timeout=8 * HANG, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    assert "DONE" in result.stderr, result.stderr[-4000:]
