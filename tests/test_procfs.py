#!/usr/bin/env python3
"""test_procfs.py: files below /proc are read as scripts read Linux's, agree with each other, and have
the names, the order and the columns of the real ones of this machine."""
import json
import os
import re
import struct
import subprocess
import tempfile

BUILD = os.environ.get("MEMWALK_BUILD", "build/release")
MEMWALK = os.path.join(BUILD, "memwalk")
TRACE = {"memwalk": 1, "ops": [
    "mmap(0x10000000, 64K, rw, private|anonymous|fixed)",
    "write [0x10000000..0x10008000]",
    "mmap(0x20000000, 32K, rw, shared|anonymous|fixed)",
    "write [0x20000000..0x20003000]",
    "mlock(0x10000000, 8K)",
    "p1 = malloc(100)",
    "write p1[0..100]",
    "fork(7)",
    "[pid 7] write [0x10000000..0x10001000]",
    "[pid 7] read [0x20000000..0x20003000]",
    "madvise(0x10004000, 4K, free)",
    "mmap(0x30000000, 16K, rw, private|anonymous|noreserve|fixed)",
    "read [0x30000000..0x30002000]"]}


def report(name, good, why=""):
    print(("ok " if good else "not ok ") + name)
    if not good:
        print(why)


def memwalk(*args):
    return subprocess.run([MEMWALK, *args], capture_output=True, text=True, check=False)


def proc(trace, path):
    done = memwalk("proc", trace, path)
    return done.stdout if done.returncode == 0 else f"failed: {done.stderr}"


