# SPDX-License-Identifier: MIT
"""B1, B2 and B3 from outside: once along the lists, once over the whole page array, and the counters.
Reads the array in one piece: states are every 32nd byte of it.
"""
from .kernel import Record, Sentence, astray, layout, list_nodes, memory, plural
from .pages import FREE, FREE_TAIL, MAX_ORDER, PCP, STATES, UNMANAGED, USED, USED_TAIL, USES, name_of

ORDERS = MAX_ORDER + 1
MAX_CPUS = 64
LIST_HEAD = 16  # bytes of a struct list_head


class Pages:
    """The page array of the frames that the buddy manages."""

    def __init__(self, buddy):
        kind = layout("struct page")
        self.buddy, self.size = buddy, kind.size
        self.spans = []
        for start, end in self.ranges():
            data = memory.read(buddy["pages"] + start * kind.size, (end - start) * kind.size)
            fields = {name: data[kind.offset(name)::kind.size] for name in ("state", "order", "use")}
            self.spans.append((start, end, fields))

    def ranges(self):
        """[start, end) of frames, page by page of the array."""
        span = layout("struct buddy_span")
        for index in range(min(self.buddy["span_count"], 128)):
            record = Record("struct buddy_span", self.buddy.at("spans") + index * span.size)
            if record["start"] >= record["end"] or record["end"] > 1 << 36:
                raise Sentence(f"buddy->spans[{index}] is [{record['start']:#x}, {record['end']:#x}): nonsense")
            yield record["start"], record["end"]

    def get(self, frame, field):
        for start, end, fields in self.spans:
            if start <= frame < end:
                return fields[field][frame - start]
        return None

    def state(self, frame):
        state = self.get(frame, "state")
        return "no RAM" if state is None else name_of(STATES, state)


