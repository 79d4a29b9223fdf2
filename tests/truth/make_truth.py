#!/usr/bin/env python3
"""make_truth.py: fresh random traces, replayed natively by the C library of this computer
(native.c) and by memwalk truth; both must tell the same, op by op.

    make_truth.py NATIVE COUNT [SEED]           COUNT random traces
    make_truth.py NATIVE --trace FILE [TOUCH]   one given trace

Needs Debian 12's libc6; with another library it says so and does nothing."""
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time

MEMWALK = os.path.join(os.environ.get("MEMWALK_BUILD", "build/release"), "memwalk")
OTHER_LIBC = 77
KINDS = {"malloc": "m", "calloc": "c", "realloc": "r", "reallocarray": "r", "free": "f",
         "memalign": "G", "posix_memalign": "P", "aligned_alloc": "A", "valloc": "v",
         "pvalloc": "p", "malloc_trim": "t", "mallopt": "o", "write": "W", "read": "R"}


def op_line(op):
    """An op as native reads it: letter, id, two numbers."""
    kind = op["op"]
    first, second = {"malloc": ("size", None), "calloc": ("nmemb", "size"),
                     "realloc": ("size", None), "reallocarray": ("size", None),
                     "memalign": ("alignment", "size"), "posix_memalign": ("alignment", "size"),
                     "aligned_alloc": ("alignment", "size"), "valloc": ("size", None),
                     "pvalloc": ("size", None), "malloc_trim": ("pad", None),
                     "mallopt": ("param", "value"), "write": ("off", "len"),
                     "read": ("off", "len"), "free": (None, None)}[kind]
    return f"{KINDS[kind]} {op.get('id', 0)} {op.get(first, 0)} {op.get(second, 0)}"


# ---- sizes ----

def log_size(rng, low, high):
    return int(low * (high / low) ** rng.random())


def tiny(rng):
    return rng.randrange(0, 200)


def small(rng):
    return rng.randrange(1, 1100)


def classes(rng):
    """Few sizes, so that exact fits are found everywhere."""
    return rng.choice((24, 100, 130, 200, 200, 500, 1000, 1100, 4000))


def log(rng):
    return log_size(rng, 1, 300000)


def bins(rng):
    return rng.choice((rng.randrange(1, 600), log_size(rng, 500, 70000), rng.randrange(900, 1100)))


def large(rng):
    return rng.choice((small(rng), rng.randrange(60000, 140000), rng.randrange(120000, 2500000)))


def edges(rng):
    base = rng.choice((24, 120, 1000, 1008, 1032, 3072, 10736, 45040, 65520, 131048, 163824,
                       262144, 2093056, 2097128, 4194304))
    return max(0, base + rng.randrange(-40, 41))


def huge(rng):
    """Up to 40 MB, or so much that no computer has it: nothing between is ever filled."""
    return rng.choice((tiny(rng), log_size(rng, 100000, 40 << 20), 33550312 + rng.randrange(9000),
                       1 << rng.choice((20, 21, 22, 24, 41, 43, 46, 47, 48, 55, 62, 63)),
                       (1 << 63) + rng.randrange(-64, 64), (1 << 64) - rng.randrange(1, 100000)))


# name: size of a block, weights of the ops, live blocks aimed at, ops
PROFILES = {
    "tiny": (tiny, {"malloc": 6, "free": 5, "realloc": 1}, 200, 1500),
    "small": (small, {"malloc": 6, "free": 5, "calloc": 1}, 300, 2000),
    "classes": (classes, {"malloc": 7, "free": 6, "calloc": 1, "realloc": 0.3}, 250, 2000),
    "log": (log, {"malloc": 6, "free": 6, "realloc": 2, "calloc": 1}, 120, 1500),
    "bins": (bins, {"malloc": 8, "free": 8, "memalign": 1}, 150, 2000),
    "calloc": (bins, {"calloc": 8, "free": 7, "malloc": 2, "malloc_trim": 0.05}, 120, 1500),
    "realloc": (log, {"realloc": 10, "malloc": 2, "free": 3, "reallocarray": 1}, 60, 1500),
    "align": (small, {"memalign": 3, "posix_memalign": 3, "aligned_alloc": 2, "valloc": 1,
                      "pvalloc": 1, "free": 8, "malloc": 2}, 80, 800),
    "mmap": (large, {"malloc": 5, "free": 5, "realloc": 3, "calloc": 1, "memalign": 0.5}, 40, 500),
    "trim": (log, {"malloc": 6, "free": 6, "malloc_trim": 0.3, "calloc": 1}, 80, 1500),
    "touch": (bins, {"malloc": 5, "free": 5, "write": 3, "read": 3, "calloc": 1}, 100, 1500),
    "opts": (bins, {"malloc": 6, "free": 6, "mallopt": 0.3, "calloc": 1, "realloc": 1}, 100, 1500),
    "edges": (edges, {"malloc": 6, "free": 6, "realloc": 3, "calloc": 2, "memalign": 0.3}, 40, 700),
    "huge": (huge, {"malloc": 5, "free": 4, "realloc": 3, "calloc": 2, "posix_memalign": 1,
                    "pvalloc": 0.5}, 25, 200),
}
OPTIONS = {1: (0, 16, 64, 80, 128, 160, 161), -1: (0, 65536, 131072, 1 << 20, 4096),
           -2: (0, 4096, 131072, 262144, 1000), -3: (4096, 65536, 131072, 1 << 20, 1 << 26),
           -4: (0, 2, 65536), -6: (0, 0, 90), -5: (3,), 7: (1,)}
