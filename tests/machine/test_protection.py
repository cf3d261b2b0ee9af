# SPDX-License-Identifier: MIT
"""User memory is touched in one place only: read off the code of both kernels."""
import re

import pytest
from machine import BUILD

# The functions of mm/usercopy.c, and what they are inlined from or into.
ALLOWED = {"copy_bytes", "copy_to_user", "copy_from_user", "clear_user", "strncpy_from_user", "user_cmpxchg32"}


@pytest.mark.quick
@pytest.mark.parametrize("flavour", ["og", "o2"])
def test_only_the_copies_open_the_window(flavour):
    """S5: every stac is in a copy function, and is followed by its clac before the function returns."""
    found, function = {}, None
    with open(f"{BUILD}/{flavour}/kernel.asm", encoding="utf-8", errors="replace") as file:
        for line in file:
            if match := re.match(r"[0-9a-f]+ <(.*)>:", line):
                function = match[1]
            elif match := re.search(r"\t(stac|clac|ret)\b", line):
                found.setdefault(function, []).append(match[1])
    opening = {name: words for name, words in found.items() if "stac" in words}
    assert opening and set(opening) <= ALLOWED
    for name, words in opening.items():
        assert "clac" in words[words.index("stac"):], name
        assert words[words.index("stac") + 1] == "clac", f"{name}: {words}"
