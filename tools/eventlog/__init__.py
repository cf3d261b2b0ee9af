# SPDX-License-Identifier: MIT
"""The allocator's event log on the host: read it, tell it, draw it, replay it. Used by tools/trace and by
the tests; shares no code with the kernel. The format is described in mm/event_wire.h."""
