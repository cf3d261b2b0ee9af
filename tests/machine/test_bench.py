# SPDX-License-Identifier: MIT
"""The benchmark: the shell's table, the documented JSON, and the promise that two runs agree to the
instruction. Figures themselves are not asserted: they change with every improvement."""
import json
import os
import re
import subprocess
import sys

import pytest
from machine import BUILD, HANG, ROOT

pytestmark = pytest.mark.quick

TOP = {"schema": int, "commit": str, "modified": bool, "kernel_sha256": str, "tools": dict,
       "compiler_options": str, "qemu_options": list, "kernel_options": str, "cpu_model": str, "cpus": int,
       "memory": str, "unit": str, "designs": list, "default_design": str, "verified": bool,
       "left_out": list, "differs_from_linux": list, "linux": dict, "skipped": list, "results": list,
       "without_zeroing": dict}
RESULT = {"workload": str, "world": str, "design": str, "flush": str, "default": bool, "areas_alive": int,
          "operations": int, "operations_divided_by": int, "instructions": int,
          "instructions_per_operation": (int, float), "nodes_visited": float, "refused": int,
          "refused_of_operations": int, "live_bytes": int, "peak_bytes": int, "span_bytes": int,
          "metadata_bytes": int}


def free_memory(machine):
    return int(re.search(r"MemFree: +(\d+)", machine.run("meminfo"))[1])


def test_table_in_the_shell(fast):
    head = json.loads(re.search(r"^@bench (.*)$", fast.run("bench vmap 4 json"), re.M)[1])
    before = free_memory(fast)
    answer = fast.run("bench fix_size 32")
    rows = [line.split() for line in re.sub(r".*\r|.*\.\.\.", "", answer).splitlines()]
    assert ["fix_size", "freetree", "0", "32"] in [row[:4] for row in rows], answer
    measured = {row[2] for row in rows if row[:2] == ["va_only", "fix_size"]}
    assert measured - {"10p"} == set(head["designs"]), answer
    assert "ticks" in answer and "vmalloc.debug=off" in answer
    assert abs(free_memory(fast) - before) < 512
    assert "fail:0" in fast.run("selftest vmalloc")


def test_sweep_and_interruption(fast):
    answer = fast.run("bench dense 16 live=100 design=freetree")
    assert re.search(r"va_only live_sweep dense +freetree +100 +16 ", answer), answer
    fast.send("bench all live=10000\r")
    fast.expect("fix_size")
    fast.send("\x03")
    assert "interrupted" in fast.expect("vitrine> ")
    assert "fail:0" in fast.run("selftest vmap.statistics")


@pytest.mark.parametrize("line", ["bench nonsense", "bench fix_size 0", "bench fix_size 4 5",
                                  "bench fix_size design=nonsense", "bench fix_size live=", "bench all -1"])
def test_bad_arguments(fast, line):
    answer = fast.run(line)
    assert "usage:" in answer or "no workload" in answer, answer


def test_json_and_two_identical_runs(tmp_path):
    done = subprocess.run([sys.executable, f"{ROOT}/bench/run", "--build", BUILD, "--output", str(tmp_path),
                           "--quick", "--verify", "--design", "freetree"], capture_output=True, text=True,
                          timeout=4 * HANG, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agree to the instruction" in done.stdout
    with open(tmp_path / "bench.json", encoding="utf-8") as file:
        data = json.load(file)
    for key, kind in TOP.items():
        assert isinstance(data[key], kind), key
    assert data["verified"] is True and data["unit"] == "instructions"
    assert set(data["tools"]) == {"qemu", "compiler", "linker", "nasm"}
    for result in data["results"]:
        assert set(result) == set(RESULT), result
        for key, kind in RESULT.items():
            assert isinstance(result[key], kind), (key, result)
        assert result["instructions_per_operation"] == \
            round(result["instructions"] / result["operations"], 2) > 0
    found = {(r["workload"], r["world"], r["flush"], r["default"], r["areas_alive"]) for r in data["results"]}
    assert ("fix_size", "layer", "lazy", True, 0) in found
    assert ("va_only long_busy_list", "space", "none", True, 0) in found
    assert ("va_only live_sweep holes1", "space", "none", True, 100) in found


def test_schema_is_documented():
    with open(f"{ROOT}/bench/README.md", encoding="utf-8") as file:
        text = file.read()
    for key in [*TOP, *RESULT]:
        assert f"`{key}`" in text, f"bench/README.md does not explain {key}"


def test_profile_adds_up():
    """The plugin and the kernel's clock count the same instructions."""
    done = subprocess.run([sys.executable, f"{ROOT}/bench/profile", "--build", BUILD], capture_output=True,
                          text=True, timeout=4 * HANG, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    clock = float(re.search(r"([\d.]+) instructions per operation", done.stdout)[1])
    counted = float(re.search(r"([\d.]+) +total", done.stdout)[1])
    assert abs(clock - counted) < clock / 10
    assert re.search(r"vmalloc_range|try_vmalloc|vfree", done.stdout)


def test_baseline_has_its_provenance():
    with open(os.path.join(ROOT, "bench", "linux-baseline.json"), encoding="utf-8") as file:
        baseline = json.load(file)
    assert baseline["provenance"]["kernels"] and baseline["provenance"]["machine"]
    assert baseline["figures"]["fix_size"]["6.1 lean"] == 2126
