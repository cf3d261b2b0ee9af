# SPDX-License-Identifier: MIT
"""The benchmark: the shell's table, the documented JSON, the promise that two runs agree to the
instruction, and the documents that are written from it. Figures themselves are not asserted: they change
with every improvement."""
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from machine import BUILD, HANG, ROOT

pytestmark = pytest.mark.quick

TOP = {"schema": int, "commit": str, "modified": bool, "kernel_sha256": str, "tools": dict,
       "compiler_options": str, "qemu_options": list, "kernel_options": str, "cpu_model": str, "cpus": int,
       "memory": str, "unit": str, "designs": list, "default_design": str, "verified": bool,
       "left_out": list, "differs_from_linux": list, "linux": dict, "skipped": list, "results": list,
       "without_zeroing": dict, "summary": dict}
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
    assert "floor met:" in done.stdout[done.stdout.index("\nSummary"):]
    with open(tmp_path / "bench.json", encoding="utf-8") as file:
        data = json.load(file)
    for key, kind in TOP.items():
        assert isinstance(data[key], kind), key
    assert data["verified"] is True and data["unit"] == "instructions"
    assert set(data["tools"]) == {"qemu", "compiler", "linker", "nasm"}
    assert "/tmp" not in data["compiler_options"] and ROOT not in data["compiler_options"]
    assert all(row["floor_met"] == (row["vitrine"] <= row["linux"]) for row in data["summary"]["linux"])
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
    with open(f"{ROOT}/docs/figures/linux.json", encoding="utf-8") as file:
        linux = json.load(file)
    with open(f"{ROOT}/bench/docs", encoding="utf-8") as file:
        blocks = [name.replace("_", "-") for name in re.findall(r"^    def b_(\w+)", file.read(), re.M)]
    peer = next(iter(linux["kernels"].values()))
    for key in [*TOP, *RESULT, *linux, *peer, *peer["results"][0]]:
        assert f"`{key}`" in text, f"bench/README.md does not explain {key}"
    for name in blocks:
        assert re.search(rf"[`]{name}[ `]", text), f"bench/README.md does not list the block {name}"


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


# ---- the documents' figures --------------------------------------------------------------------------

def docs(*arguments):
    return subprocess.run([sys.executable, f"{ROOT}/bench/docs", *arguments], capture_output=True, text=True,
                          timeout=HANG, check=False)


@pytest.fixture
def tree(tmp_path):
    """A copy of the documents, and of the JSON that they were made of."""
    shutil.copytree(f"{ROOT}/docs", tmp_path / "docs")
    shutil.copy(f"{ROOT}/README.md", tmp_path)
    return tmp_path


def test_documents_say_what_the_stored_json_says():
    done = docs("--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every block says what the JSON says" in done.stdout


def test_documents_are_written_from_json(tree):
    build = tree / "build" / "bench"
    build.mkdir(parents=True)
    shutil.copy(tree / "docs" / "figures" / "bench.json", build)  # linux.json: the stored one serves
    page = tree / "docs" / "history.md"
    before = page.read_text(encoding="utf-8")
    page.write_text(re.sub(r"(bench:fewer long_busy_list busytree -->)[^<]*", r"\g<1>99 %", before),
                    encoding="utf-8")
    wrong = docs("--root", str(tree), "--check")
    assert wrong.returncode == 1 and "history.md: the block fewer long_busy_list busytree" in wrong.stdout
    done = docs("--root", str(tree), "--build", str(tree / "build"))
    assert done.returncode == 0 and "fewer long_busy_list busytree is new" in done.stdout, done.stderr
    assert page.read_text(encoding="utf-8") == before
    assert docs("--root", str(tree), "--check").returncode == 0


@pytest.mark.parametrize("text, complaint", [
    ("<!-- bench:zeroing -->", "not closed"), ("a <!-- /bench -->", "closes nothing"),
    ("<!-- bench:nonsense --><!-- /bench -->", "no block named nonsense"),
    ("<!-- bench:figure fix_size --><!-- /bench -->", "missing a required argument"),
    ("<!-- bench:zeroing <!-- bench:zeroing -->", "page.md:2"), ("<!-- bench:figure ' -->", "quotation"),
    ("<!-- bench:zeroing --><!-- bench:zeroing -->1<!-- /bench -->", "inside of another"),
    ("<!-- bench:growth nobody -->\n<!-- /bench -->", "no design nobody")])
def test_malformed_blocks_are_refused(tree, text, complaint):
    (tree / "docs" / "page.md").write_text(f"# Page\n{text}\n", encoding="utf-8")
    done = docs("--root", str(tree), "--check")
    assert done.returncode == 1 and complaint in done.stderr, done.stdout + done.stderr


def test_what_is_not_measured_is_not_documented(tree, tmp_path):
    missing = docs("--root", str(tree), "--build", str(tmp_path / "nowhere"))
    assert missing.returncode == 1 and "make bench" in missing.stderr
    part = json.loads((tree / "docs" / "figures" / "bench.json").read_text(encoding="utf-8"))
    part["results"] = [r for r in part["results"] if r["design"] != "vmlist"]
    (tmp_path / "part.json").write_text(json.dumps(part), encoding="utf-8")
    done = docs("--root", str(tree), "--json", str(tmp_path / "part.json"))
    assert done.returncode == 1 and "vmlist: run `make bench`, all of it" in done.stderr
    (tree / "docs" / "figures" / "bench.json").unlink()
    assert "well-formed" in docs("--root", str(tree), "--check").stdout


def test_plots_are_drawn_from_the_stored_json(tmp_path):
    if not shutil.which("gnuplot"):
        pytest.skip("gnuplot is not installed")
    shutil.copytree(f"{ROOT}/docs/figures", tmp_path / "bench")
    for picture in (tmp_path / "bench").glob("*.svg"):
        picture.unlink()
    subprocess.run([sys.executable, f"{ROOT}/bench/plot", "--build", str(tmp_path)], check=True, timeout=HANG,
                   stdout=subprocess.DEVNULL)
    stored = {name for name in os.listdir(f"{ROOT}/docs/figures") if name.endswith(".svg")}
    assert stored and stored == {picture.name for picture in (tmp_path / "bench").glob("*.svg")}
    assert all((tmp_path / "bench" / name.replace(".svg", ".png")).stat().st_size > 5000 for name in stored)


# ---- Linux: everything but the download and the boot -------------------------------------------------

@pytest.fixture
def peer(monkeypatch):
    """bench/linux/run as a module; apt and QEMU are not reached from here."""
    monkeypatch.setattr(sys, "path", [f"{ROOT}/bench", *sys.path])
    loader = importlib.machinery.SourceFileLoader("linux_peer", f"{ROOT}/bench/linux/run")
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("linux_peer", loader))
    loader.exec_module(module)
    return module


