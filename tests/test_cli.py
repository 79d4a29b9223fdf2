#!/usr/bin/env python3
"""test_cli.py: the command line as a person meets it: help, exit statuses, messages, widths, JSON,
logs, plots, streams of accesses, and the pages that describe all of it."""
import gzip
import json
import os
import shutil
import struct
import subprocess
import tempfile

BUILD = os.environ.get("MEMWALK_BUILD", "build/release")
MEMWALK = os.path.join(BUILD, "memwalk")
COMMANDS = ("run explain walk translate maps heap tlb tables frames access view record trace cpu config events "
            "version help").split()
LOOKS = "run explain walk maps heap tlb tables frames".split()
BRK = "traces/lesson-brk-or-mmap.json"
SPARSE = "traces/lesson-sparse.json"
NONE = object()


def memwalk(*args, **more):
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([MEMWALK, *args], stderr=subprocess.PIPE, timeout=120, check=False,
                          **more)


def report(name, good, why=""):
    print(("ok " if good else "not ok ") + name)
    if not good:
        print(why)


def expect(name, args, status, *words, **more):
    """The exit status is this, and each of the words stands in the message."""
    done = memwalk(*args, **more)
    said = done.stderr.decode()
    missing = [w for w in words if w not in said]
    report(name, done.returncode == status and not missing and (status != 2 or said),
           f"status {done.returncode}, without {missing}: {said}")


def figures(*args, **more):
    done = memwalk(*args, "--json", **more)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def asked(command, trace):
    """The arguments of a command that looks at a trace."""
    return [command, trace] + (["0x55555555a010"] if command == "walk" else [])


def write(path, data):
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    return path


# ---- help, statuses, messages ----

def test_help():
    for command in COMMANDS:
        done = memwalk(command, "--help")
        report(f"{command} --help", done.returncode == 0 and done.stdout.startswith(b"Usage: ")
               and not done.stderr, done.stderr)
        wide = [line for line in done.stdout.decode().splitlines() if len(line) > 100]
        report(f"{command} --help fits", not wide, wide)
        if command not in ("help", "version"):
            same = memwalk("help", command).stdout
            report(f"help {command} says the same", same == done.stdout, same)
    listed = memwalk("help").stdout.decode()
    report("help lists every command", all(f"\n  {c} " in listed for c in COMMANDS), listed)
    report("--version", memwalk("--version").stdout == memwalk("version").stdout)


