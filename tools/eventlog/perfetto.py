# SPDX-License-Identifier: MIT
"""The event log as Chrome trace JSON, which ui.perfetto.dev and chrome://tracing open: a span for each
operation with its steps inside, and counters: free blocks of each order, bytes free, busy, waiting."""
import json

from .replay import replay
from .story import explain, hexadecimal

PROCESS = 1


def span(event, phase, name, **more):
    return {"name": name, "ph": phase, "ts": event.ns / 1000, "pid": PROCESS, "tid": event.cpu, **more}


def call_name(event, kinds):
    return explain(event, kinds).split("(", 1)[0].removeprefix("call ")


def counters(model, event):
    blocks = {f"order {order}": count << order for order, count in enumerate(model.buddy.blocks)}
    yield span(event, "C", "free pages by order", args=blocks)
    yield span(event, "C", "address space",
               args={"busy": model.busy.total, "waiting for a flush": model.lazy.total})
    yield span(event, "C", "free ranges", args={"ranges": len(model.free.starts)})


def convert(log, symbols):
    """The JSON object, and the sentence that the replay behind the counters ended with (or None)."""
    rows = [{"name": "process_name", "ph": "M", "pid": PROCESS, "args": {"name": "Vitrine"}}]
    rows += [{"name": "thread_name", "ph": "M", "pid": PROCESS, "tid": cpu, "args": {"name": f"CPU {cpu}"}}
             for cpu in sorted({event.cpu for event in log.events})]
    known = {}

    def observe(model, event):
        if model.known and event.name in ("END", "STATE_DONE"):
            known[event.number] = list(counters(model, event))

    result, _ = replay(log, observe)
    depth = {}
    for event in log.events:
        if event.name == "BEGIN":
            depth[event.cpu] = depth.get(event.cpu, 0) + 1
            rows.append(span(event, "B", call_name(event, log.kinds),
                             args={"operation": event.operation, "caller": symbols.caller(event.caller)}))
        elif event.name == "END" and depth.get(event.cpu):
            depth[event.cpu] -= 1
            rows.append(span(event, "E", "", args={"result": hexadecimal(event.args[1])}))
        elif not event.name.startswith("STATE"):
            rows.append(span(event, "i", event.name, s="t",
                             args={"what": explain(event, log.kinds, symbols)}))
        rows += known.get(event.number, [])
    return {"traceEvents": rows, "displayTimeUnit": "ns"}, result.problem


def write(log, symbols, path):
    content, problem = convert(log, symbols)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)
    return len(content["traceEvents"]), problem