def test_linux_newest_kernel(peer):
    names = ["linux-image-amd64", "linux-image-6.1.0-9-amd64", "linux-image-6.1.0-56-amd64",
             "linux-image-6.1.0-57-cloud-amd64", "linux-image-6.1.0-58-rt-amd64", "linux-image-6.1.0-59-amd64-dbg",
             "linux-image-6.1.0-60-amd64-unsigned", "linux-image-6.12.117+deb12-amd64",
             "linux-image-6.8.0-31-generic", "linux-image-6.1.0-99-686"]
    assert peer.newest_kernel("6.1", names) == "6.1.0-56-amd64"
    assert peer.newest_kernel("6.12", names) == "6.12.117+deb12-amd64"
    assert peer.newest_kernel("6.8", names) == "6.8.0-31-generic"
    assert peer.newest_kernel("5.10", names) is None


def test_linux_reads_apt_and_dpkg(peer, monkeypatch, tmp_path):
    monkeypatch.setattr(peer, "output_of", lambda *command:
                        "linux-headers-x\n  Depends: linux-headers-common\n |Depends: other\n  Depends: gcc-12\n")
    assert peer.depends("linux-headers-x") == ["linux-headers-common", "gcc-12"]
    (tmp_path / "busybox-static.unpacked").write_text("busybox-static_1%3a1.35.0-4_amd64.deb\n", encoding="utf-8")
    assert peer.version_of(str(tmp_path), "busybox-static") == "1:1.35.0-4"


def test_linux_boot_reads_records(peer, monkeypatch, tmp_path):
    console = ['[ 12.1] @bench {"workload":"fix_size","areas_alive":0,"operations":2,"instructions":7}\r',
               '@bench {"done":true}\r']
    serial = tmp_path / "serial.log"
    monkeypatch.setattr(peer, "run", lambda *_, **__: serial.write_text("\n".join(console), encoding="utf-8"))
    assert [r["workload"] for r in peer.boot(str(tmp_path), "6.1", "initramfs")] == ["fix_size"]
    console.pop()
    console.append("Kernel panic - not syncing: Attempted to kill init!")
    with pytest.raises(peer.Problem, match="(?s)did not finish.*serial.log.*Kernel panic"):
        peer.boot(str(tmp_path), "6.1", "initramfs")


def test_linux_table(peer):
    with open(f"{ROOT}/bench/linux-baseline.json", encoding="utf-8") as file:
        lean = peer.lean_figures(json.load(file))
    assert lean["full_fit", 0] == 3157 and lean["live_sweep holes1", 100000] == 4242
    assert ("zero_page", 0) not in lean
    ours = peer.figures_of([{"workload": "fix_size", "areas_alive": 0, "instructions_per_operation": 500.0},
                            {"workload": "live_sweep dense", "areas_alive": 100, "default": True,
                             "instructions_per_operation": 1000.0},
                            {"workload": "fix_size", "areas_alive": 0, "default": False,
                             "instructions_per_operation": 9.0}, {"workload": "x", "problem": "no memory"}])
    assert ours == {("fix_size", 0): 500.0, ("live_sweep dense", 100): 1000.0}
    head, first, second = peer.table(ours, {"Linux 6.1": {("fix_size", 0): 2000.0}, "lean Linux": lean})
    assert head.split() == ["workload", "alive", "Vitrine", "Linux", "6.1", "lean", "Linux"]
    assert first.split() == ["fix_size", "500", "2,000", "0.25", "2,126", "0.24"]
    assert second.split() == ["live_sweep", "dense", "100", "1,000", "-", "-", "2,751", "0.36"]


def test_linux_errors_are_sentences(peer, monkeypatch, tmp_path):
    with pytest.raises(peer.Problem, match=r"needs Debian or Ubuntu"):
        peer.output_of("apt-that-is-not-here")
    with pytest.raises(peer.Problem, match="not installed; ./setup bench-linux"):
        peer.run(["qemu-that-is-not-here"], str(tmp_path / "log"), "QEMU")
    with pytest.raises(peer.Problem, match="(?s)unpacking failed with status 3.*log:\nno space"):
        peer.run(["sh", "-c", "echo no space; exit 3"], str(tmp_path / "log"), "unpacking")
    with pytest.raises(peer.Problem, match="no end after 0.1 s"):
        peer.run(["sleep", "9"], str(tmp_path / "log"), "QEMU", timeout=0.1)
    monkeypatch.setattr(peer, "output_of", lambda *_: "linux-image-6.1.0-56-amd64\n")
    monkeypatch.setattr(sys, "argv", ["run", "--series", "5.10"])
    with pytest.raises(peer.Problem, match="with one of: 6.1$"):
        peer.main()
