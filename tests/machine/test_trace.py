# SPDX-License-Identifier: MIT
"""The event log from end to end: the shell's story and the file's are the same, 100,000 records replay
without divergence, a damaged file is refused at the right record, and a log that tells what cannot be is
caught by the law that it breaks."""
import copy
import json
import re
import struct
import subprocess
import sys
import zlib

import pytest
from machine import BUILD, HANG, ROOT, Machine
from test_docs import blocks
from test_tours import compare

sys.path.insert(0, f"{ROOT}/tools")
from eventlog import replay, story, wire  # pylint: disable=wrong-import-position

pytestmark = pytest.mark.quick

KERNEL = f"{BUILD}/og/kernel.elf"
STEP = re.compile(r"^ *(\d+)  ( *)([A-Z_]+) +(.*)$")


def channel(path):
    return ["-device", "virtio-serial-pci,disable-modern=on", "-chardev", f"file,path={path},id=trace",
            "-device", "virtconsole,chardev=trace"]


def tool(*arguments, status=0):
    result = subprocess.run([sys.executable, f"{ROOT}/tools/trace", *map(str, arguments)], check=False,
                            capture_output=True, text=True)
    assert result.returncode == status, result.stdout[-2000:] + result.stderr
    return result.stdout + result.stderr


def steps(text):
    return [match[0].strip() for match in map(STEP.match, text.splitlines()) if match]