class BuddyCheck:
    """The findings: problems as sentences, blocks on the lists by order, pages by what they are."""

    def __init__(self, buddy):
        self.buddy, self.problems = buddy, []
        self.pages = Pages(buddy)
        self.free, self.heads, self.pcp, self.used = {}, [0] * ORDERS, 0, 0
        self.uses = [0] * len(USES)

    def run(self):
        area = layout("struct buddy_area")
        for order in range(ORDERS):
            head = self.buddy.at("areas") + order * area.size
            self.free[order] = self.walk(head + area.offset("blocks"), FREE, order,
                                         memory.number(head + area.offset("count")),
                                         f"the free list of order {order}")
        cpu = layout("struct buddy_cpu")
        for number in range(MAX_CPUS):
            base = self.buddy.at("cpu") + number * cpu.size
            self.walk(base + cpu.offset("pages"), PCP, 0,
                      memory.number(base + cpu.offset("count"), cpu.fields["count"][1]),
                      f"the list of CPU {number}")
            for order in range(1, cpu.fields["blocks"][1] // LIST_HEAD):
                self.walk(base + cpu.offset("blocks") + order * LIST_HEAD, PCP, order, None,
                          f"the order-{order} list of CPU {number}")
        for start, end, fields in self.pages.spans:
            self.census(start, end, fields)
        self.counters()
        return self

    def broken(self, sentence):
        self.problems.append(sentence)

    def frame_of(self, page):
        """The frame of a struct page, or None when the pointer is none."""
        frame, rest = divmod(page - self.buddy["pages"], self.pages.size)
        return frame if not rest and self.pages.get(frame, "state") is not None else None

    def walk(self, head, state, order, counted, name):
        """Frames on a list. An element that is no page of ours ends it. counted: None if nobody counts."""
        frames = []
        if not memory.number(head) and not counted:
            return frames  # a CPU that was never started
        try:
            for page in list_nodes(head, layout("struct page").offset("link"), name):
                frame = self.frame_of(page)
                if frame is None:
                    raise Sentence(f"{name} leads to {page:#x}, which is no struct page of this buddy")
                frames.append(frame)
                if self.pages.get(frame, "state") != state or self.pages.get(frame, "order") != order:
                    self.broken(f"B1: frame {frame:#x} is on {name}, but it is {self.pages.state(frame)}, "
                                f"order {self.pages.get(frame, 'order')}")
                if frame & ((1 << order) - 1):
                    self.broken(f"B1: frame {frame:#x} on {name} is not aligned to its order")
        except Sentence as sentence:
            self.broken(f"B1: {sentence}")
            return frames
        if counted is not None and len(frames) != counted:
            self.broken(f"B1: {name} has {plural(len(frames), 'element')}, its count says {counted}")
        return frames

    def census(self, start, end, fields):
        states, orders, uses = fields["state"], fields["order"], fields["use"]
        index, length = 0, end - start
        while index < length:
            state, frame = states[index], start + index
            order = orders[index] if state in (FREE, USED, PCP) else 0
            size = 1 << order
            if order > MAX_ORDER or frame & (size - 1) or index + size > length:
                self.broken(f"B1: the {STATES[state]} block at frame {frame:#x} cannot be of order {order}")
                index += 1
                continue
            if state == PCP:
                self.pcp += size
            elif state == FREE:
                self.heads[order] += 1
                self.merge_missed(frame, order)
            elif state == USED:
                self.used += size
                if uses[index] < len(USES):
                    self.uses[uses[index]] += size
            elif state != UNMANAGED:
                self.broken(f"B3: frame {frame:#x} is {name_of(STATES, state)}, but no block contains it")
            tail = {FREE: FREE_TAIL, USED: USED_TAIL, PCP: USED_TAIL}.get(state)
            if size > 1 and states.count(tail, index + 1, index + size) != size - 1:
                odd = next(at for at in range(index + 1, index + size) if states[at] != tail)
                self.broken(f"B3: frame {start + odd:#x} inside the {STATES[state]} block of order {order} at "
                            f"{frame:#x} is {name_of(STATES, states[odd])}")
            index += size

    def merge_missed(self, frame, order):
        other = frame ^ 1 << order
        if order < MAX_ORDER and frame < other and self.pages.get(other, "state") == FREE \
                and self.pages.get(other, "order") == order:
            self.broken(f"B2: frames {frame:#x} and {other:#x} are buddies of order {order}, and both free")

    def counters(self):
        buddy, free = self.buddy, sum(count << order for order, count in enumerate(self.heads))
        for order in range(ORDERS):
            if self.heads[order] != len(self.free[order]):
                self.broken(f"B1: {plural(self.heads[order], 'free block')} of order {order} exist, "
                            f"{len(self.free[order])} are on the list")
        cpu = layout("struct buddy_cpu")
        cached = sum(memory.number(buddy.at("cpu") + number * cpu.size + cpu.offset(field), 4)
                     for number in range(MAX_CPUS) for field in ("count", "block_pages"))
        if cached != self.pcp:
            self.broken(f"B3: {plural(self.pcp, 'per-CPU page')} exist, the lists count {cached}")
        if free != buddy["free"]:
            self.broken(f"B3: {plural(free, 'page')} are free, buddy->free says {buddy['free']}")
        if buddy["managed"] != free + self.pcp + self.used:
            self.broken(f"B3: managed {buddy['managed']} != free {free} + per-CPU {self.pcp} + used {self.used}")
        for use in range(1, len(USES)):
            counted = memory.number(buddy.at("use_pages") + 8 * use)
            if counted != self.uses[use]:
                self.broken(f"B3: {plural(self.uses[use], 'page')} serve as {USES[use]}, the counter says {counted}")


def check(buddy):
    """BuddyCheck of an instance; a Sentence when its page array cannot be read."""
    reason = astray(buddy["pages"])
    if reason and buddy["pages"] & 7:
        raise Sentence(f"buddy->pages is {reason}")
    return BuddyCheck(buddy).run()