# Values worth trying of each tunable; some are refused, some are written strangely.
TUNABLES = {
    "tcache_count": (0, 1, 2, 100, 65535, 65536), "tcache_max": (0, 8, 128, 500, 1032, 1033),
    "tcache_unsorted_limit": (1, 3, 20), "mxfast": (0, 7, 8, 32, 64, 100, 160, 161),
    "top_pad": (0, 1, 5000, 1048576, 3 << 20), "mmap_threshold": (0, 1, 4096, 32768, 1 << 26),
    "trim_threshold": (0, 4096, 65536, 1 << 22), "mmap_max": (0, 1, 5, 65537, 1 << 31, -1),
    "perturb": (85, 255, 256), "arena_max": (0, 1, 2), "arena_test": (1, 8), "hugetlb": (0, 1, 2),
}
SPELLINGS = ("{}", "{}", "{}", "{:#x}", "{}kB", " {}", "0{:o}")


def tunables_text(rng):
    """One to three settings; a name may come twice."""
    names = [rng.choice(list(TUNABLES)) for _ in range(rng.choice((1, 1, 2, 3)))]
    texts = []
    for name in names:
        values = TUNABLES[name]
        value = rng.choice(values) if rng.random() < 0.7 else rng.randrange(max(values) + 1)
        texts.append(f"glibc.malloc.{name}=" + rng.choice(SPELLINGS).format(value))
    return ":".join(texts)