COMMANDS = ["vmalloc 3p", "vmalloc 2p align=64K", "vfree 1", "vmap purge", "vmalloc 5p", "vrealloc 3 9p"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A short session: its file, and what `trace show` said after each command."""
    path = tmp_path_factory.mktemp("trace") / "log"
    told = []
    with Machine(qemu=channel(path)) as machine:
        machine.boot()
        for command in COMMANDS:
            machine.run(command)
            told.append(machine.run("trace show"))
        assert "0 lost" in machine.run("trace status")
        machine.send("poweroff\r")
        machine.wait()
    return path, told


def test_the_file_tells_the_story_of_the_shell(recorded):
    path, told = recorded
    for answer in told:
        operation = re.search(r"^operation (\d+), called from (\S+);", answer, re.M)
        text = tool("story", path, "--operation", operation[1], "--kernel", KERNEL)
        assert f"called from {operation[2]};" in text
        assert steps(text) == steps(answer) and len(steps(text)) > 5
    assert "CARVE_NE" in told[1] and "PTE_CLEAR" in told[2] and "MERGE_RIGHT" in told[3]


def test_replay(recorded):
    text = tool("replay", recorded[0])
    assert "no divergence" in text


def test_perfetto(recorded, tmp_path):
    out = tmp_path / "trace.json"
    tool("perfetto", recorded[0], "-o", out, "--kernel", KERNEL)
    rows = json.loads(out.read_text())["traceEvents"]
    phases = [row["ph"] for row in rows]
    assert phases.count("B") == phases.count("E") >= len(COMMANDS)
    counters = {row["name"] for row in rows if row["ph"] == "C"}
    assert counters == {"free pages by order", "address space", "free ranges"}
    assert any(row["name"] == "vmalloc" and "vmalloc" in row["args"]["caller"] for row in rows
               if row["ph"] == "B")


def storm(path, operations, **options):
    """A log of that many random operations, and what the command said."""
    with Machine(qemu=channel(path), **options) as machine:
        machine.boot()
        said = machine.run(f"storm {operations}")
        assert "all invariants hold" in machine.run("vmap check")
        assert "records sent, 0 lost" in machine.run("trace status")
        machine.send("poweroff\r")
        machine.wait()
    return wire.read(path), said


def test_a_hundred_thousand_records(tmp_path):
    path = tmp_path / "log"
    log, said = storm(path, 3500, flavour="o2")
    assert "3500 operations with seed 0x5eed" in said and " 0 refused" in said
    assert log.damage is None and len(log.events) >= 100000
    result, _ = replay.replay(log)
    assert result.problem is None and result.events == len(log.events)
    assert path.stat().st_size < 24 * len(log.events)


# ---- every design --------------------------------------------------------------------------------------

# Steps that a session of each design must have told, beside those that all have.
FREE_TREE = {"LINK", "UNLINK", "ROTATE", "RECOLOUR", "CARVE_FL", "CARVE_LE", "CARVE_RE", "CARVE_NE"}
SEARCH = {"VISIT", "GO_LEFT", "GO_RIGHT", "PRUNE_LEFT", "PRUNE_RIGHT", "NO_FIT", "PROPAGATE"}
GAPS = {"LOOK", "LINK", "UNLINK", "GAP", "CARVE_FL", "CARVE_LE", "CARVE_RE", "CARVE_NE"}
DESIGNS = {
    "freetree": FREE_TREE | SEARCH | {"CLIMB", "LAZY_JOIN"},
    "nodes": (FREE_TREE | SEARCH | {"CLIMB", "POOL_ADD", "POOL_HIT", "POOL_MISS", "POOL_DROP"}) -
             {"CARVE_RE"},  # the boot's holes are in its pools
    "freelist": FREE_TREE | {"LOOK", "LAZY_JOIN"},
    "busytree": GAPS | {"ROTATE", "RECOLOUR", "DESCEND", "HINT_HIT"},
    "busytree28": GAPS | {"ROTATE", "RECOLOUR", "DESCEND"},
    "avlhash": {"LOOK", "HASH_HIT", "HASH_MISS", "HASH_ADD", "HASH_DROP", "FRONTIER", "ROTATE", "LINK",
                "UNLINK", "CARVE_LE", "CARVE_NE", "CARVE_FL"},
    "vmlist": GAPS,
    **{name: (FREE_TREE | SEARCH) - {"CARVE_RE", "PRUNE_RIGHT"}  # they pass over what fits exactly
       for name in ("freetree52", "freetree53", "freetree517")},
}
ALL_HAVE = {"BEGIN", "END", "SEARCH", "TAKE", "MERGE_LEFT", "MERGE_RIGHT", "LAZY_QUEUE", "PURGE", "FREE",
            "FLUSH_RANGE", "PAGES_TAKE", "PAGES_GIVE", "PCP_REFILL", "BLOCK_TAKE", "BLOCK_SPLIT", "PTE_SET",
            "PTE_CLEAR", "TABLE_NEW"}
SESSION = ["vmalloc 1p", "vmalloc 10p align=64K", "vfree all", "vmap purge", "vmalloc 26p", "vfree all",
           "vmap purge", "vmalloc 1p count=60", "vfree " + " ".join(map(str, range(4, 60, 3))), "vmap purge",
           "vmalloc 1p align=16K count=4", "vmalloc 1p count=8", "vmalloc 3p count=4", "vmalloc 1M align=2M",
           "vrealloc 3 9p", "vrealloc 3 2p", "vmalloc 2p count=3", "vfree all", "vmap purge",
           "vmalloc 1p count=20", "vfree all", "vmap purge", "vmalloc 1p count=20"]


@pytest.mark.parametrize("design", DESIGNS)
def test_every_design_tells_its_steps_and_replays(design, tmp_path):
    path = tmp_path / "log"
    with Machine(append=f"vmap={design}", qemu=channel(path)) as machine:
        machine.boot()
        for command in SESSION:
            machine.run(command)
        # Holes too large for a pool, of the right size, and none aligned: the search has to climb.
        first = int(re.match(r" *(\d+)  0x", machine.run("vmalloc 300p count=12"))[1])
        machine.run("vfree " + " ".join(str(first + i) for i in range(1, 12, 2)) + "; vmap purge")
        machine.run("vmalloc 300p align=2M")
        told = machine.run("trace show")
        assert f"{design}: " in told.splitlines()[0], told
        assert ", 0 lost" in machine.run("trace status")
        machine.send("poweroff\r")
        machine.wait()
    log = wire.read(path)
    result, _ = replay.replay(log)
    assert log.damage is None and result.problem is None and result.events == len(log.events)
    missing = (DESIGNS[design] | ALL_HAVE) - {event.name for event in log.events}
    assert not missing, f"{design} does not tell {missing}"


# Of a long log of a design: [(kind, the number to change; None: leave the record out)].
DESIGN_LIES = {
    "avlhash": [("HASH_HIT", 0), ("HASH_DROP", None), ("HASH_ADD", None), ("CARVE_LE", 1)],
    "nodes": [("POOL_HIT", 0), ("POOL_ADD", None), ("POOL_HIT", None)],
    "busytree": [("TAKE", 2), ("LOOK", 0), ("GAP", None), ("MERGE_LEFT", None)],
    "vmlist": [("TAKE", 2), ("GAP", None), ("LINK", None), ("FREE", 0)],
    "freelist": [("TAKE", 2), ("LINK", None), ("UNLINK", None)],
}


@pytest.mark.parametrize("design", DESIGN_LIES)
def test_a_design_that_lies(design, tmp_path):
    log, _ = storm(tmp_path / "log", 300, append=f"vmap={design}")
    assert replay.replay(log)[0].problem is None
    for name, field in DESIGN_LIES[design]:
        places = [event for event in log.events if event.name == name]
        change = None if field is None else \
            lambda args, field=field: [value + PAGE * (i == field) for i, value in enumerate(args)]
        problem = replay.replay(lie(name, change, len(places) // 2)(log))[0].problem
        number = int(re.match(r"record (\d+) ", problem or "record 0 ")[1])
        assert number >= places[len(places) // 2].number, (name, field, problem)


# ---- one truth -----------------------------------------------------------------------------------------

# A story: [(node, what was decided there)], the subtrees that were pruned, the address, the fit.
ROW = re.compile(r"^[ │┌└─]*[RB] 0x([0-9a-f]+)-0x[0-9a-f]+ .*?  subtree_max \S+ \S+(.*)$")
LETTER = re.compile(r"[RB] 0x")


def gdb_says(machine, size, align):
    """The search before it happens, from memory alone."""
    done = subprocess.run(
        ["gdb", "-nx", "-q", "-batch", "-ex", f"file {KERNEL}", "-ex", f"target remote {machine.gdb}",
         "-x", f"{ROOT}/tools/gdb/vitrine.py", "-ex", f"vmap tree --fit {size} {align}", "-ex", "detach"],
        capture_output=True, text=True, check=False, timeout=HANG, stdin=subprocess.DEVNULL)
    rows = [line for line in done.stdout.splitlines() if ROW.match(line)]
    assert rows, done.stdout + done.stderr
    starts = [int(ROW.match(row)[1], 16) for row in rows]
    depths = [LETTER.search(row).start() for row in rows]
    steps_, pruned = {}, set()
    for index, (row, start) in enumerate(zip(rows, starts)):
        for number, text in re.findall(r"  (\d+): (.*?)(?=  |$)", ROW.match(row)[2]):
            steps_[int(number)] = (start, text.split(":")[0])
        if "x pruned" in row:
            pruned.add((starts[parent_of(index, depths)], start < starts[parent_of(index, depths)]))
    path = [steps_[number] for number in sorted(steps_)]
    fit = path[-1][1].removeprefix("TAKEN, ")
    address = int(re.search(r"^.*: \[0x([0-9a-f]+), ", done.stdout, re.M)[1], 16)
    return [(at, "take" if "TAKEN" in text else text) for at, text in path], pruned, address, fit


def parent_of(index, depths):
    """In a walk in order the parent of a node is the nearer of the two that are just above it."""
    above = [i for i in (*range(index - 1, -1, -1), None, *range(index + 1, len(depths)))]
    left, right = above[:above.index(None)], above[above.index(None) + 1:]
    nearest = [next((i for i in side if depths[i] < depths[index]), None) for side in (left, right)]
    return max((i for i in nearest if i is not None), key=lambda i: depths[i])


def story_of(records):
    """The same out of [(kind, [numbers])]."""
    path, pruned, at = [], set(), None
    for kind, numbers in records:
        if kind == "VISIT":
            at = numbers[0]
        elif kind == "GO_LEFT":
            path.append((at, "go left first"))
        elif kind == "GO_RIGHT":
            path.append((at, "does not fit, go right"))
        elif kind == "PRUNE_RIGHT":
            path.append((at, "does not fit, climb"))
        elif kind == "TAKE":
            path.append((at, "take"))
            address = numbers[2]
        elif kind.startswith("CARVE_"):
            return path, pruned, address, kind[-2:]
        if kind.startswith("PRUNE_") and numbers[3] == "too small":
            pruned.add((at, kind == "PRUNE_LEFT"))
    raise AssertionError("nothing was carved")


def shell_says(answer):
    records = []
    for line in answer.splitlines():
        match = STEP.match(line)
        if match and match[3] in ("VISIT", "GO_LEFT", "GO_RIGHT", "PRUNE_LEFT", "PRUNE_RIGHT", "TAKE",
                                  "CARVE_FL", "CARVE_LE", "CARVE_RE", "CARVE_NE"):
            addresses = [int(word, 16) for word in re.findall(r"0x([0-9a-f]{9,16})", match[4])]
            if match[3] == "TAKE":  # "take c in [a, b)"
                addresses = [addresses[1], addresses[2], addresses[0]]
            addresses += [0] * (3 - len(addresses))
            records.append((match[3], [*addresses, match[4].rpartition(": ")[2]]))
    return story_of(records)


def file_says(path, operation):
    log = wire.read(path)
    assert log.damage is None
    words = [None, "too small"]
    return story_of([(event.name, [*event.args[:3], words[event.args[2]] if event.args[2] < 2 else None])
                     for event in log.events if event.operation == operation])


HOLES = ["vmalloc 1p count=60", "vfree " + " ".join(str(n) for n in range(2, 60, 2)), "vmap purge"]
STORIES = {  # what comes before, pages asked for, alignment, the fit, steps of the search at least
    "left edge": ([], 3, "4K", "LE", 2),
    "right edge": (["vmalloc 1p"], 10, "64K", "RE", 2),
    "no edge": (["vmalloc 1p"], 2, "64K", "NE", 2),
    "full": ([], 26, "4K", "FL", 2),
    "a hole of many": (HOLES, 1, "4K", "FL", 4),
    "no hole is aligned, so it climbs": (HOLES, 1, "16K", "NE", 25),
}


@pytest.mark.parametrize("what", STORIES)
def test_three_stories_one_truth(what, tmp_path):
    """GDB's prediction, the shell's sentences and the file: the same search, node for node."""
    before, pages, align, fit, least = STORIES[what]
    path = tmp_path / "log"
    with Machine(qemu=channel(path), gdb=True) as machine:
        machine.qmp("cont")
        machine.boot()
        for command in before:
            machine.run(command)
        predicted = gdb_says(machine, f"{pages + 1}p", align)
        given = machine.run(f"vmalloc {pages}p align={align}")
        answer = machine.run("trace show")
        machine.send("poweroff\r")
        machine.wait()
    operation = int(re.search(r"^operation (\d+),", answer, re.M)[1])
    assert predicted == shell_says(answer) == file_says(path, operation)
    assert predicted[3].startswith(fit) and len(predicted[0]) >= least
    assert f"{predicted[2]:#018x}"[2:] in given
    if "climbs" in what:
        assert any(text.endswith("climb") for _, text in predicted[0])


# ---- damage ------------------------------------------------------------------------------------------

def block_starts(data):
    """[(offset, first record, records)] of the blocks with records."""
    found, at = [], 0
    while at < len(data):
        length, first, count = (int.from_bytes(data[at + i:at + i + 4], "little") for i in (4, 8, 12))
        if data[at + 2:at + 3] == b"E":
            found.append((at, first, count))
        at += wire.HEADER + length
    return found


@pytest.mark.parametrize("part", [0.1, 0.35, 0.6, 0.85, 0.999])
def test_a_file_that_is_cut_off(recorded, tmp_path, part):
    data = recorded[0].read_bytes()
    at, first, count = block_starts(data)[-1]
    cut = tmp_path / "cut"
    cut.write_bytes(data[:at + int((len(data) - at) * part)])
    text = tool("replay", cut, status=1)
    number = int(re.search(r"damaged: record (\d+)", text)[1])
    assert first <= number <= first + count and ("ends inside" in text or "cut off" in text)


def test_a_file_that_was_altered(recorded, tmp_path):
    data = recorded[0].read_bytes()
    whole = len(wire.read(recorded[0]).events)
    altered = tmp_path / "altered"
    for at in range(7, len(data), max(1, len(data) // 150)):
        damaged = bytearray(data)
        damaged[at] ^= 0x15
        altered.write_bytes(damaged)
        log = wire.read(altered)
        assert log.damage and re.match(r"record \d+", log.damage), at
        inside = [(first, count) for offset, first, count in block_starts(data) if offset <= at]
        if inside:
            number = int(re.match(r"record (\d+)", log.damage)[1])
            assert inside[-1][0] <= number <= sum(inside[-1]), (at, log.damage)
        assert len(log.events) <= whole


def test_what_is_no_trace_at_all(tmp_path):
    for name, content in (("empty", b""), ("text", b"hello, world\n" * 10), ("short", b"VT")):
        path = tmp_path / name
        path.write_bytes(content)
        assert "damaged: record 0" in tool("info", path, status=1)
    assert "No such file" in tool("replay", tmp_path / "missing", status=1)
    tool("perfetto", tmp_path / "empty", status=2)


# ---- lies ----------------------------------------------------------------------------------------------

def lie(name, change, nth=0):
    """A copy of the log in which the nth record of that name is changed, or left out (None)."""
    def tell(log):
        log = copy.copy(log)
        log.events = list(log.events)
        at = [i for i, event in enumerate(log.events) if event.name == name][nth]
        if change is None:
            del log.events[at]
        else:
            log.events[at] = copy.copy(log.events[at])
            log.events[at].args = change(log.events[at].args)
        return log
    return tell


PAGE = replay.PAGE
LIES = {
    "higher than the lowest fit": ("V7", lie("TAKE", lambda a: [a[0], a[1], a[2] + PAGE, a[3]])),
    "an augmentation that is off": ("V3", lie("PROPAGATE", lambda a: [a[0], a[1], a[2] + PAGE, 0])),
    "a node of another size": ("V3", lie("VISIT", lambda a: [a[0], a[1], a[2] + PAGE, 0])),
    "a link that was forgotten": ("V4", lie("LINK", None)),
    "carved from what is not free": ("V4", lie("CARVE_LE", lambda a: [a[0] + PAGE, *a[1:]])),
    "reused before the flush": ("P3", lie("FLUSH_RANGE", None, -1)),
    "given back but not merged": ("V", lie("MERGE_RIGHT", None)),
    "a page that is not mapped": ("P1", lie("PTE_SET", None)),
    "a mapping that can be executed": ("P2", lie("PTE_SET", lambda a: [a[0], a[1] & ~(1 << 63), *a[2:]])),
    "a mapping outside of the area": ("P1", lie("PTE_SET", lambda a: [a[0] + 64 * PAGE, *a[1:]])),
    "an entry cleared twice": ("P1", lie("PTE_CLEAR", lambda a: [a[0] + 64 * PAGE, *a[1:]])),
    "a rotation that was not": ("V", lie("ROTATE", None)),
    "a colour that is wrong": ("V2", lie("RECOLOUR", None)),
    "another result": ("V6", lie("END", lambda a: [a[0], a[1] + PAGE, 0, 0])),
    "a free that was not waited for": ("V4", lie("LAZY_QUEUE", None)),
}


@pytest.fixture(scope="module")
def stormy(tmp_path_factory):
    return storm(tmp_path_factory.mktemp("storm") / "log", 300)[0]


def swap(log, at):
    """A copy with record `at` and the next of its operation exchanged; they keep their numbers."""
    log = copy.copy(log)
    log.events = list(log.events)
    one, other = copy.copy(log.events[at + 1]), copy.copy(log.events[at])
    one.number, other.number = at, at + 1
    log.events[at:at + 2] = [one, other]
    return log


@pytest.mark.parametrize("name, field, least", [("TAKE", 2, 100), ("CARVE_LE", 3, 50), ("PTE_SET", 0, 500),
                                                ("LINK", 0, 100), ("PROPAGATE", 2, 200), ("VISIT", 1, 300),
                                                ("MERGE_RIGHT", 2, 10), ("FREE", 1, 20)])
def test_a_changed_address_is_found_where_it_is(stormy, name, field, least):
    """In the middle of a long log: to the record, or, where only the state that follows gives it away, by
    the end of the operation and what the next one looks at."""
    places = [i for i, event in enumerate(stormy.events) if event.name == name]
    assert len(places) >= least
    for at in places[len(places) // 3::max(1, len(places) // 4)]:
        nth = places.index(at)
        change = lambda args: [value + PAGE * (i == field) for i, value in enumerate(args)]
        result, _ = replay.replay(lie(name, change, nth)(stormy))
        number = int(re.match(r"record (\d+) ", result.problem or "record -1 ")[1])
        last = max(event.number for event in stormy.events
                   if event.operation == stormy.events[at].operation)
        assert stormy.events[at].number <= number <= last + 60, (at, result.problem)


@pytest.mark.parametrize("name", ["UNLINK", "MERGE_LEFT", "LAZY_QUEUE", "FLUSH_ALL", "PTE_SET", "ROTATE",
                                  "CARVE_LE", "LINK"])
def test_a_record_left_out_is_missed(stormy, name):
    places = [i for i, event in enumerate(stormy.events) if event.name == name]
    wanted = [at for at in places if
              (name != "FLUSH_ALL" or stormy.events[at - 1].name == "PURGE") and  # others are not owed
              (name != "ROTATE" or "PROPAGATE" in (event.name for event in stormy.events[at:at + 3]))]
    at = wanted[len(wanted) // 2]
    result, _ = replay.replay(lie(name, None, places.index(at))(stormy))
    assert result.problem and result.events >= at, result.problem


def test_exchanged_records_are_noticed(stormy):
    noticed = 0
    for first, second in (("SEARCH", "VISIT"), ("TAKE", "CARVE_LE"), ("BEGIN", "SEARCH"),
                          ("PURGE", "FLUSH_ALL"), ("FREE", "MERGE_LEFT"), ("UNLINK", "LAZY_QUEUE"),
                          ("LAZY_QUEUE", "END")):
        at = next((i for i, (a, b) in enumerate(zip(stormy.events, stormy.events[1:]))
                   if i > len(stormy.events) // 2 and (a.name, b.name) == (first, second)), None)
        if at is not None:
            problem = replay.replay(swap(stormy, at))[0].problem
            noticed += problem is not None
    assert noticed >= 4


def test_losses_are_told_and_end_the_judgement(recorded, tmp_path):
    """A block that says "lost", as the kernel writes it when the ring was overrun before it was sent."""
    data = recorded[0].read_bytes()
    at, first, _ = block_starts(data)[-1]
    head = struct.pack("<2sBBIII", b"VT", ord("L"), 1, 12, first, 0)
    body = struct.pack("<IQ", 0, 77)
    path = tmp_path / "lost"
    crc = struct.pack("<I", zlib.crc32(body, zlib.crc32(head)))
    path.write_bytes(data[:at] + head + crc + body + data[at:])
    words = f"record {first}: 77 records of CPU 0 "
    assert f"before {words}were lost" in tool("info", path) and words in tool("story", path)
    text = tool("replay", path, status=1)
    assert f"divergence: {words}are lost; what follows cannot be judged" in text


@pytest.mark.parametrize("what", LIES)
def test_a_log_that_lies(recorded, what):
    number, tell = LIES[what]
    result, _ = replay.replay(tell(wire.read(recorded[0])))
    assert result.problem and f": {number}" in result.problem, result.problem
    assert re.match(r"record \d+ \(operation \d+", result.problem)


# ---- docs/trace.md ------------------------------------------------------------------------------------

TRACE_PAGE = "docs/trace.md"


def without_counts(text):
    """How many records and steps there are depends on the blocks that the buddy has free, and they on the size of
    the kernel and its archive."""
    text = re.sub(r"\b(\d+) of \1 records", "all records", text)
    return re.sub(r"\b\d+ (records|entries|steps)\b", r"# \1", text)


def test_the_files_of_the_document(tmp_path):
    """Its `trace` blocks: commands for a machine that records, then tools/trace on what it has recorded."""
    for body in blocks(TRACE_PAGE, "trace"):
        typed = re.findall(r"^vitrine> (.*)$", body, re.M)
        assert body.startswith("$ make fast TRACE=log\n") and typed[-1] == "poweroff"
        with Machine(qemu=channel(tmp_path / "log")) as machine:
            machine.boot()
            for command in typed[:-1]:
                machine.run(command)
            machine.send("poweroff\r")
            machine.wait()
        told = []
        for line in body.splitlines():
            if line.startswith("$ tools/trace "):
                told.append((line[len("$ tools/trace "):], []))
            elif told:
                told[-1][1].append(line)
        assert {command.split()[0] for command, _ in told} == {"info", "story", "replay", "perfetto"}
        for command, expected in told:
            words = [str(tmp_path / word) if word.startswith("log") else word for word in command.split()]
            compare(command, [without_counts(line) for line in expected],
                    without_counts(tool(*words).replace(f"{tmp_path}/", "")))


def test_the_kinds_of_the_document(recorded):
    with open(f"{ROOT}/{TRACE_PAGE}", encoding="utf-8") as file:
        rows = re.findall(r"^\| (\w+) \| `([A-Z_]+)` \| (.*) \|$", file.read(), re.M)
    kinds = [(kind.group, kind.name, kind.sentence.replace("|", "\\|"))
             for _, kind in sorted(wire.read(recorded[0]).kinds.items())]
    assert rows == kinds


# ---- the command ----------------------------------------------------------------------------------------

def test_sentences_fill_every_placeholder(recorded):
    log = wire.read(recorded[0])
    for event in log.events:
        assert not re.search(r"[{}?|]", story.explain(event, log.kinds)), event.name


def test_storm(fast):
    assert "usage: storm" in fast.run("storm 5 6") and "out of range" in fast.run("storm 0")
    first = fast.run("storm 200 live=9 seed=7")
    assert first == fast.run("storm 200 live=9 seed=7") != fast.run("storm 200 live=9 seed=8")
    assert "0 areas" in fast.run("areas") or "nothing" in fast.run("areas")


def test_usage_and_overrun(fast):
    assert "usage: trace" in fast.run("trace nonsense")
    assert "usage: trace" in fast.run("trace off now")
    assert "neither a kind of step nor a group" in fast.run("trace on nothing")
    assert "no operation" in fast.run("trace show")
    assert "empty" in fast.run("trace last")
    fast.run("trace on")
    fast.run("vmalloc 1p count=1000")
    status = fast.run("trace status")
    assert int(re.search(r"([\d,]+) overwritten", status)[1].replace(",", "")) > 1000
    assert "is not in the log" in fast.run("trace show 1")
    assert len(steps(fast.run("trace show"))) > 5
    assert fast.run("trace last 7").count("CPU 0") == 7
    fast.run("trace off")
    fast.run("vmalloc 1p")
    assert len(steps(fast.run("trace show"))) > 5  # what was recorded stays
    fast.run("trace clear")
    assert "no operation" in fast.run("trace show")
    fast.run("vfree all; trace on pgtable carve-le")
    fast.run("vmalloc 1p")
    kinds = set(re.findall(r"op \d+ +([A-Z_]+)", fast.run("trace last 100")))
    assert {"PTE_SET", "CARVE_LE"} <= kinds and not kinds & {"VISIT", "BEGIN", "LINK"}
    fast.run("trace off; trace clear; vfree all")
    assert "all invariants hold" in fast.run("vmap check")


def test_boot_option():
    with Machine(append="trace=carve,op exec=\"vmalloc 1p\"") as machine:
        machine.boot()
        told = machine.run("trace show")
        assert "BEGIN" in told and "CARVE" in told and "VISIT" not in told
    with Machine(append="trace=nonsense") as machine:
        assert "trace" in machine.boot()