def test_statuses(tmp):
    bad = write(f"{tmp}/bad.json", '{"memwalk":1,"ops":[{"op":"malloc","id":1,"size":"much"}]}')
    unmet = write(f"{tmp}/unmet.json", '{"memwalk":1,"ops":[{"op":"malloc","id":1,"size":3}],'
                  '"expect":{"ops":7}}')
    strange = write(f"{tmp}/strange.json", '{"memwalk":1,"ops":[],"expect":{"walkz":7}}')
    expect("a trace that keeps its promise", ["run", BRK], 0)
    expect("a failing expectation", ["run", unmet], 1, "ops is 1, not 7")
    expect("an expectation of nothing known", ["run", strange], 2, 'did you mean "walks"')
    expect("a bad trace", ["run", bad], 2, "bad.json:1", "size")
    expect("no command", [], 2, "Usage:")
    expect("an unknown command", ["explian"], 2, '"explian"', 'did you mean "explain"')
    expect("help of an unknown command", ["help", "heep"], 2, 'did you mean "heap"')
    expect("an unknown option", ["run", "--jsn", BRK], 2, 'did you mean "--json"')
    expect("an unknown letter", ["run", "-Z", BRK], 2, 'no option "-Z"')
    expect("an unknown key", ["run", "-o", "tlb.l1d.wayz=2", BRK], 2,
           'did you mean "tlb.l1d.ways"')
    expect("a bad value", ["run", "-o", "tlb.l1d.ways=two", BRK], 2, "tlb.l1d.ways", '"two"')
    expect("a value out of range", ["run", "-o", "tlb.l1d.ways=0", BRK], 2, "tlb.l1d.ways")
    expect("an unknown allocator", ["run", "--alloc", "bst-fit", BRK], 2,
           'did you mean "best-fit"')
    expect("an unknown key of config", ["config", "tlb.l1d.wys"], 2, 'did you mean "tlb.l1d.ways"')
    expect("an unknown event", ["run", "--log", f"{tmp}/x", "--events", "tlb_mis", BRK], 2,
           'did you mean "tlb_miss"')
    expect("events without a log", ["run", "--events", "tlb", BRK], 2, "--log")
    expect("a missing file", ["run", f"{tmp}/none.json"], 2, "none.json", "No such file")
    expect("a directory as trace", ["run", tmp], 2, "Is a directory")
    with open(BRK, "rb") as file:
        expect("a trace from standard input", ["run", "-"], 0, stdin=file)
    expect("no trace", ["run"], 2, "TRACE")
    expect("two traces", ["run", BRK, SPARSE], 2, "too many")
    expect("a machine file that is missing", ["run", "-m", f"{tmp}/none", BRK], 2, "No such file")
    for command in LOOKS[1:]:
        expect(f"{command}: an op beyond the end", [*asked(command, BRK), "--op", "999"], 2, "999")
        expect(f"{command}: --step without --op", [*asked(command, BRK), "--step", "3"], 2,
               'no option "--step"' if command == "explain" else "--op")
        expect(f"{command}: --op that is no number", [*asked(command, BRK), "--op", "x"], 2,
               "--op", '"x"')
    told = memwalk("explain", "--op", "3", BRK).stdout.decode()
    report("explain --op tells only that op", told.startswith("Op 3: ") and "\nOp " not in told)
    expect("explain: there is no op 0", ["explain", "--op", "0", BRK], 2, "--op")
    expect("a bad address", ["walk", BRK, "0x12zz"], 2, "0x12zz")
    expect("no address", ["walk", BRK], 2, "ADDRESS")
    expect("a process that does not exist", ["heap", "--pid", "77", BRK], 2, "77")