class Writer:
    """Makes one trace: ids are never used again while they are live."""

    def __init__(self, rng, profile):
        self.rng = rng
        self.size, self.weights, self.aim, self.count = PROFILES[profile]
        self.live, self.next, self.ops = {}, 1, []

    def sized(self):
        return self.size(self.rng) if self.rng.random() < 0.97 else log(self.rng)

    def made(self, **op):
        op["id"] = self.next
        self.live[self.next] = op.get("size", 0) * op.get("nmemb", 1)
        self.next += 1
        self.ops.append(op)

    def new(self, kind):
        if kind == "calloc":
            count = self.rng.choice((1, 1, 3, 8))
            self.made(op=kind, nmemb=count, size=self.sized() // count)
        elif kind in ("memalign", "posix_memalign", "aligned_alloc"):
            alignment = 1 << self.rng.randrange(3, 13)
            if self.rng.random() < 0.1:
                alignment = self.rng.choice((1 << 16, 1 << 20, 24, 48, 100, 0, 1, 3000))
            self.made(op=kind, alignment=alignment, size=self.sized())
        else:
            self.made(op=kind, size=self.sized())

    def other(self, kind):
        rng = self.rng
        if kind == "malloc_trim":
            self.ops.append({"op": kind, "pad": rng.choice((0, 0, 4096, 100000))})
        elif kind == "mallopt":
            param = rng.choice(list(OPTIONS))
            self.ops.append({"op": kind, "param": param, "value": rng.choice(OPTIONS[param])})
        elif self.live:
            self.on_block(kind, rng.choice(list(self.live)))

    def on_block(self, kind, block):
        size = self.live[block]
        if kind == "free":
            del self.live[block]
            self.ops.append({"op": kind, "id": block})
        elif kind in ("realloc", "reallocarray"):
            new = self.sized() if self.rng.random() < 0.5 else max(0, size + self.rng.randrange(
                -size // 4 - 1, size // 2 + 200))
            new = min(new, (1 << 64) - 1)
            if new:
                self.live[block] = new
            else:
                del self.live[block]
            self.ops.append({"op": "realloc", "id": block, "size": new})
        elif 0 < size < 1 << 20 and block not in self.unsure:
            start = self.rng.randrange(size)
            self.ops.append({"op": kind, "id": block, "off": start,
                             "len": self.rng.randrange(1, size - start + 1)})

    unsure = ()

    def write(self):
        kinds, weights = zip(*self.weights.items())
        while len(self.ops) < self.count:
            kind = self.rng.choices(kinds, weights)[0]
            if kind == "free" and len(self.live) < self.rng.randrange(self.aim):
                kind = "malloc"
            if len(self.live) > 2 * self.aim:
                kind = "free"
            if kind in ("malloc", "calloc", "memalign", "posix_memalign", "aligned_alloc",
                        "valloc", "pvalloc"):
                self.new(kind)
            else:
                self.other(kind)
        if self.rng.random() < 0.5:
            for block in list(self.live):
                self.on_block("free", block)
        return self.ops


# ---- comparing ----

def native(program, ops, touch, prefix, tunables):
    """Both native runs; false: another C library."""
    with open(f"{prefix}.ops", "w", encoding="ascii") as file:
        file.write("\n".join(op_line(op) for op in ops) + "\n")
    environment = {"GLIBC_TUNABLES": tunables} if tunables else {}
    for call in ([program, f"{prefix}.ops", touch, prefix],
                 [program, "--sys", f"{prefix}.ops", touch, f"{prefix}.sys"]):
        status = subprocess.run(call, env=environment, check=False).returncode
        if status == OTHER_LIBC:
            return False
        if status:
            sys.exit(f"make_truth: {' '.join(call)} ended with {status}")
    return True


def ram():
    """Bytes that this computer's overcommit rule goes by: RAM and swap."""
    with open("/proc/meminfo", encoding="ascii") as file:
        sizes = dict(re.findall(r"(\w+):\s+(\d+) kB", file.read()))
    return 1024 * (int(sizes["MemTotal"]) + int(sizes["SwapTotal"]))


def compare(program, ops, touch, prefix, tunables):
    """(lines compared, what differs or "") or None: another C library."""
    if not native(program, ops, touch, prefix, tunables):
        return None
    with open(f"{prefix}.jsonl", "w", encoding="ascii") as file:
        file.write("\n".join(json.dumps(op) for op in ops) + "\n")
    call = [MEMWALK, "truth", f"{prefix}.jsonl", f"--touch={touch}", f"--against={prefix}",
            f"--ram={ram()}"]
    if tunables:
        call.append(f"--tunables={tunables}")
    run = subprocess.run(call, capture_output=True, text=True, check=False)
    lines = sum(int(n) for n in re.findall(r"^\w+: (\d+) (?:lines|figures)", run.stdout, re.M))
    same = run.returncode == 0 and run.stdout.count("the same") == 6
    return lines, "" if same else " ".join(call) + "\n" + run.stdout + run.stderr


def compare_calm(program, ops, touch, prefix, tunables):
    """compare, again where huge pages are asked for and something differs: khugepaged then makes
    some by its own clock, now and then in the middle of a native replay."""
    for _ in range(3 if "hugetlb" in tunables else 1):
        result = compare(program, ops, touch, prefix, tunables)
        if result is None or not result[1]:
            break
    return result


def make(seed):
    """Trace, mode and tunables of a seed."""
    rng = random.Random(seed)
    profile = list(PROFILES)[seed % len(PROFILES)]
    tunables = ""
    if rng.random() < 0.5:
        tunables = tunables_text(rng)
    ops = Writer(rng, profile).write()
    return profile, ops, rng.choice(("none", "all")) if profile != "huge" else "none", tunables


def read_trace(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        ops = [json.loads(line) for line in file if '"op"' in line]
    return [op for op in ops if op["op"] in KINDS]


def other_library():
    print("skip make_truth this computer's C library is not Debian 12's libc6 2.36-9+deb12u14")


def random_traces(program, count, seed, folder):
    start, lines, ops_done, bad = time.time(), 0, 0, 0
    for i in range(count):
        profile, ops, touch, tunables = make(seed + i)
        result = compare_calm(program, ops, touch, os.path.join(folder, "t"), tunables)
        if result is None:
            other_library()
            return 0
        lines += result[0]
        ops_done += len(ops)
        if result[1]:
            bad += 1
            print(f"seed {seed + i}, {profile}, touch {touch}, tunables '{tunables}':\n{result[1]}")
            if bad == 3:
                break
    print(f"truth: {count} fresh traces (seeds {seed} to {seed + count - 1}), {ops_done} ops, "
          f"{lines} lines compared with the native replay, {bad} traces differ, "
          f"{time.time() - start:.0f} s")
    return 1 if bad else 0


def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[2] == "--trace":
            touch = sys.argv[4] if len(sys.argv) > 4 else "none"
            result = compare(program, read_trace(sys.argv[3]), touch,
                             os.path.join(folder, "t"), os.environ.get("GLIBC_TUNABLES", ""))
            if result is None:
                other_library()
                return 0
            print(result[1] or f"{sys.argv[3]}: {result[0]} lines, the same")
            return 1 if result[1] else 0
        seed = int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time()) % 1000000 * 1000
        return random_traces(program, int(sys.argv[2]), seed, folder)


sys.exit(main())
