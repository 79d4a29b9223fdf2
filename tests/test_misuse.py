#!/usr/bin/env python3
"""test_misuse.py: each kind of mistake is found under every allocator, with the op that made it and
the other op concerned; leaks are told with the op that allocated; --strict makes them a failure."""
import json
import os
import subprocess
import tempfile

MEMWALK = os.path.join(os.environ.get("MEMWALK_BUILD", "build/release"), "memwalk")

# Ops, and the mistakes that they must give: (kind, op, other op).
CASES = {
    "double free": (["p1 = malloc(100)", "p2 = malloc(100)", "free(p1)", "free(p1)"],
                    [("double free", 4, 3)]),
    "double free of a large block": (["p1 = malloc(1M)", "free(p1)", "free(p1)"],
                                     [("double free", 3, 2)]),
    "invalid free": (["p1 = malloc(100)", "free(p1, 16)", "free(p1)"], [("foreign pointer", 2, 1)]),
    "use after free": (["p1 = malloc(100)", "p2 = malloc(100)", "free(p1)", "read p1[0..8]"],
                       [("dead block", 4, 3)]),
    "overflow": (["p1 = malloc(512)", "p2 = malloc(512)", "read p1[0..2048]"],
                 [("overflow into the neighbour", 3, None)]),
    "slack": (["p1 = malloc(513)", "p2 = malloc(513)", "read p1[513..514]"],
              [("outside the block", 3, 1)]),
    "underflow": (["p1 = malloc(600)", "p2 = malloc(600)", '{"op":"read","id":2,"off":-8,"len":8}'],
                  [("underflow before the block", 3, None)]),
    "realloc of a dead block": (["p1 = malloc(100)", "free(p1)", "p1 = realloc(p1, 200)"],
                                [("realloc of a dead block", 3, 2)]),
    "wrong alignment": (["p1 = memalign(24, 100)", "p2 = aligned_alloc(64, 100)",
                         "p3 = posix_memalign(4, 8)"],
                        [("wrong alignment", 1, 0), ("wrong alignment", 3, 0)]),
}


def report(name, good, why=""):
    print(("ok " if good else "not ok ") + name)
    if not good:
        print(why)


def run(*args):
    return subprocess.run([MEMWALK, *args], capture_output=True, text=True, check=False)


def write(path, ops):
    lines = [op if op.startswith("{") else json.dumps(op) for op in ops]
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(['{"memwalk":1}'] + lines) + "\n")
    return path


def agrees(mistake, wanted):
    kind, op, other = wanted
    return (mistake["what"], mistake["op"]) == (kind, op) and mistake["line"] == op + 1 and \
        (other is None or mistake["other_op"] == other)


def check_cases(tmp, names):
    for name, (ops, wanted) in CASES.items():
        path = write(f"{tmp}/t.jsonl", ops)
        for alloc in names:
            done = run("run", "--json", "--alloc", alloc, path)
            got = json.loads(done.stdout)["mistakes"] if done.stdout else []
            # Rounding leaves slack behind 513 bytes only in some allocators, and a bump never ends.
            if name == "slack" and got and got[0]["what"] == "overflow into the neighbour":
                continue
            report(f"{name}, {alloc}", done.returncode == 0 and len(got) == len(wanted) and
                   all(agrees(m, w) for m, w in zip(got, wanted)), (got, done.stderr))


def check_words(tmp):
    done = run("run", write(f"{tmp}/t.jsonl", CASES["double free"][0]))
    report("both ops are told", "t.jsonl:5: op 4, free(p1): double free" in done.stderr and
           "freed by op 3" in done.stderr, done.stderr)
    done = run("run", write(f"{tmp}/t.jsonl", CASES["overflow"][0]))
    report("the neighbour is told", "the bytes belong to the block of op 2" in done.stderr,
           done.stderr)


def check_leaks(tmp):
    path = write(f"{tmp}/t.jsonl", ["p1 = malloc(100)", "p2 = malloc(3000)", "p3 = malloc(50)",
                                    "free(p3)"])
    done = run("run", "--leaks", "--json", path)
    figures = json.loads(done.stdout)
    report("leaks in JSON", figures["leaks"] == {"blocks": 2, "bytes": 3100} and
           [(b["id"], b["size"], b["op"]) for b in figures["leaked"]] == [(2, 3000, 2), (1, 100, 1)],
           figures)
    done = run("run", "--leaks", path)
    report("leaks in words", done.returncode == 0 and "Never freed: 2 blocks" in done.stdout and
           "allocated by op 2" in done.stdout, done.stdout)
    report("--strict with --leaks", run("run", "--leaks", "--strict", path).returncode == 1)
    report("--strict alone allows leaks", run("run", "--strict", path).returncode == 0)
    wrong = write(f"{tmp}/t.jsonl", CASES["double free"][0])
    report("--strict makes a mistake a failure", run("run", "--strict", wrong).returncode == 1)
    report("without it, it is told", run("run", wrong).returncode == 0)
    path = write(f"{tmp}/t.jsonl", ["p1 = malloc(100)", '{"op":"exit","status":0}'])
    figures = json.loads(run("run", "--json", path).stdout)
    report("leaks of a process that ends", figures["leaks"] == {"blocks": 1, "bytes": 100},
           figures["leaks"])


def main():
    with tempfile.TemporaryDirectory() as tmp:
        path = write(f"{tmp}/t.jsonl", ["p1 = malloc(1)"])
        runs = json.loads(run("run", path, "--compare", "all", "--json").stdout)["runs"]
        check_cases(tmp, [r["label"] for r in runs])
        check_words(tmp)
        check_leaks(tmp)


main()
