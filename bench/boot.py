# SPDX-License-Identifier: MIT
"""The measured machine: one boot of the -O2 kernel that runs one shell command under instruction
counting and powers off. Everything that could differ from run to run is fixed here."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
QEMU_OPTIONS = ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2025-01-01,clock=vm"]
CPU, MEMORY = "qemu64", "2G"
KERNEL_OPTIONS = "panic=exit vmalloc.debug=off page_poison=off vmap.check=0 loglevel=1 color=off console=ttyS0"
HANG = 1800  # seconds for one boot; a hang detector


def boot(build, command, options="", qemu=()):
    """Run one `bench ... json`; returns the objects of its @bench lines, the head first."""
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-") as temp:
        append = f'{KERNEL_OPTIONS} {options} exec="{command}; poweroff"'
        run = subprocess.run(
            [sys.executable, f"{ROOT}/tools/qemu", "--build", build, "--flavour", "o2", "--boot", "fast",
             "--rootfs", "", "--mem", MEMORY, "--cpu", CPU, "--smp", "1", "--append", append,
             "--serial", f"file:{temp}/serial", "--timeout", str(HANG), "--", *QEMU_OPTIONS, *qemu],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        with open(f"{temp}/serial", encoding="utf-8", errors="replace") as file:
            text = file.read()
    lines = [json.loads(line[len("@bench "):]) for line in text.replace("\r", "").split("\n")
             if line.startswith("@bench {")]
    if run.returncode or not lines:
        sys.exit(f"bench: `{command}` ({options}) ended with status {run.returncode}:\n"
                 f"{text[-3000:]}{run.stderr}")
    if lines[0]["unit"] != "instructions":
        sys.exit("bench: the time stamp counter does not count instructions; is this QEMU's TCG?")
    return lines
