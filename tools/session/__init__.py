# SPDX-License-Identifier: MIT
"""What `make gdb` and `make gdb-reverse` are made of; tools/gdb-session puts it together."""
