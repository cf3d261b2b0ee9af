# SPDX-License-Identifier: MIT
"""Is somebody in the middle of it? What the CPUs execute, by file name: a structure that is being
changed may look broken, and then the view says who is at work there.
"""
import gdb

MAX_FRAMES = 12


def frames(thread):
    """(function, file) of the newest frames of a CPU; the selected thread changes."""
    thread.switch()
    found, frame = [], gdb.newest_frame()
    while frame and len(found) < MAX_FRAMES:
        place = frame.find_sal()
        found.append((frame.name() or "?", place.symtab.filename if place.symtab else ""))
        frame = frame.older()
    return found


def cpus():
    """[(number from 1, frames)]; whatever was selected is selected again."""
    threads = sorted(gdb.selected_inferior().threads(), key=lambda thread: thread.num)
    selected = gdb.selected_thread()
    frame = gdb.selected_frame() if selected else None
    found = []
    for thread in threads:
        try:
            found.append((thread.num, frames(thread)))
        except (gdb.error, gdb.MemoryError):
            found.append((thread.num, []))
    if selected:
        selected.switch()
        if frame and frame.is_valid():
            frame.select()
    return found


def inside(*files):
    """"CPU 0 is in buddy_pcp_take()" for each CPU that executes one of these source files."""
    found = []
    for number, stack in cpus():
        for function, path in stack:
            if path.startswith(files) or any(f"/{name}" in path for name in files):
                found.append(f"CPU {number - 1} is in {function}()")
                break
    return found
