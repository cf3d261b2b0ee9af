# SPDX-License-Identifier: MIT
"""Colours, and lines for trees: only where GDB styles its output and speaks UTF-8."""
import gdb

CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


def styled():
    try:
        return bool(gdb.parameter("style enabled"))
    except RuntimeError:
        return False


def paint(text, *names):
    if not text or not names or not styled():
        return text
    return f"\x1b[{';'.join(CODES[name] for name in names)}m{text}\x1b[0m"


def unicode_works():
    try:
        charset = gdb.host_charset()
    except AttributeError:  # before GDB 12: "auto; currently UTF-8"
        charset = gdb.execute("show host-charset", to_string=True)
    return "UTF-8" in charset.upper()


def branches(path):
    """The lines in front of a node whose way from the root is path, e.g. "LRR"; rows are in order."""
    left, right, bar = ("┌─ ", "└─ ", "│  ") if unicode_works() else (",- ", "`- ", "|  ")
    out = ""
    for above, here in zip(path, path[1:]):
        out += bar if above != here else "   "
    if path:
        out += left if path[-1] == "L" else right
    return out
