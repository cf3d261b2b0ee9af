# SPDX-License-Identifier: MIT
"""The tree itself: builds with each compiler without a warning, is formatted and linted, keeps its
promises about size, and its two commands do what the README says."""
import os
import pathlib
import re
import runpy
import shutil
import subprocess
import sys

import pexpect
import pytest
from machine import BUILD, HANG, KTEST_PASS, ROOT, Machine, environment, make

MAKE = pytest.mark.xdist_group("make")  # two makes at once would build the same file twice


def test_lint():
    make("lint")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_builds_without_warnings_and_boots(compiler, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    kernels = [f"{tmp_path}/{flavour}/kernel.elf" for flavour in ("og", "o2")]
    subprocess.run(["make", f"O={tmp_path}", f"CC={compiler}", "WERROR=1", *kernels], cwd=ROOT,
                   check=True, timeout=4 * HANG, stdout=subprocess.DEVNULL, env=environment())
    for kernel in kernels:
        with Machine(kernel=kernel, append="selftest") as machine:
            text, status = machine.rest()
            assert status == KTEST_PASS, text[-3000:]


@MAKE
@pytest.mark.quick
def test_every_artefact_is_there():
    make("all", "iso", "disk")
    for name in ("og/kernel.elf", "og/kernel.asm", "og/kernel.sym", "o2/kernel.elf", "o2/kernel.asm",
                 "o2/kernel.sym", "vitrine.iso", "vitrine.img", "compile_commands.json"):
        assert os.path.getsize(f"{BUILD}/{name}") > 0


@MAKE
@pytest.mark.quick
def test_nothing_to_do_the_second_time():
    make("all")
    assert not re.search(r"^ +(CC|LINK|NASM|OBJDUMP|HOST\w+)", make("all"), re.M)


@MAKE
@pytest.mark.quick
def test_help_and_doctor():
    text = make("help")
    for target in ("run", "fast", "gdb", "test", "test-quick", "iso", "disk", "lint", "doctor", "clean"):
        assert re.search(rf"^  make {target} +\S", text, re.M), target
    assert "qemu" in make("doctor")


@pytest.mark.quick
@pytest.mark.parametrize("name, most", [("Makefile", 200), ("setup", 80)])
def test_promised_line_budgets(name, most):
    with open(f"{ROOT}/{name}", encoding="utf-8") as file:
        assert len(file.readlines()) < most


@pytest.mark.quick
def test_every_file_says_its_licence():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if files.returncode:
        pytest.skip("not a git tree")
    for name in files.stdout.splitlines():
        if name.endswith((".md", ".json", ".gitignore", ".gitkeep", "LICENSE", "etc/passwd", "etc/group")) or \
                not os.path.exists(f"{ROOT}/{name}"):  # formats without comments
            continue
        with open(f"{ROOT}/{name}", encoding="utf-8") as file:
            assert "SPDX-License-Identifier: MIT" in file.read(200), name


def test_every_planted_bug_can_still_be_planted(monkeypatch, tmp_path):
    """`make planted` takes minutes; that its table has not rotted is seen at once: each bug has its place, and
    what stands there then compiles. A header is tried through the first source that includes it."""
    monkeypatch.syspath_prepend(f"{ROOT}/tests/planted")
    planted = runpy.run_path(f"{ROOT}/tests/planted/run")
    sys.modules.pop("bugs")
    sources = sorted(pathlib.Path(ROOT).glob("mm/**/*.c"))
    for file, old, new, _, _ in planted["BUGS"]:
        overlay = tmp_path / file
        overlay.parent.mkdir(parents=True, exist_ok=True)
        overlay.write_text(planted["plant"](pathlib.Path(ROOT, file).read_text(), old, new, file))
        unit = overlay if file.endswith(".c") else next(
            source for source in sources if f'#include "{file}"' in source.read_text())
        done = subprocess.run(["gcc", "-std=gnu11", "-fsyntax-only", "-w", "-DVITRINE_HOST", "-DEVENTS=1",
                               f"-I{tmp_path}", f"-I{ROOT}", unit], capture_output=True, text=True, check=False,
                              timeout=HANG)
        overlay.unlink()
        assert done.returncode == 0, f"{file}: {new}\n{done.stderr}"


@MAKE
@pytest.mark.quick
def test_setup_is_idempotent():
    for _ in range(2):
        result = subprocess.run(["./setup"], cwd=ROOT, capture_output=True, text=True,
                                timeout=4 * HANG, check=False, stdin=subprocess.DEVNULL,
                                env=environment())
        assert result.returncode == 0, result.stdout + result.stderr
    assert "installing" not in result.stdout


@MAKE
@pytest.mark.quick
def test_setup_run_reaches_the_prompt():
    child = pexpect.spawn("./setup", ["run"], cwd=ROOT, timeout=HANG, encoding="utf-8",
                          codec_errors="replace", env=environment())
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
