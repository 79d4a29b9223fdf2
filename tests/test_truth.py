#!/usr/bin/env python3
"""test_truth.py: memwalk truth against what really happened, op by op: a random trace of each
profile and some small ones, recorded in tests/truth/recorded; and every trace of the malloc family
in ../shared/traces in both modes, where that folder is here."""
import glob
import json
import os
import re
import subprocess
import tempfile

MEMWALK = os.path.join(os.environ.get("MEMWALK_BUILD", "build/release"), "memwalk")
SHIPPED = "tests/truth/recorded"
TRACES = os.environ.get("MEMWALK_TRACES", "../shared/traces")


def report(name, good, why=""):
    print(("ok " if good else "not ok ") + name)
    if not good:
        print("\n".join(why.splitlines()[:40]))


def truth(*args):
    return subprocess.run([MEMWALK, "truth", *args], capture_output=True, text=True, check=False)


def touched(prefix):
    """Three of the probes were recorded with a touch of their own."""
    name = os.path.basename(prefix)
    if name == "malloc_big_read":
        return ["--touch=page", "--read"]
    return ["--touch=page"] if name in ("malloc_big_touch", "mtrim") else ["--touch=none"]


def compare(trace, prefix, options):
    run = truth(trace, f"--against={prefix}", *options)
    compared = [line for line in run.stdout.splitlines() if line.endswith("the same")]
    good = run.returncode == 0 and len(compared) >= 3 and "0 differ" in run.stdout
    report(f"{os.path.basename(prefix)}: {len(compared)} texts", good, run.stdout + run.stderr)


def probes(folder):
    for trace in sorted(glob.glob(f"{folder}/*.jsonl")):
        prefix = trace[:-len(".jsonl")]
        compare(trace, prefix, touched(prefix))


def shipped():
    probes(SHIPPED)
    for trace in sorted(glob.glob(f"{SHIPPED}/*.jsonl.gz")):
        compare(trace, f"{trace[:-len('.jsonl.gz')]}.all", ["--touch=all"])


def recorded():
    probes(f"{TRACES}/probes")
    for folder in ("fuzz", "captured"):
        for trace in sorted(glob.glob(f"{TRACES}/{folder}/*.jsonl.gz")):
            for mode in ("none", "all"):
                compare(trace, f"{trace[:-len('.jsonl.gz')]}.{mode}", [f"--touch={mode}"])


def exact_fits():
    """Nine blocks of a size, apart from each other: two of them reach the unsorted list."""
    sizes = [200, 24] * 9
    ops = [{"op": "malloc", "id": 1 + i, "size": size} for i, size in enumerate(sizes)]
    ops += [{"op": "free", "id": 1 + i} for i in range(0, 18, 2)]
    ops += [{"op": "malloc", "id": 100 + i, "size": 200} for i in range(8)]
    return [json.dumps(op) for op in ops]


# The rules that need no recording: what the library is known to answer.
RULES = [
    # name, ops, tunables, the last lines of --out
    ("the largest request that top meets", ['{"op":"malloc","id":1,"size":134472}'], "",
     ["h+672 2 0"]),
    ("one byte more is mapped", ['{"op":"malloc","id":1,"size":134473}'], "", ["m-135152 2 0"]),
    ("exact fits go into the tcache, the newest comes out", exact_fits(), "", ["h+2592 0 0"]),
    ("the first block", ['{"op":"malloc","id":1,"size":24}'], "", ["h+672 1 0"]),
    ("the last freed is first", ['{"op":"malloc","id":1,"size":24}',
                                 '{"op":"malloc","id":2,"size":24}', '{"op":"free","id":1}',
                                 '{"op":"free","id":2}', '{"op":"malloc","id":3,"size":20}'], "",
     ["h+672 1 0", "h+704 0 0", "- 0 0", "- 0 0", "h+704 0 0"]),
    ("without a tcache fastbins answer", ['{"op":"malloc","id":1,"size":24}',
                                          '{"op":"free","id":1}',
                                          '{"op":"calloc","id":2,"nmemb":1,"size":24}'],
     "glibc.malloc.tcache_count=0", ["h+672 1 0", "- 0 0", "h+672 0 0"]),
]


