#!/usr/bin/env python3
"""test_lab.py: malloc-lab traces are read and written; memwalk lab passes every allocator, and catches
each kind of mistake in one that is broken on purpose, with trace and line; the window opens there."""
import json
import os
import tempfile

from new_allocator import BUILD, MEMWALK, follow, link, report, run

GOOD = """20000
4
9
1
a 0 512
a 1 128
r 0 640
a 2 128
f 1
r 0 40
f 0
f 2
f -1
"""

# What is changed in the allocator of docs/allocators.md, and what must be found where: the line of
# the trace above.
BROKEN = [
    ("alignment", "va_t block = b->base + first * UNIT;", "va_t block = b->base + first * UNIT + 8;",
     5),
    ("overlap", "return found ? take(h, i - need, need)", "return found ? take(h, i - need, need - 1)",
     6),
    ("outside the heap", "{piece, piece + front, units};", "{piece, piece + front + GIB, units};", 5),
    ("realloc", "    const struct bytemap *b = h->state;\n    uint64_t need = size",
     "    const struct bytemap *b = h->state;\n    h->config.seen++;\n    uint64_t need = size", 7),
]


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def refused(name, path, text, *words):
    done = run(MEMWALK, "run", write(path, text))
    report(f"refused: {name}", done.returncode == 2 and all(w in done.stderr for w in words),
           done.stderr)


def check_reading(tmp):
    path = write(f"{tmp}/good.rep", GOOD)
    done = run(MEMWALK, "run", "--json", path)
    figures = json.loads(done.stdout) if done.returncode == 0 else {}
    report("a .rep is replayed", figures and figures["alloc"]["mallocs"] == 3 and
           figures["alloc"]["reallocs"] == 2 and figures["heap"]["blocks"]["now"] == 0 and
           figures["title"] == "good", done.stderr)
    refused("a .rep without its header", path, "20000\n4\na 0 1\n", "good.rep:3", "requests")
    refused("an id beyond the header", path, GOOD.replace("a 2 128", "a 4 128"), "good.rep:8", "id")
    refused("a request that is none", path, GOOD.replace("f 1", "x 1"), "good.rep:9")
    refused("a request without a size", path, GOOD.replace("a 2 128", "a 2"), "good.rep:8", "size")
    refused("something behind a request", path, GOOD.replace("f 1", "f 1 2"), "good.rep:9", "follows")
    refused("fewer requests", path, GOOD.replace("\n9\n", "\n10\n"), "fewer", "10")
    refused("more requests", path, GOOD.replace("\n9\n", "\n8\n"), "more", "8")


def check_writing(tmp):
    path = write(f"{tmp}/good.rep", GOOD)
    run(MEMWALK, "trace", "convert", path, f"{tmp}/good.jsonl")
    done = run(MEMWALK, "trace", "convert", f"{tmp}/good.jsonl", f"{tmp}/again.rep")
    with open(f"{tmp}/again.rep", encoding="utf-8") as f:
        again = f.read()
    wanted = GOOD.replace("20000\n4\n9", "20000000\n3\n8").replace("f -1\n", "")
    report(".rep to lines and back", again == wanted and "1 ops left out" in done.stderr,
           again + done.stderr)
    run(MEMWALK, "trace", "convert", "traces/ls.jsonl.zst", f"{tmp}/ls.rep.gz")
    one = json.loads(run(MEMWALK, "run", "--json", "traces/ls.jsonl.zst").stdout)
    two = json.loads(run(MEMWALK, "run", "--json", f"{tmp}/ls.rep.gz").stdout)
    report("a recording as .rep asks for the same bytes",
           one["heap"]["payload"] == two["heap"]["payload"] and
           one["alloc"]["frees"] == two["alloc"]["frees"], (one["heap"], two["heap"]))


def check_sound(tmp):
    path = write(f"{tmp}/good.rep", GOOD)
    runs = json.loads(run(MEMWALK, "run", path, "--compare", "all", "--json").stdout)["runs"]
    for name in (r["label"] for r in runs):
        done = run(MEMWALK, "lab", "--alloc", name, "--json", path, "traces/ls.jsonl.zst")
        traces = json.loads(done.stdout)["traces"] if done.stdout else []
        report(f"lab: {name} passes", done.returncode == 0 and
               [t["valid"] for t in traces] == [True, True] and
               all(0 < t["utilisation"] <= 1 for t in traces), done.stderr)
    done = run(MEMWALK, "lab", path, path)
    report("lab: the table has a mean", done.returncode == 0 and
           done.stdout.splitlines()[-1].startswith("mean") and "yes" in done.stdout, done.stdout)
    done = run(MEMWALK, "lab", "--alignment", "4096", path)
    report("lab: another alignment", done.returncode == 1 and "good.rep:5: op 1: alignment" in
           done.stderr, done.stderr)
    report("lab: a wrong alignment", run(MEMWALK, "lab", "--alignment", "24", path).returncode == 2)


def break_it(old, new):
    def change(source):
        assert old in source
        if "seen++" in new:  # a realloc that forgets to copy
            return source.replace("    .free = bytemap_free,", "    .realloc = forgetful,\n"
                                  "    .free = bytemap_free,").replace(
                "/* ---- showing it", "static va_t forgetful(struct heap *h, va_t old, uint64_t size)\n"
                "{\n    va_t fresh = bytemap_malloc(h, size);\n    struct heap_given given = h->given;\n"
                "    bytemap_free(h, old);\n    h->given = given;\n    h->how = RESIZE_MOVE;\n"
                "    return fresh;\n}\n\n/* ---- showing it")
        return source.replace(old, new)
    return change


def check_broken(tmp):
    with open("docs/allocators.md", encoding="utf-8") as f:
        page = f.read()
    for kind, old, new, line in BROKEN:
        folder = f"{tmp}/{kind.split()[0]}"
        objects = follow(page, folder, break_it(old, new))
        memwalk = f"{folder}/memwalk"
        if not objects or not link(memwalk, [f"{BUILD}/sim/cli/main.o", *objects]):
            continue
        path = write(f"{folder}/good.rep", GOOD)
        done = run(memwalk, "lab", "--alloc", "bytemap", path)
        report(f"lab finds: {kind}", done.returncode == 1 and
               f"good.rep:{line}: op {line - 4}: {kind}: " in done.stderr, done.stderr)
        done = run(memwalk, "view", "--alloc", "bytemap", "--at-error", "--svg", f"{folder}/e.svg",
                   path, env=dict(os.environ, SDL_VIDEODRIVER="dummy"))
        picture = ""
        if os.path.exists(f"{folder}/e.svg"):
            with open(f"{folder}/e.svg", encoding="utf-8") as f:
                picture = f.read()
        report(f"view --at-error opens there: {kind}", done.returncode == 0 and
               f"good.rep:{line}: op {line - 4}: {kind}" in done.stderr and
               f"--op {line - 4}" in picture.replace("&#160;", " "), done.stderr)


def main():
    with tempfile.TemporaryDirectory() as tmp:
        check_reading(tmp)
        check_writing(tmp)
        check_sound(tmp)
        check_broken(tmp)


main()
