# SPDX-License-Identifier: MIT
"""The tree itself: builds with each compiler without a warning, is formatted and linted, keeps its
architecture, and its two commands do what the README says."""
import os
import re
import shutil
import subprocess
import sys

import pexpect
import pytest
from machine import HANG, ROOT, Machine


def test_lint(make):
    make("lint")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_builds_without_warnings_and_boots(compiler, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    subprocess.run(["make", f"O={tmp_path}", f"CC={compiler}", "WERROR=1", f"{tmp_path}/og/kernel.elf",
                    f"{tmp_path}/o2/kernel.elf"], cwd=ROOT, check=True, timeout=4 * HANG,
                   stdout=subprocess.DEVNULL, env={**os.environ, "MAKEFLAGS": ""})
    for flavour in ("og", "o2"):
        result = subprocess.run([sys.executable, f"{ROOT}/tools/qemu", "--boot", "fast", "--kernel",
                                 f"{tmp_path}/{flavour}/kernel.elf", "--append", "selftest",
                                 "--timeout", str(2 * HANG)], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, errors="replace", check=False)
        assert result.returncode == 0x10, result.stdout[-3000:] + result.stderr


@pytest.mark.quick
def test_every_artefact_is_there(make):
    text = make("all", "iso", "disk")
    assert "Error" not in text
    for name in ("og/kernel.elf", "og/kernel.asm", "og/kernel.sym", "o2/kernel.elf", "o2/kernel.asm",
                 "o2/kernel.sym", "vitrine.iso", "vitrine.img", "compile_commands.json"):
        assert os.path.getsize(f"{ROOT}/{os.environ.get('BUILD', 'build')}/{name}") > 0


@pytest.mark.quick
def test_nothing_to_do_the_second_time(make):
    make("all")
    assert not re.search(r"^ +(CC|LINK|NASM)", make("all"), re.M)


@pytest.mark.quick
def test_help_and_doctor(make):
    text = make("help")
    for target in ("run", "fast", "gdb", "test", "test-quick", "lint", "doctor", "clean"):
        assert f"make {target}" in text
    assert "qemu" in make("doctor")


@pytest.mark.quick
def test_promised_line_budgets():
    budgets = {"Makefile": 200, "setup": 80}
    for name, most in budgets.items():
        with open(f"{ROOT}/{name}", encoding="utf-8") as file:
            assert len(file.readlines()) <= most, f"{name} is longer than {most} lines"


@pytest.mark.quick
def test_setup_is_idempotent():
    for _ in range(2):
        result = subprocess.run(["./setup"], cwd=ROOT, capture_output=True, text=True,
                                timeout=4 * HANG, check=False, stdin=subprocess.DEVNULL,
                                env={**os.environ, "MAKEFLAGS": ""})
        assert result.returncode == 0, result.stdout + result.stderr
    assert "installing" not in result.stdout


@pytest.mark.quick
def test_setup_run_reaches_the_prompt():
    child = pexpect.spawn("./setup", ["run"], cwd=ROOT, timeout=HANG, encoding="utf-8",
                          codec_errors="replace", env={**os.environ, "MAKEFLAGS": ""})
    try:
        child.expect("Ctrl-A X")
        child.expect("vitrine> ")
        child.send("vmap\r")
        child.expect("busy")
        child.expect("vitrine> ")
        child.send("\x01x")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)


@pytest.mark.quick
def test_two_machines_at_once():
    with Machine() as one, Machine() as two:
        one.boot()
        two.boot()
        assert "MemTotal" in one.run("meminfo") and "MemTotal" in two.run("meminfo")
