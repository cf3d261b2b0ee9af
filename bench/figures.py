# SPDX-License-Identifier: MIT
"""Reading bench.json and linux.json: what the tables, the plots, the summary and the documents share.
A figure is instructions per operation; bench/README.md describes the files."""

SHIPPED_FLUSH = {"layer": "lazy", "space": "none"}
SUITE = ["fix_size", "fix_size 10p", "full_fit", "long_busy_list", "random_size", "fix_align",
         "random_size_align"]  # of test_vmalloc; their sum is "the suite"
# Pages that one operation zeroes; random_size_align: the mean of r % 10 + 1 over all bytes r.
ZEROED_PAGES = {"fix_align": 5, "random_size_align": sum(r % 10 + 1 for r in range(256)) / 256,
                "vzalloc": 1, "alloc_page zeroed": 1}


def find(results, workload, design, alive=0, flush=None):
    """The figure, or None; with the shipped flush policy unless another one is named."""
    for r in results:
        if (r["workload"], r["design"], r["areas_alive"]) == (workload, design, alive) \
                and r["flush"] == (flush or SHIPPED_FLUSH[r["world"]]):
            return r["instructions_per_operation"]
    return None


def curve(results, workload, design):
    """[(areas alive, figure)], ascending."""
    return sorted((r["areas_alive"], r["instructions_per_operation"]) for r in results
                  if (r["workload"], r["design"], r["flush"]) ==
                  (workload, design, SHIPPED_FLUSH[r["world"]]))


def suite_sum(results, design):
    """Of the whole suite, or None when something of it was not measured."""
    figures = [find(results, workload, design) for workload in SUITE]
    return None if None in figures else sum(figures)


def placement(results, workload, shipped):
    """{(design, areas alive): result}, of those that did about as many operations as the shipped design:
    where addresses end up is comparable after equal churn only, and slow designs do less of it."""
    found = {(r["design"], r["areas_alive"]): r for r in results if r["workload"] == workload}
    return {(design, n): r for (design, n), r in found.items() if (shipped, n) in found and
            r["operations_divided_by"] <= 2 * found[shipped, n]["operations_divided_by"]}


def lean(figures):
    """Of {kernel: figure}: the better of the lean kernels, or None."""
    return min((value for name, value in figures.items() if "lean" in name), default=None)


def lean_figures(baseline):
    """linux-baseline.json -> {(workload, areas alive): the better of the lean kernels}"""
    rows = [((name, 0), row) for name, row in baseline["figures"].items()]
    rows += [((f"live_sweep {shape}", int(n)), row)
             for shape, sweep in baseline["live_sweep"].items() for n, row in sweep.items()]
    return {key: lean(row) for key, row in rows if lean(row)}


def zeroing(results, shipped):
    """(instructions to zero a page, {workload: instructions without zeroing})"""
    with_zeroes = find(results, "alloc_page zeroed", shipped)
    without = find(results, "alloc_page", shipped)
    if with_zeroes is None or without is None:
        return None, {}
    page = round(with_zeroes - without, 2)
    return page, {name: round(find(results, name, shipped) - page * pages, 2)
                  for name, pages in ZEROED_PAGES.items() if find(results, name, shipped)}


def number(value):
    return "-" if value is None else f"{value:,.0f}"