# A first call that is refused: the library initializes itself before it looks at the arguments, and
# asks the kernel for nothing.
REFUSED = [
    ("posix_memalign without an alignment", '{"op":"posix_memalign","id":1,"alignment":0,"size":8}'),
    ("malloc beyond the largest object", '{"op":"malloc","id":1,"size":9223372036854775808}'),
]


def first_call_refused():
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "rule.jsonl")
        for name, op in REFUSED:
            with open(trace, "w", encoding="utf-8") as file:
                file.write(op + "\n")
            run = truth(trace, "--sys=-")
            report(f"{name} only initializes", run.stdout == "0 getrandom = 8\n", run.stdout)


def rules():
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "rule.jsonl")
        for name, ops, tunables, lines in RULES:
            with open(trace, "w", encoding="utf-8") as file:
                file.write("\n".join(ops) + "\n")
            run = truth(trace, "--out=-", f"--tunables={tunables}")
            report(name, run.stdout.splitlines()[-len(lines):] == lines,
                   run.stdout + run.stderr)


def refused_tunable():
    """A value out of range is as if it were not there: an earlier one stays."""
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "rule.jsonl")
        with open(trace, "w", encoding="utf-8") as file:
            file.write('{"op":"malloc","id":1,"size":24}\n')
        names = {"arena_max": (2, 0), "arena_test": (3, 0), "mmap_max": (4, 1 << 31)}
        text = ":".join(f"glibc.malloc.{n}={v}" for n, both in names.items() for v in both)
        run = truth(trace, "--arena=-", f"--tunables={text}")
        report("a tunable out of range is passed over",
               all(f"\n{line}\n" in run.stdout for line in
                   ("arena_max 2", "arena_test 3", "n_mmaps_max 4")), run.stdout + run.stderr)


def differences():
    """A difference is found, shown, and told by the exit status; bad input is status 2."""
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "t.jsonl")
        with open(trace, "w", encoding="utf-8") as file:
            file.write('{"op":"malloc","id":1,"size":24}\n{"op":"free","id":1}\n')
        prefix = os.path.join(folder, "t")
        truth(trace, f"--out={prefix}.out", f"--sys={prefix}.sys", f"--summary={prefix}.json",
              f"--arena={prefix}.arena.gz")
        same = truth(trace, f"--against={prefix}")
        report("equal to itself", same.returncode == 0 and "arena" in same.stdout,
               same.stdout + same.stderr)
        with open(f"{prefix}.out", "w", encoding="utf-8") as file:
            file.write("h+672 1 0\nh+1 0 0\n")
        other = truth(trace, f"--against={prefix}")
        report("a difference has status 1 and shows both states",
               other.returncode == 1 and "line 1 is the first" in other.stdout
               and "just before op 1" in other.stdout and "just after op 1" in other.stdout,
               other.stdout + other.stderr)
        with open(f"{prefix}.json", encoding="utf-8") as file:
            summary = json.load(file)
        report("the summary is JSON with areas", summary["vmas"][0]["start"] == "h+0",
               str(summary))
        none = truth(trace, f"--against={folder}/nothing")
        with open(trace, "w", encoding="utf-8") as file:
            file.write('{"op":"malloc","id":1,"size":9223372036854775808}\n')
        truth(trace, f"--out={prefix}.out", f"--sys={prefix}.sys", f"--summary={prefix}.json",
              f"--arena={prefix}.arena")
        with open(f"{prefix}.arena", encoding="utf-8") as file:
            arena = re.sub(r"top m\+\d+ size 0", "top m+10390720 size 0", file.read())
        with open(f"{prefix}.arena", "w", encoding="utf-8") as file:
            file.write(arena)
        os.remove(f"{prefix}.arena.gz")
        empty = truth(trace, f"--against={prefix}")
        report("where the library lies makes no difference while there is no heap",
               empty.returncode == 0 and "top m+10390720" in arena, empty.stdout + empty.stderr)
        report("a prefix without files is refused", none.returncode == 2, none.stderr)
        with open(f"{prefix}.json", "w", encoding="utf-8") as file:
            file.write('{"heap0": 7}')
        bad = truth(trace, f"--layout={prefix}.json")
        report("a summary without a layout is refused",
               bad.returncode == 2 and "heap0" in bad.stderr, bad.stderr)


