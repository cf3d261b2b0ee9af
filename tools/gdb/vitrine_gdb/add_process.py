# SPDX-License-Identifier: MIT
"""`add-process PID`: the symbols of a program in ring 3, so that breakpoints and steps work on both sides."""
import os

import gdb

from .kernel import KernelCommand, Sentence
from .processes import pid_of, process

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PROT_EXEC = 4
ET_DYN = 3


def build_directory():
    """Where the kernel's file is: BUILD/og/kernel.elf."""
    for objfile in gdb.objfiles():
        if objfile.filename and os.path.basename(objfile.filename) == "kernel.elf":
            return os.path.dirname(os.path.dirname(objfile.filename))
    return f"{ROOT}/build"


def file_of(name):
    """The program as it was built, with its debug information."""
    path = f"{build_directory()}/user/{name}"
    if not os.path.exists(path):
        raise Sentence(f"{name} is none of the programs in {os.path.dirname(path)}: no debug information about it")
    return path


def load_offset(path, one):
    """0 for a program that has its addresses from the linker; else the distance it was moved by."""
    with open(path, "rb") as file:
        head = file.read(20)
    if int.from_bytes(head[16:18], "little") != ET_DYN:
        return 0
    return min(area.start for area in one.areas() if area.store)


def is_loaded(path):
    return any(objfile.filename and os.path.realpath(objfile.filename) == os.path.realpath(path)
               for objfile in gdb.objfiles())


class AddProcess(KernelCommand):
    """add-process PID

Loads the symbols of the program that process PID runs, at the addresses where it lies. After that a breakpoint may
stand in the program, a backtrace tells its functions, and `stepi` goes from its instruction into the kernel and back.
Every process of the same program has the same addresses: `processes` and $cr3 tell which one it is.

  pid -> struct process { name } -> BUILD/user/NAME -> its lines and variables"""

    def __init__(self):
        super().__init__("add-process")

    def run(self, words):
        if len(words) != 1:
            raise Sentence("usage: add-process PID")
        one = process(pid_of(words[0]))
        path = file_of(one.name)
        offset = load_offset(path, one)
        if not is_loaded(path):
            gdb.execute(f"add-symbol-file {path}" + (f" -o {offset:#x}" if offset else ""), to_string=True)
        code = next((area for area in one.areas() if area.prot & PROT_EXEC), None)
        where = f", its code at {code.start:#x}-{code.end:#x}" if code else ""
        print(f"process {one.pid} is {one.name}{where}, page table at {one.root():#x}")


AddProcess()
