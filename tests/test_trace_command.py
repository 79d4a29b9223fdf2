#!/usr/bin/env python3
"""test_trace_command.py: memwalk trace checks, counts, converts and cuts; every form is the same
trace, a cut replays like the whole, and what is wrong is said with exit status 1 or 2."""
import json
import os
import subprocess
import tempfile

BUILD = os.environ.get("MEMWALK_BUILD", "build/release")
MEMWALK = os.path.join(BUILD, "memwalk")
LESSON = "traces/lesson-calloc.json"
RECORDED = "traces/ls.jsonl.zst"


def trace(*args):
    return subprocess.run([MEMWALK, "trace", *args], capture_output=True, check=False)


def report(name, good, why=""):
    print(("ok " if good else "not ok ") + name)
    if not good:
        print(why)


def expect(name, args, status, *words):
    done = trace(*args)
    told = done.stdout.decode() + done.stderr.decode()
    good = done.returncode == status and all(word in told for word in words)
    report(name, good, f"exit status {done.returncode}: {told}")


def content(path):
    """What a trace says, whatever its form."""
    return trace("convert", "-q", "--form=lines", path, "-").stdout


def stat(path):
    return json.loads(trace("stat", "--json", path).stdout)


def convert(folder):
    whole = content(RECORDED)
    report("there is something to convert", whole.count(b"\n") > 100)
    for name in ("a.jsonl", "a.json", "a.jsonl.gz", "a.json.zst", "a.jsonl.zst"):
        out = os.path.join(folder, name)
        expect(f"convert to {name}", ["convert", RECORDED, out], 0)
        report(f"{name} is the same trace", content(out) == whole)
    for form in ("lines", "document", "calls"):
        out = os.path.join(folder, form + ".json")
        expect(f"convert to {form}", ["convert", "--form", form, LESSON, out], 0)
        report(f"{form} is the same trace", content(out) == content(LESSON))
    expect("no such form", ["convert", "--form=xml", LESSON, "-"], 2, "xml")
    expect("no such folder", ["convert", LESSON, os.path.join(folder, "none/a.json")], 2, "none")


def damage(folder):
    bad = os.path.join(folder, "bad.jsonl")
    good = content(LESSON).splitlines(keepends=True)
    with open(bad, "wb") as file:
        file.write(b"".join(good[:4]) + b'{"op":"malloc","id":')
    expect("a damaged trace", ["check", bad], 2, "bad.jsonl:5")
    expect("is not converted", ["convert", bad, bad + ".zst"], 2, "bad.jsonl:5")
    report("and leaves no file", not os.path.exists(bad + ".zst"))
    trace("convert", "--salvage", bad, os.path.join(folder, "saved.jsonl"))
    report("salvage keeps what came before", stat(os.path.join(folder, "saved.jsonl"))["ops"] == 3)


def cut(folder):
    out = os.path.join(folder, "cut.json")
    ops = stat(RECORDED)["ops"]
    expect("cut", ["cut", "--from=200", "--to=400", RECORDED, out], 0)
    report("a cut is shorter", 200 < stat(out)["ops"] < ops, stat(out)["ops"])
    expect("a cut is sound", ["check", out], 0, "nothing to report")
    done = subprocess.run([MEMWALK, "run", "--json", out], capture_output=True, check=False)
    report("a cut replays", done.returncode == 0, done.stderr)
    expect("from behind to", ["cut", "--from=9", "--to=3", LESSON, out], 2)
    expect("from beyond the end", ["cut", "--from=1000", LESSON, out], 2)
    expect("no number", ["cut", "--from=x", LESSON, out], 2, "x")


def main():
    expect("check", ["check", RECORDED], 0, RECORDED, "nothing to report")
    expect("check finds misuse", ["check", "traces/lesson-misuse.json"], 1)
    expect("stat", ["stat", LESSON], 0, "calloc", "requests")
    report("stat counts ops", stat(LESSON)["ops"] == 9)
    expect("no file", ["stat", "none.json"], 2, "none.json")
    expect("no command", [], 2)
    expect("an unknown command", ["chek", LESSON], 2, "chek")
    expect("no trace", ["check"], 2)
    expect("help", ["convert", "--help"], 0, "--salvage")
    report("schema", "$schema" in json.loads(trace("schema").stdout))
    with tempfile.TemporaryDirectory() as folder:
        convert(folder)
        damage(folder)
        cut(folder)


main()
