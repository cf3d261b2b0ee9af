# SPDX-License-Identifier: MIT
"""GDB commands for the Vitrine kernel; ../vitrine.py loads them. Start reading at kernel.py."""