def real(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except OSError:
        return None


HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (....) ([0-9a-f]{8}) (\w+:\w+) (\d+) *(.*)$")


def areas(text):
    """smaps as a list of (start, end, permissions, name, {field: kB or text}, [names in order])."""
    found = []
    for line in text.splitlines():
        head = HEAD.match(line)
        if head:
            found.append((int(head[1], 16), int(head[2], 16), head[3], head[7], {}, []))
            continue
        name, value = line.split(":", 1)
        found[-1][5].append(name)
        found[-1][4][name] = int(value.split()[0]) if value.split() and \
            value.split()[0].isdigit() else value.strip()
    return found


def fields(text):
    return {line.split(":")[0]: int(line.split(":")[1].split()[0]) for line in text.splitlines()
            if re.match(r"^[\w()]+:\s+\d+( kB)?$", line)}


def same_order(ours, theirs):
    """Are the names that both have in the same order, and do they have all of ours?"""
    return all(name in theirs for name in ours) and \
        [name for name in theirs if name in ours] == ours


def columns(text):
    """The shape of each line: where the number ends, and its unit."""
    return {line.split(":")[0]: (len(line.rstrip(" kB")), line.endswith(" kB"))
            for line in text.splitlines() if re.match(r"^[\w()]+:\s+\d{1,8}( kB)?$", line)}


def against_linux(trace):
    smaps = areas(proc(trace, "/proc/1/smaps"))
    theirs = real("/proc/self/smaps")
    if theirs is None:
        print("skip against_linux there is no /proc here")
        return
    wanted = areas(theirs)[0][5]
    report("smaps has Linux's fields in their order", all(a[5] == wanted for a in smaps) or
           not wanted[-1] == "VmFlags", f"{smaps[0][5]} {wanted}")
    ours, theirs = (columns(t) for t in (proc(trace, "/proc/1/smaps"), theirs))
    bad = [n for n in ours if n in theirs and ours[n] != theirs[n]]
    report("smaps has Linux's columns", not bad, str(bad))
    for path, real_path in (("/proc/meminfo", "/proc/meminfo"), ("/proc/1/status",
                                                                 "/proc/self/status")):
        text, other = proc(trace, path), real(real_path)
        ours = [line.split(":")[0] for line in text.splitlines()]
        names = [line.split(":")[0] for line in other.splitlines()]
        report(f"{path} has Linux's names in their order", same_order(ours, names),
               f"{[n for n in ours if n not in names]}")
        a, b = columns(text), columns(other)
        bad = [(n, a[n], b[n]) for n in a if n in b and n.startswith(("Vm", "Mem", "Hu", "Swap"))
               and a[n] != b[n]]
        report(f"{path} has Linux's columns", not bad, str(bad))
    ours = [line.split()[0] for line in proc(trace, "/proc/vmstat").splitlines()]
    names = [line.split()[0] for line in real("/proc/vmstat").splitlines()]
    report("vmstat has Linux's names in their order", same_order(ours, names),
           str([n for n in ours if n not in names]))
    shape = re.sub(r"\d+", "N", re.sub(r" +", " ", proc(trace, "/proc/buddyinfo"))).strip()
    lines = [re.sub(r"\d+", "N", re.sub(r" +", " ", line)).strip()
             for line in real("/proc/buddyinfo").splitlines()]
    report("buddyinfo has Linux's columns", shape in lines, f"{shape} {lines}")
    rollup, other = proc(trace, "/proc/1/smaps_rollup"), real("/proc/self/smaps_rollup")
    report("smaps_rollup has Linux's fields", areas(rollup)[0][5] == areas(other)[0][5] and
           rollup.splitlines()[0].index("[rollup]") == other.splitlines()[0].index("[rollup]"))


def among_themselves(trace):
    for pid in (1, 2):
        smaps = areas(proc(trace, f"/proc/{pid}/smaps"))
        maps = [HEAD.match(line) for line in proc(trace, f"/proc/{pid}/maps").splitlines()]
        report(f"smaps lists the areas of maps ({pid})",
               [(a[0], a[1], a[2], a[3]) for a in smaps] ==
               [(int(m[1], 16), int(m[2], 16), m[3], m[7]) for m in maps])
        total = {name: sum(a[4].get(name, 0) for a in smaps) for name in ("Size", "Rss", "Pss",
                                                                          "Anonymous", "Locked")}
        status = fields(proc(trace, f"/proc/{pid}/status"))
        report(f"status adds smaps up ({pid})", total["Rss"] == status["VmRSS"] and
               total["Size"] - 4 == status["VmSize"] and total["Anonymous"] == status["RssAnon"] and
               status["VmRSS"] == status["RssAnon"] + status["RssFile"] + status["RssShmem"],
               f"{total} {status}")
        rollup = areas(proc(trace, f"/proc/{pid}/smaps_rollup"))[0][4]
        report(f"smaps_rollup adds smaps up ({pid})", rollup["Rss"] == total["Rss"] and
               abs(rollup["Pss"] - total["Pss"]) <= len(smaps), f"{rollup} {total}")
        parts = all(a[4]["Rss"] == sum(a[4][n] for n in ("Shared_Clean", "Shared_Dirty",
                                                         "Private_Clean", "Private_Dirty"))
                    for a in smaps)
        report(f"the four parts are the whole ({pid})", parts)
    parent = {a[0]: a[4] for a in areas(proc(trace, "/proc/1/smaps"))}
    # 8 pages written, 1 of them copied by the child; 7 are shared by two. The locked part is apart.
    locked, rest = parent[0x10000000], parent[0x10002000]
    report("Pss is the part of each", locked["Pss"] == 4 + 2 and rest["Pss"] == 6 * 2 and
           locked["Locked"] == 6 and rest["Private_Dirty"] == 0, f"{locked} {rest}")
    report("the frame of zeroes is nobody's", parent[0x30000000]["Rss"] == 0)
    report("flags are told", "lo" in locked["VmFlags"].split() and
           "nr" in parent[0x30000000]["VmFlags"].split() and
           "ms" in parent[0x20000000]["VmFlags"].split())
    memory = fields(proc(trace, "/proc/meminfo"))
    report("meminfo counts each frame once", memory["AnonPages"] == 4 * (8 + 1 + 1) and
           memory["Shmem"] == 12 and memory["MemFree"] + memory["AnonPages"] + memory["Shmem"] +
           memory["PageTables"] == memory["MemTotal"], str(memory))
    blocks = [int(n) for n in proc(trace, "/proc/buddyinfo").split("Normal")[1].split()]
    report("buddyinfo adds up to MemFree",
           4 * sum(n << i for i, n in enumerate(blocks)) == memory["MemFree"])


def pagemap(trace):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pagemap")
        done = memwalk("proc", trace, "--out", path, "/proc/1/pagemap")
        report("pagemap is written", done.returncode == 0, done.stderr)

        def words(va, n):
            with open(path, "rb") as f:
                f.seek(va // 4096 * 8)
                return struct.unpack(f"<{n}Q", f.read(8 * n))
        present = [w >> 63 for w in words(0x10000000, 16)]
        report("pagemap: what was written is present", present == [1] * 8 + [0] * 8, str(present))
        exclusive = [w >> 56 & 1 for w in words(0x10000000, 8)]
        report("pagemap: mapped once is marked", exclusive == [1] + [0] * 7, str(exclusive))
        report("pagemap: shared memory is marked", [w >> 61 & 1 for w in words(0x20000000, 3)] ==
               [1] * 3 and words(0x10000000, 1)[0] >> 61 & 1 == 0)
        frame = words(0x10000000, 1)[0] & (1 << 55) - 1
        told = json.loads(memwalk("walk", "--json", "--pid", "1", trace, "0x10000000").stdout)
        report("pagemap names the frame", f"{frame << 12:x}" in json.dumps(told), f"{frame:x} {told}")
        listed = json.loads(memwalk("proc", "--json", trace, "/proc/1/pagemap").stdout)["pages"]
        report("pagemap as JSON lists the same", {p["va"]: int(p["entry"], 16) for p in listed}
               ["0x10000000"] == words(0x10000000, 1)[0], str(listed[:3]))


def wrong(trace):
    for args, word in (((trace, "/proc/9/maps"), "no such file"), ((trace, "maps"), "/proc/"),
                       ((trace, "/proc/1/pagemap"), "binary"), ((trace, "/proc/9/pagemap"), "process"),
                       (("--out", "/nowhere/x", trace, "/proc/meminfo"), "/nowhere/x")):
        done = memwalk("proc", *args)
        report(f"bad: {' '.join(args[-1:])}", done.returncode == 2 and word in done.stderr,
               done.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "t.json")
        with open(trace, "w", encoding="utf-8") as f:
            json.dump(TRACE, f)
        listed = memwalk("proc", trace).stdout.split()
        report("all files are listed", "/proc/meminfo" in listed and "/proc/2/pagemap" in listed)
        report("self is the process that runs", proc(trace, "/proc/self/status") ==
               proc(trace, "/proc/1/status"))
        values = json.loads(memwalk("proc", "--json", trace, "/proc/1/status").stdout)["fields"]
        report("JSON has the fields", values["VmRSS"] ==
               fields(proc(trace, "/proc/1/status"))["VmRSS"])
        among_themselves(trace)
        pagemap(trace)
        against_linux(trace)
        wrong(trace)


main()
