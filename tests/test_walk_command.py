#!/usr/bin/env python3
"""test_walk_command.py: 'memwalk walk': text and JSON say the same, cold and from the caches, in a
guest, and for each kind of fault."""
import json
import os
import subprocess

MEMWALK = os.path.join(os.environ.get("MEMWALK_BUILD", "build/release"), "memwalk")
TRACE = "traces/ls.jsonl.zst"
HEAP = 0x55555555a010


def report(name, good, why=""):
    print(("ok " if good else "not ok ") + name)
    if not good:
        print(why)


def walk(va, *args):
    def run(*more):
        done = subprocess.run([MEMWALK, "walk", TRACE, "--op", "40", hex(va), *args, *more], check=False,
                              capture_output=True, timeout=60)
        return done.stdout.decode() or done.stderr.decode()
    return run(), json.loads(run("--json"))


def reads(answer):
    entries = list(answer["entries"])
    for entry in answer["entries"]:
        entries += entry.get("ept", {}).get("entries", [])
    entries += answer.get("ept", {}).get("entries", [])
    return [e for e in entries if e["read"]]


def has(name, text, *words):
    missing = [w for w in words if w not in text]
    report(name, not missing, f"without {missing}:\n{text}")


def fits(name, text):
    wide = [line for line in text.splitlines()[1:] if len(line) > 100]
    report(name + " fits 100 columns", not wide, "\n".join(wide))


def test_cold_and_warm():
    text, warm = walk(HEAP)
    fits("warm", text)
    has("a hit is told", text, "has the page: frame", "not read: the TLB", "= yes", "is allowed")
    report("a hit reads nothing", not reads(warm) and warm["now"]["done"])
    text, cold = walk(HEAP, "--cold")
    fits("cold", text)
    has("a cold walk is told", text, "does not have the page", "begins at the root",
        "read: 14 cycles", "TLB entry  L1", "4 entries read for 56")
    report("a cold walk reads four entries", len(reads(cold)) == 4, cold)
    report("both come to the same", cold["pa"] == warm["pa"])
    report("a cold walk costs more", cold["now"]["cycles"] > warm["now"]["cycles"])
    last = cold["entries"][-1]
    report("the address follows from the last entry",
           int(cold["pa"], 16) == int(last["value"], 16) & 0xffffffffff000 | HEAP & 0xfff, cold)


def test_data_caches():
    options = [x for level in ("l1", "l2") for x in ("-o", f"cache.{level}.sets=64")]
    text, answer = walk(HEAP, "--cold", *options)
    fits("data caches", text)
    has("the cache that had the entry is told", text, "cycles, L1 cache")
    costs = {e["cache"]: e["cycles"] for e in reads(answer)}
    report("its latency is the cost", costs.get(1) == 4 and costs.get(0, 200) == 200, answer)


def test_guest():
    text, answer = walk(HEAP, "--cold", "-o", "nested=on")
    fits("guest", text)
    has("a guest's walk is told", text, "a guest: EPTP", "EPT PML4E", "is physical",
        "24 entries read for 336", "EPT allows", "guest-physical")
    report("a guest's walk reads 24 entries", len(reads(answer)) == 24, len(reads(answer)))
    gpas = [int(e["ept"]["gpa"], 16) for e in answer["entries"]]
    report("each entry has its guest-physical address", gpas
           == [int(e["pa"], 16) for e in answer["entries"]], answer)
    report("and the page", answer["ept"]["pa"] == answer["pa"], answer)


def test_five_levels():
    text, answer = walk(HEAP, "--cold", "-o", "la57=on")
    fits("five levels", text)
    has("five levels are told", text, "PML5 0  PML4 170", "LA57 1", "PML5E  [  0]", "5 entries read")
    report("five entries are read", [e["level"] for e in reads(answer)] == [5, 4, 3, 2, 1], answer)
    _, answer = walk(HEAP, "--cold", "-o", "la57=on", "-o", "nested=on")
    report("29 in a guest", len(reads(answer)) == 29, len(reads(answer)))
    text, answer = walk(1 << 47, "-o", "la57=on")
    has("canonical with five levels", text, "PML5 0  PML4 256", "#PF")
    text, answer = walk(1 << 56, "-o", "la57=on")
    has("not canonical with five", text, "#GP: bits 63 to 56")


def test_faults():
    text, answer = walk(0x7f0000000000, "--access", "w")
    fits("fault", text)
    has("a missing page", text, "not present: the walk ends here", "#PF, CR2 0x7f0000000000",
        "P=0 an entry is not present", "W/R=1 a write", "U/S=1 in user mode")
    report("its error code", answer["fault"]["error"] == "0x6" and not answer["now"]["done"], answer)
    text, answer = walk(HEAP, "--access", "x")
    has("execute-disable", text, "NO a fetch needs it to be 0", "error code 0x15", "I/D=1 a fetch")
    bad = [r["name"] for r in answer["rights"] if not r["good"]]
    report("one right is missing", bad == ["execute-disable"], answer["rights"])
    text, answer = walk(HEAP, "--cpl", "0")
    has("SMAP", text, "NO CR4.SMAP", "U/S=0 in supervisor mode")
    report("its error code is 1", answer["fault"]["error"] == "0x1", answer)
    text, answer = walk(0x1234567890abcdef)
    has("not canonical", text, "#GP: bits 63 to 47 are not all the same")
    report("vector 13", answer["fault"]["vector"] == 13 and not answer["entries"], answer)
    text, answer = walk(0xffff888000001000, "--cpl", "0")
    has("the kernel's memory", text, "is allowed", "G=1")


test_cold_and_warm()
test_data_caches()
test_guest()
test_five_levels()
test_faults()
