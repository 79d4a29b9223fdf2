#!/usr/bin/env python3
"""test_perfetto.py: what memwalk perfetto writes is what a viewer expects: slices that nest and end,
flows that lead from a malloc to the TLB, counters that agree with the report."""
import gzip
import json
import os
import subprocess
import tempfile

MEMWALK = os.path.join(os.environ.get("MEMWALK_BUILD", "build/release"), "memwalk")
TRACES = ["traces/lesson-anatomy-of-a-malloc.json", "traces/ls.jsonl.zst"]


def report(name, good, why=""):
    print(("ok " if good else "not ok ") + name)
    if not good:
        print(why)


def run(*args):
    return subprocess.run([MEMWALK, *args], capture_output=True, text=True, check=False)


def written(*args):
    done = run("perfetto", *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["traceEvents"]


def nesting(events):
    """The first thing that is wrong with the slices of a track, or ''."""
    stacks, clocks = {}, {}
    for e in events:
        if e["ph"] not in "BEX":
            continue
        track = (e["pid"], e["tid"])
        if e["ts"] < clocks.get(track, 0):
            return f"time runs back at {e}"
        clocks[track] = e["ts"]
        stack = stacks.setdefault(track, [])
        if e["ph"] == "B":
            stack.append(e["name"])
        elif e["ph"] == "E" and not stack:
            return f"nothing is open at {e}"
        elif e["ph"] == "E":
            stack.pop()
    return "".join(f"open at the end: {s}" for s in stacks.values() if s)


def flows(events):
    """The phases of each flow, in order."""
    found = {}
    for e in events:
        if e["ph"] in "stf":
            found.setdefault(e["id"], []).append(e)
    return found


def check_trace(trace):
    name = os.path.basename(trace).split(".")[0]
    events = written(trace)
    figures = json.loads(run("run", "--json", trace).stdout)
    ops = [e for e in events if e["ph"] == "B" and e["cat"] == "op"]
    report(f"{name}-slices-nest", nesting(events) == "", nesting(events))
    report(f"{name}-every-op", [e["args"]["op"] for e in ops] == list(range(1, len(ops) + 1)))
    faults = [e for e in events if e["ph"] == "B" and e["name"].startswith("page fault")]
    report(f"{name}-every-fault", len(faults) == len(flows(events)) > 0)
    walks = [e for e in events if e["ph"] == "B" and e["name"] == "page walk"]
    counted = [e["args"]["value"] for e in events if e["ph"] == "C" and e["name"] == "page walks"]
    report(f"{name}-walks-counted", len(walks) == counted[-1], f"{len(walks)} {counted[-1]}")
    text = json.dumps(figures)
    report(f"{name}-report-agrees", str(len(walks)) in text, f"{len(walks)} walks")
    return events


def check_flows(events):
    made = {e["args"]["op"]: e["ts"] for e in events if e["ph"] == "B" and e["cat"] == "op"}
    whole = [f for f in flows(events).values() if "".join(e["ph"] for e in f) == "sttf"]
    report("flow-malloc-fault-entry-tlb", len(whole) > 0)
    report("flow-goes-forward", all(f[i]["ts"] <= f[i + 1]["ts"] for f in whole for i in range(3)))
    report("flow-starts-at-an-op", all(f[0]["ts"] in made.values() for f in whole))


def check_options(folder):
    some = written("--from", "3", "--to", "5", TRACES[0])
    ops = [e["args"]["op"] for e in some if e["ph"] == "B" and e["cat"] == "op"]
    report("from-to", ops == [3, 4, 5], ops)
    path = os.path.join(folder, "t.json.gz")
    report("output", run("perfetto", "-O", path, TRACES[0]).returncode == 0)
    with gzip.open(path, "rt") as file:
        report("output-packed", len(json.load(file)["traceEvents"]) > 100)
    bad = run("perfetto", "-O", "/nowhere/t.json", TRACES[0])
    report("no-folder", bad.returncode == 2 and "/nowhere/t.json" in bad.stderr, bad.stderr)


def main():
    events = check_trace(TRACES[0])
    check_flows(events)
    check_trace(TRACES[1])
    with tempfile.TemporaryDirectory() as folder:
        check_options(folder)


if __name__ == "__main__":
    main()
