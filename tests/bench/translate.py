#!/usr/bin/env python3
"""translate.py: how many cases 'memwalk translate' does in a second of processor time.

The peer, measured in the same run, is Python's json module (written in C) reading the same lines
and doing nothing else with them."""
import json
import os
import random
import resource
import statistics
import struct
import subprocess
import tempfile
import time

MEMWALK = os.path.join(os.environ.get("MEMWALK_BUILD", "build/release"), "memwalk")
CASES, RUNS, GOAL = 200000, 5, 200000


def make(folder):
    """Four levels that map 64 pages of all kinds, and accesses to them under random registers."""
    rng = random.Random(1)
    ram = bytearray(1 << 20)
    for pa, entry in ((0x1008, 0x2007), (0x2010, 0x3007), (0x3018, 0x4007)):
        ram[pa:pa + 8] = struct.pack("<Q", entry)
    for i in range(64):
        entry = 0x10000 + 0x1000 * i | rng.getrandbits(9) | rng.getrandbits(4) << 59 | 1
        ram[0x4000 + 8 * i:0x4008 + 8 * i] = struct.pack("<Q", entry)
    with open(f"{folder}/ram", "wb") as file:
        file.write(ram)
    with open(f"{folder}/cases", "w", encoding="ascii") as file:
        for _ in range(CASES):
            va = 1 << 39 | 2 << 30 | 3 << 21 | rng.randrange(63 * 4096)
            file.write(json.dumps({
                "cr0": rng.choice(("0x80010001", "0x80000001")), "cr3": "0x1000",
                "cr4": rng.choice(("0x20", "0x300020", "0x400020")), "efer": "0xd01",
                "pkru": rng.getrandbits(32), "pkrs": 0, "ac": rng.getrandbits(1),
                "maxphyaddr": 46, "cpl": rng.choice((0, 3)), "access": rng.choice("rwx"),
                "va": hex(va), "size": rng.choice((1, 2, 4, 8))}) + "\n")


def memwalk(folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(os.devnull, "wb") as out:
        subprocess.run([MEMWALK, "translate", "--ram", f"{folder}/ram", "--cases",
                        f"{folder}/cases"], stdout=out, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return CASES / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def peer(folder):
    with open(f"{folder}/cases", encoding="ascii") as file:
        lines = file.readlines()
    start = time.process_time()
    for line in lines:
        json.loads(line)
    return CASES / (time.process_time() - start)


def main():
    with tempfile.TemporaryDirectory() as folder:
        make(folder)
        ours, theirs = zip(*((memwalk(folder), peer(folder)) for _ in range(RUNS)))
    print(f"thousand cases per second of processor time, min median max of {RUNS} runs of {CASES}")
    for name, rates in (("memwalk translate", ours), ("json.loads alone", theirs)):
        print(f"{name:18}", *(f"{r / 1000:6.0f}" for r in (min(rates), statistics.median(rates),
                                                           max(rates))))
    print(f"goal {GOAL / 1000:.0f}:", "reached" if statistics.median(ours) >= GOAL else "missed")


main()
