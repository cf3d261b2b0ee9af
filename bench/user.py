# SPDX-License-Identifier: MIT
"""What ring 3 pays, on Vitrine and on Debian's kernels: the same static binary, user/ubench.c, in the same virtual
machine, under the same instruction count. Part of `make bench-linux`; `user` in linux.json."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from boot import CPU, HANG, KERNEL_OPTIONS, MEMORY, QEMU_OPTIONS, ROOT

MIB = 256
WHAT = {  # in the order of the table; what ubench calls it: what we call it
    "getppid": "getppid(), there and back",
    "fault": "page fault: anonymous, one page",
    "fork": f"fork with {MIB} MiB touched, per page",
    "fork write": "first write to such a page, child alive: copy",
    "fork reuse": "first write after the child is gone",
    "fork alone": "fork with next to nothing touched",
}


def records(text):
    """{what: instructions per operation}; None when the program did not come to its end."""
    found = [json.loads(line) for line in re.findall(r"@ubench (\{.*\})", text)]
    if not found or not found[-1].get("done"):
        return None
    return {record["what"]: record["instructions_per_operation"] for record in found[:-1]}


def on_vitrine(build):
    """The figures of this kernel, -O2; ends the program when there are none."""
    with tempfile.TemporaryDirectory(prefix="vitrine-user-") as temp:
        append = f'{KERNEL_OPTIONS} exec="run ubench {MIB}; poweroff"'
        run = subprocess.run(
            [sys.executable, f"{ROOT}/tools/qemu", "--build", build, "--flavour", "o2", "--boot", "fast",
             "--mem", MEMORY, "--cpu", CPU, "--append", append, "--serial", f"file:{temp}/serial",
             "--timeout", str(HANG), "--", *QEMU_OPTIONS],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        with open(f"{temp}/serial", encoding="utf-8", errors="replace") as file:
            text = file.read()
    figures = records(text)
    if run.returncode or not figures:
        sys.exit(f"bench: ubench did not end well, status {run.returncode}:\n{text[-3000:]}{run.stderr}")
    return figures


def initramfs_tree(build, folder, here):
    """The directory that becomes Linux's initramfs."""
    tree = f"{folder}/user"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("bin", "proc", "dev"):
        os.makedirs(f"{tree}/{name}")
    shutil.copy(f"{folder}/root/bin/busybox", f"{tree}/bin/busybox")
    shutil.copy(f"{here}/user-init", f"{tree}/init")
    shutil.copy(f"{build}/user/ubench", f"{tree}/ubench")
    with open(f"{tree}/options", "w", encoding="utf-8") as file:
        file.write(f"{MIB}\n")
    return tree


def number(value):
    return "-" if value is None else f"{value:,.0f}"


def rows(data):
    """[[what, Vitrine, Linux, part, ...]] of what `user` in linux.json holds."""
    table = []
    for key, name in WHAT.items():
        ours = data["vitrine"].get(key)
        row = [name, number(ours)]
        for figures in data["linux"].values():
            theirs = figures.get(key)
            row += [number(theirs), f"{ours / theirs:.2f}" if ours and theirs else "-"]
        table.append(row)
    return table


def head(data):
    return ["", "Vitrine", *(cell for series in data["linux"] for cell in (f"Linux {series}", ""))]