def replayed(text, *options):
    """What memwalk run says of a trace."""
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "t.jsonl")
        with open(trace, "w", encoding="utf-8") as file:
            file.write('{"memwalk":1,"config":{"alloc":"glibc"}}\n' + "\n".join(text) + "\n")
        return subprocess.run([MEMWALK, "run", trace, *options], capture_output=True, text=True,
                              check=False)


def aborts():
    twice = ['{"op":"malloc","id":1,"size":24}', '{"op":"free","id":1}', '{"op":"free","id":1}',
             '{"op":"malloc","id":2,"size":24}']
    run = replayed(twice, "-o", "alloc.unfiltered=on")
    report("a double free ends the program with the library's words",
           "the program aborts: free(): double free detected in tcache 2" in run.stderr
           and ": killed" in run.stderr, run.stderr)
    run = replayed(twice)
    report("unless wrong pointers are kept from it", "aborts" not in run.stderr
           and "killed" not in run.stderr and "double free" in run.stderr, run.stderr)


# The largest chunk of a bin is made to be its own next smaller one: a link that it had when it was
# alone is copied back.
CIRCLE = [{"op": "malloc", "id": 1 + i, "size": size}
          for i, size in enumerate((1256, 24, 1224, 24, 1240, 24, 64))] + [
    {"op": "free", "id": 1}, {"op": "malloc", "id": 8, "size": 3000},
    {"op": "copy", "id": 1, "off": 16, "to": 7, "to_off": 0, "len": 8},
    {"op": "free", "id": 3}, {"op": "malloc", "id": 9, "size": 3000},
    {"op": "copy", "id": 7, "off": 0, "to": 1, "to_off": 16, "len": 8},
    {"op": "free", "id": 5}, {"op": "malloc", "id": 10, "size": 3000},
    {"op": "malloc", "id": 11, "size": 24}]


def circles():
    run = replayed([json.dumps(op) for op in CIRCLE])
    report("a circular list ends the program, with words of why",
           "op 15, p10 = malloc(3000): endless loop" in run.stderr
           and "the program hangs: the ring of sizes of bin 67 is circular: the real glibc would "
           "loop for ever" in run.stderr and "op 16, p11 = malloc(24): killed" in run.stderr,
           run.stderr)


# Pointers that a program with three threads got from the real library.
THREADS = ['{"op":"malloc","id":1,"size":24,"ret":"h+672"}', '{"op":"thread_start","tid":2}'] + [
    json.dumps({"op": "malloc", "id": 2 + i, "size": size, "tid": 2,
                "ret": f"0x{0x7ffff0000000 + place:x}"})
    for i, (size, place) in enumerate(((24, 0xb70), (100000, 0xb90), (100000, 0x19240),
                                       (100000, 0x318f0)))] + [
    '{"op":"free","id":5,"tid":2}', '{"op":"free","id":4,"tid":2}', '{"op":"free","id":3,"tid":2}',
    '{"op":"thread_exit","tid":2}', '{"op":"thread_start","tid":3}',
    json.dumps({"op": "malloc", "id": 9, "size": 24, "tid": 3, "ret": f"0x{0x7ffff0000b90:x}"})]


def threads():
    run = replayed(THREADS)
    report("threads have arenas of their own, and inherit them", run.returncode == 0, run.stderr)
    run = replayed(THREADS, "-o", "alloc.tunables=glibc.malloc.arena_max=1")
    report("with one arena allowed they share it", run.returncode == 1, run.stderr)


def main():
    rules()
    first_call_refused()
    refused_tunable()
    aborts()
    circles()
    threads()
    shipped()
    differences()
    if os.path.isdir(f"{TRACES}/probes"):
        recorded()
    else:
        print(f"skip recorded_traces {TRACES} is not here")


main()
