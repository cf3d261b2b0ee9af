# SPDX-License-Identifier: MIT
"""What this kernel set out to show, measured: each claim with its figure, met or not met.

  floor   not above lean Linux, on every workload that Linux has, too
  goal    one fifth of it; where pages are zeroed, one fifth of what is left without the zeroing
  step    what Linux 5.2 gained over 5.1: 67 % fewer instructions
  growth  of the default design, at most as the logarithm of the number of areas alive

`summary()` makes the object that bench.json holds, `lines()` the text of it."""
import math

from figures import ZEROED_PAGES, curve, find, lean_figures, number, suite_sum

GOAL, STEP = 5, 0.67
NOT_COMPARABLE = ["align_shift"]  # Linux prints warnings about what it refuses, at great length
BEFORE = ("busytree", "busytree28")
AFTER = "freetree52"  # as merged, and asked through its table as they are: the default design is not
WORN = "long_busy_list worn"
GROWTH = ["va_only live_sweep dense", "va_only live_sweep holes1", "va_only live_sweep holes2", "frag",
          "live_sweep dense", "live_sweep holes1", "live_sweep holes2"]


def against_linux(data):
    """[{workload, areas_alive, vitrine, linux, floor_met, net, goal, goal_met}]"""
    shipped, rows = data["default_design"], []
    zero_here, zero_there = data["zero_page_instructions"], min(data["linux"]["zero_page"].values())
    for (workload, alive), theirs in lean_figures(data["linux"]).items():
        ours = find(data["results"], workload, shipped, alive)
        if ours is None or workload in NOT_COMPARABLE:
            continue
        pages = ZEROED_PAGES.get(workload, 0)
        if pages and zero_here is None:
            continue
        net = round(ours - pages * zero_here, 2) if pages else ours
        goal = round((theirs - pages * zero_there) / GOAL)
        rows.append({"workload": workload, "areas_alive": alive, "vitrine": ours, "linux": theirs,
                     "floor_met": ours <= theirs, "net": net, "goal": goal, "goal_met": net <= goal})
    return rows


def step(data):
    """[{what, before, instructions_before, instructions_after, fewer, met}]"""
    results, rows = data["results"], []

    def compare(what, before, old, new):
        if old and new:
            fewer = round(1 - new / old, 4)
            rows.append({"what": what, "before": before, "instructions_before": round(old, 2),
                         "instructions_after": round(new, 2), "fewer": fewer, "met": fewer >= STEP})

    for before in BEFORE:
        for workload in ("long_busy_list", WORN):
            compare(workload, before, find(results, workload, before), find(results, workload, AFTER))
        compare("sum of the suite", before, suite_sum(results, before), suite_sum(results, AFTER))
        compare("frag, 10,000 alive", before, find(results, "frag", before, 10000),
                find(results, "frag", AFTER, 10000))
    return rows


def growth(data):
    """[{workload, from, to, growth, allowed, met}]; N from 100 on."""
    rows = []
    for workload in GROWTH:
        points = [point for point in curve(data["results"], workload, data["default_design"])
                  if point[0] >= 100]
        if len(points) > 1:
            (least, first), (most, last) = points[0], points[-1]
            allowed = round(math.log(most) / math.log(least), 2)
            grown = round(last / first, 2)
            rows.append({"workload": workload, "from": least, "to": most, "growth": grown,
                         "allowed": allowed, "met": grown <= allowed})
    return rows


def summary(data):
    return {"linux": against_linux(data), "step_5_2": step(data), "growth": growth(data)}


# ---- as text ---------------------------------------------------------------------------------------------

def met(truth):
    return "met" if truth else "not met"


LINUX_HEAD = ["workload, N alive", "Linux", "Vitrine", "floor", "net", "goal", ""]


def linux_rows(rows):
    """The cells under LINUX_HEAD; net: without zeroing, where that is something else."""
    return [[f"{r['workload']} {r['areas_alive']:,}" if r["areas_alive"] else r["workload"],
             number(r["linux"]), number(r["vitrine"]), met(r["floor_met"]),
             number(r["net"]) if r["net"] != r["vitrine"] else "", number(r["goal"]), met(r["goal_met"])]
            for r in rows]


def count(rows, key):
    return f"{sum(r[key] for r in rows)} of {len(rows)}"


def aligned(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  " + "  ".join(text.ljust(width) if i == 0 else text.rjust(width)
                             for i, (text, width) in enumerate(zip(row, widths))).rstrip() for row in rows]


def lines(data):
    """The summary, at most 80 columns wide."""
    found, text = data["summary"], ["Summary"]
    rows = found["linux"]
    if rows:
        text += ["", "Beside lean Linux: floor, not above it; goal, a fifth of it, net of zeroing",
                 *aligned([LINUX_HEAD, *linux_rows(rows)]),
                 f"  floor met: {count(rows, 'floor_met')}; goal met: {count(rows, 'goal_met')}"]
    if data["zero_page_instructions"]:
        text.append(f"  zeroing a page: {number(data['zero_page_instructions'])} instructions here, "
                    f"{number(min(data['linux']['zero_page'].values()))} in Linux")
    if found["step_5_2"]:
        text += ["", f"Linux 5.1 to 5.2: how many fewer {AFTER} needs (claim: {STEP:.0%})"]
        text += aligned([[r["what"], r["before"], number(r["instructions_before"]),
                          number(r["instructions_after"]), f"{r['fewer']:.1%}", met(r["met"])]
                         for r in found["step_5_2"]])
    if found["growth"]:
        text += ["", f"Growth of {data['default_design']} with N areas alive "
                     "(claim: at most as log N)"]
        text += aligned([[r["workload"], f"{r['from']:,} to {r['to']:,}", f"x {r['growth']:.2f}",
                          f"(log N: x {r['allowed']:.2f})", met(r["met"])] for r in found["growth"]])
    if data.get("verified") is not None:
        text += ["", f"Two runs give the same figures, to the instruction: {met(data['verified'])}"]
    return text