def test_output():
    with open("/dev/full", "wb") as full:
        for args in (["run", BRK], ["run", "--json", BRK], ["explain", BRK], ["events"],
                     ["config"], ["run", "--help"]):
            expect(" ".join(args) + " to a full disk", args, 2, "standard output", stdout=full)
    for args in (["events"], ["explain", "--all", BRK], ["frames", "--json", SPARSE]):
        with subprocess.Popen([MEMWALK, *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            process.stdout.close()
            said = process.stderr.read()
            status = process.wait(60)
        report(" ".join(args) + " into a closed pipe is quiet", status == 0 and not said, said)


# ---- widths and JSON ----

def test_width_and_json():
    for trace in (BRK, "traces/ls.jsonl.zst"):
        for command in LOOKS:
            done = memwalk(*asked(command, trace))
            wide = [line for line in done.stdout.decode().splitlines() if len(line) > 100]
            report(f"{command} {trace} fits in 100 columns", done.returncode == 0 and done.stdout
                   and (command == "maps" or not wide), (done.stderr, wide[:5]))
            done = memwalk(*asked(command, trace), "--json")
            report(f"{command} {trace} --json", done.returncode == 0 and parses(done.stdout),
                   done.stderr)
    for command in ("config", "events"):
        wide = [x for x in memwalk(command).stdout.decode().splitlines() if len(x) > 100]
        report(f"{command} fits in 100 columns", not wide, wide)
        report(f"{command} --json", parses(memwalk(command, "--json").stdout))
    check_cpus()
    for args, path in ((["config", "--markdown"], "docs/configuration.md"),
                       (["events", "--markdown"], "docs/events.md"),
                       (["events", "--schema"], "docs/events.schema.json")):
        with open(path, "rb") as file:
            report(f"{path} is what {' '.join(args)} prints", memwalk(*args).stdout == file.read())


# What the vendors' and measurers' documents say (the sources stand in memwalk cpu show): entries for
# data in the first level and in the second, page walkers, KiB of the three levels of cache.
PROCESSORS = {"skylake": (64, 1536, 2, 32, 256, 8192),
              "golden-cove": (96, 2048, 4, 48, 1280, 30720),
              "zen2": (64, 2048, 2, 32, 512, 16384),
              "zen4": (72, 3072, 6, 32, 1024, 32768)}


def check_cpus():
    """A processor printed as a machine file is the processor."""
    names = [cpu["name"] for cpu in json.loads(memwalk("cpu", "list", "--json").stdout)["cpus"]]
    report("cpu list", {"generic", "skylake", "golden-cove", "zen2", "zen4"} <= set(names), names)
    for name in names:
        shown = json.loads(memwalk("cpu", "show", name, "--json").stdout)
        with tempfile.NamedTemporaryFile("wb", suffix=".json") as file:
            file.write(memwalk("cpu", "show", "--file", name).stdout)
            file.flush()
            mine = json.loads(memwalk("config", "--json", "-m", file.name).stdout)["keys"]
        wanted = json.loads(memwalk("config", "--json", "-o", "cpu=" + name).stdout)["keys"]
        same = [k for k in mine if k["key"] != "cpu"] == [k for k in wanted if k["key"] != "cpu"]
        report(f"cpu show {name} --file is the processor", same and len(wanted) > 50)
        values = {k["key"]: k["value"] for k in wanted}
        report(f"cpu show {name} --json", shown["sources"] and shown["config"] ==
               {key: values[key] for key in shown["config"]}, shown)
    for name, wanted in PROCESSORS.items():
        shown = json.loads(memwalk("cpu", "show", name, "--json").stdout)["config"]
        size = {part: int(shown[part + ".sets"]) * int(shown[part + ".ways"])
                for part in ("tlb.l1d", "tlb.l2", "cache.l1", "cache.l2", "cache.l3")}
        found = (size["tlb.l1d"], size["tlb.l2"], int(shown["walk.walkers"]),
                 *(size[f"cache.l{level}"] * 64 // 1024 for level in (1, 2, 3)))
        report(f"{name} is as published", found == wanted, found)
    expect("cpu without a word", ["cpu"], 2, "list or show is missing")
    expect("cpu show without a name", ["cpu", "show"], 2, "needs a NAME")
    expect("an unknown processor", ["cpu", "show", "zen9"], 2, 'did you mean "zen')


def parses(text):
    try:
        return json.loads(text) != NONE
    except ValueError:
        return False


def test_figures():
    run = figures("run", BRK)
    for name in ("tlb.l1d.misses", "tlb.l2.misses", "walks", "walk_reads", "faults.minor",
                 "faults.major", "cycles", "seconds"):
        at = run
        for part in name.split("."):
            at = at.get(part, {}) if isinstance(at, dict) else {}
        report(f"run --json has {name}", isinstance(at, (int, float)), at)
    again = figures("run", BRK)
    run.pop("seconds", 0)
    again.pop("seconds", 0)
    report("two runs differ in nothing but seconds", run == again and len(run) > 5)


def test_compare(tmp):
    args = ["run", "--compare", "first-fit,best-fit,tlb.l1d.ways=8", SPARSE]
    done = memwalk(*args)
    text = done.stdout.decode()
    wide = [line for line in text.splitlines() if len(line) > 100]
    report("run --compare", done.returncode == 0 and not wide and
           all(item in text for item in args[2].split(",")), (done.stderr, wide))
    runs = figures(*args).get("runs", [])
    report("run --compare --json", len(runs) == 3 and
           [r["config"]["alloc"] for r in runs] == ["first-fit", "best-fit", "first-fit"] and
           [r["config"]["tlb.l1d.ways"] for r in runs] == ["4", "4", "8"], runs)
    machine = write(f"{tmp}/small.json", '{"tlb": {"l1d": {"sets": 1, "ways": 1}}}')
    runs = figures("run", "--compare", f"first-fit,@{machine}", BRK).get("runs", [])
    report("run --compare with a machine file", len(runs) == 2 and
           runs[1]["tlb"]["l1d"]["misses"] > runs[0]["tlb"]["l1d"]["misses"], runs)
    expect("an unknown item of --compare", ["run", "--compare", "first-fit,bst-fit", BRK], 2,
           'did you mean "best-fit"')
    expect("an empty --compare", ["run", "--compare", "", BRK], 2, "--compare")
    expect("--compare with a log", ["run", "--compare", "bump", "--log", "x.jsonl", BRK], 2,
           "--log")
    runs = figures("run", "--compare", "all", BRK).get("runs", [])
    report("run --compare all", len(runs) > 10 and len({r["label"] for r in runs}) == len(runs) and
           all(r["alloc"]["cycles"] > 0 for r in runs), runs)
    lines = memwalk("run", "--compare", "all", BRK).stdout.decode().splitlines()
    report("many runs are lines", all(sum(line.startswith(r["label"] + " ") for line in lines) >= 3
                                      for r in runs) and max(map(len, lines)) <= 105, lines)
    for end, signature in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        path = f"{tmp}/bars{end}"
        done = memwalk("run", "--compare", "first-fit,bump", "--plot", path, BRK)
        with open(path, "rb") as f:
            report(f"run --compare --plot {end}", done.returncode == 0 and
                   f.read().startswith(signature), done.stderr)


def test_plot(tmp):
    for end, signature in ((".png", b"\x89PNG\r\n\x1a\n"), (".svg", b"<?xml")):
        path = f"{tmp}/plot{end}"
        done = memwalk("run", "--plot", path, SPARSE)
        data = open(path, "rb").read() if os.path.exists(path) else b""
        report(f"run --plot to {end}", done.returncode == 0 and data.startswith(signature) and
               len(data) > 1000, done.stderr)
    expect("a plot of no known form", ["run", "--plot", f"{tmp}/x.gif", BRK], 2, ".png", ".svg")
    expect("a plot that cannot be written", ["run", "--plot", f"{tmp}/no/x.png", BRK], 2, "x.png")


def test_log(tmp):
    plain = f"{tmp}/log.jsonl"
    wanted = {e["name"] for e in figures("events")["events"]}
    memwalk("run", "--log", plain, BRK)
    lines = open(plain, "rb").read()
    every = [json.loads(line) for line in lines.splitlines()]
    report("every event is logged", {e["event"] for e in every} <= wanted and len(every) > 100)
    moments = [e["moment"] for e in every]
    report("the log is in the order of the moments", moments == sorted(moments))
    memwalk("run", "--log", plain, "--events", "tlb,alloc_request", BRK)
    some = [json.loads(line) for line in open(plain, "rb")]
    good = [e for e in every if e["event"].split("_")[0] == "tlb" or e["event"] == "alloc_request"]
    report("--events picks families and names", some == good and some, len(some))
    memwalk("run", "--log", f"{plain}.gz", BRK)
    report("a log is packed by gzip", gzip.open(f"{plain}.gz").read() == lines)
    memwalk("run", "--log", f"{plain}.zst", BRK)
    if shutil.which("zstd"):
        packed = subprocess.run(["zstd", "-dc", f"{plain}.zst"], capture_output=True, check=False)
        report("a log is packed by zstd", packed.stdout == lines, packed.stderr)
    else:
        print("skip a log is packed by zstd: there is no zstd")
    expect("a log that cannot be written", ["run", "--log", f"{tmp}/no/log", BRK], 2, "no/log")


# ---- streams of accesses ----

BASE = 0x10000000


def pages(count, times):
    return b"".join(struct.pack("<Q", BASE + 4096 * p) for _ in range(times) for p in range(count))


def test_access(tmp):
    raw = write(f"{tmp}/a.u64", pages(64, 10))
    run = figures("access", raw)
    counts = [run["accesses"], run["walks"], run["tlb"]["l1d"]["misses"], run["faults"]["minor"]]
    report("64 pages, 10 times: counts", counts == [640, 64, 64, 64], counts)
    with open(raw, "rb") as file:
        piped = figures("access", "--form", "u64", "-", stdin=file)
    for key in ("seconds", "title"):
        run.pop(key)
        piped.pop(key)
    report("a pipe gives what a file gives", run == piped)
    stored = figures("access", "--write", raw)
    report("--write stores", stored["loads"] == 0 and stored["stores"] > 0, stored)
    text = memwalk("access", raw).stdout.decode()
    report("access fits in 100 columns", text and max(map(len, text.splitlines())) <= 100, text)
    # Cycling through more pages than the sets hold: LRU keeps nothing of a set that overflows.
    for count, rate in ((64, 10.0), (65, 16.9), (68, 36.5), (72, 60.0), (80, 100.0)):
        path = write(f"{tmp}/p.u64", pages(count, 10))
        run = figures("access", "-o", "tlb.l2.sets=0", path)
        got = 100 * run["tlb"]["l1d"]["misses"] / (10 * count)
        report(f"{count} pages, 10 times: miss rate", abs(got - rate) < 0.06, got)


def test_lackey(tmp):
    text = (f"==1== Command: {'x' * 1000}\n\nI  10001000,3\n L 20000000,8\n S 20000ffc,8\n M 20003000,4\n")
    run = figures("access", write(f"{tmp}/l.txt", text))
    report("lackey: faults", run["faults"]["minor"] == 4, run["faults"])
    report("lackey: kinds", run["fetches"] > 0 and run["loads"] > 0 and run["stores"] > 0, run)
    with open(f"{tmp}/l.txt", "rb") as file:
        report("lackey from a pipe", figures("access", "-", stdin=file)["walks"] == run["walks"])
    for name, line, words in (
            ("a line of something else", "hello\n", ["l.txt:2", "lackey"]),
            ("an unknown letter", " X 1000,4\n", ["l.txt:2"]),
            ("a size that is missing", " L 1000\n", ["l.txt:2"]),
            ("a size of nothing", " L 1000,0\n", ["l.txt:2", "size"]),
            ("an address too long", " L 11111111111111111,4\n", ["l.txt:2"]),
            ("an address that is not canonical", " L 800000000000,4\n",
             ["l.txt:2", "0x800000000000"]),
            ("an address of the kernel", " L ffff800000000000,4\n",
             ["l.txt:2", "0xffff800000000000"])):
        expect(f"lackey: {name}", ["access", write(f"{tmp}/l.txt", " L 1000,4\n" + line)], 2,
               *words)


def test_bad_streams(tmp):
    def raw(data):
        return ["access", write(f"{tmp}/b.u64", data)]
    good = struct.pack("<Q", BASE)
    expect("raw: cut in the middle", raw(good + b"abc"), 2, "b.u64", "multiple of 8")
    expect("raw: not canonical", raw(good + struct.pack("<Q", 1 << 47)), 2, "b.u64", "address 2",
           "byte 8", "0x800000000000")
    expect("raw: the kernel's", raw(struct.pack("<Q", 0xffff800000000000)), 2, "address 1")
    expect("raw: nothing", raw(b""), 0)
    expect("access: no stream", ["access"], 2, "STREAM")
    expect("access: two streams", ["access", BRK, SPARSE], 2, "STREAM", "too many")
    expect("access: a missing file", ["access", f"{tmp}/none.u64"], 2, "No such file")
    expect("access: a directory", ["access", "--form", "u64", tmp], 2, "directory")
    expect("access: an unknown form", ["access", "--form", "elf", raw(good)[1]], 2, "elf")


def main():
    test_help()
    test_output()
    test_width_and_json()
    test_figures()
    with tempfile.TemporaryDirectory() as tmp:
        for test in (test_statuses, test_compare, test_plot, test_log, test_access, test_lackey,
                     test_bad_streams):
            test(tmp)


main()
