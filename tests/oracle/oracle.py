#!/usr/bin/env python3
"""oracle.py: random accesses through random page tables, made by QEMU and by memwalk; both must
agree on the fault or on what is read and written, and on every entry of the tables afterwards.

    oracle.py [--cases N] [--seed S] [--keep DIR]

QEMU (tcg) runs rom.S, which makes each access for real and notes the outcome; memwalk gets the same
physical memory and the same registers. The tables are drawn here, from the manual's bit numbers,
and know nothing of the simulator. Each case has entries and data of its own, so that all cases of a
batch share one image of memory: what one access changes, no other looks at.

What is drawn: 4 and 5 levels; pages of 4 KiB, 2 MiB and 1 GiB; every flag of every entry, keys,
reserved bits, entries and pages outside of RAM; CR0.WP, CR4.PGE SMEP SMAP PKE LA57, EFER.NXE,
EFLAGS.AC, PKRU; CPL 0 and 3; reads and writes of 1 to 8 bytes and fetches, also across pages and
by addresses that are not canonical.

Known of QEMU 7.2, and allowed for: P is missing in the error code of reserved bits (8 for 9); the
A bits of walks that fault are not compared; it has 40 physical address bits; beyond RAM it reads
zeroes; it looks whether an address is canonical page by page and after the first page's
translation, so no access here crosses the end of the canonical addresses.
"""
import argparse
import json
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MEMWALK = os.path.join(os.environ.get("MEMWALK_BUILD", "build/release"), "memwalk")
QEMU = "qemu-system-x86_64"
BATCH = 20000

GIB = 1 << 30
RAM = GIB + (64 << 20)          # some pages of 1 GiB have their frame at 1 GiB
CASES = 16 << 20                # the list of cases
ROOTS = {4: range(32 << 20, 33 << 20, 8192), 5: range((32 << 20) + 4096, 33 << 20, 8192)}
POOL = range(33 << 20, 41 << 20, 4096)  # tables of all other levels
DATA = [(64 << 20, 96 << 20), (GIB, GIB + (32 << 20))]
WINDOW = 0xffffffff80000000     # where the ROM sees RAM
CASE = struct.Struct("<QQQQIBBBBQQ")  # and what comes of it, from byte 64 on
CASE_BYTES = 128

P, RW, US, PS, PAT_LARGE, XD = 1, 2, 4, 1 << 7, 1 << 12, 1 << 63
WORDS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}


# ---- what the ROM needs in RAM ----

def put(ram, pa, value):
    struct.pack_into("<Q", ram, pa, value)


def get(ram, pa):
    return struct.unpack_from("<Q", ram, pa)[0]


def put_rom_tables(ram):
    """0x1000 and 0x2000: the ROM's roots with 4 and 5 levels; 0x3000 what the kernel, 0x4000 what
    CPL 3 sees; 0x5000 and 0x6000: these two a level higher; 0x9000, 0xa000: the lowest GiBs as they
    are, for the start."""
    put(ram, 0x1000, 0xa003)
    put(ram, 0x2000, 0x9003)
    put(ram, 0x9000, 0xa003)
    for i in range(4):
        put(ram, 0xa000 + 8 * i, i * GIB | PS | RW | P)
    put(ram, 0x3000 + 8 * 510, PS | RW | P)
    put(ram, 0x3000 + 8 * 511, 3 * GIB | PS | RW | P)
    put(ram, 0x4000, 3 * GIB | PS | US | P)
    put(ram, 0x5000 + 8 * 511, 0x3003)
    put(ram, 0x6000 + 8 * 510, 0x4000 | US | P)
    put_rom_entries(ram, 0x1000, 4)
    put_rom_entries(ram, 0x2000, 5)


def put_rom_entries(ram, root, levels):
    put(ram, root + 8 * 510, (0x4000 if levels == 4 else 0x6000) | US | P)
    put(ram, root + 8 * 511, (0x3000 if levels == 4 else 0x5000) | RW | P)


def put_descriptors(ram):
    tss = WINDOW + 0x8100
    gdt = [0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff, 0, 0x00cff3000000ffff,
           0x00affb000000ffff,
           0x67 | (tss & 0xffffff) << 16 | 0x89 << 40 | (tss >> 24 & 0xff) << 56, tss >> 32]
    for i, descriptor in enumerate(gdt):
        put(ram, 0x8000 + 8 * i, descriptor)
    put(ram, 0x8104, WINDOW + 0xf000)  # RSP0
    for vector in range(256):
        handler = 0xffffffffffff0000 + 16 * vector
        put(ram, 0x7000 + 16 * vector, handler & 0xffff | 0x18 << 16 | 0xee00 << 32
            | (handler >> 16 & 0xffff) << 48)
        put(ram, 0x7008 + 16 * vector, handler >> 32)


def put_header(ram, levels, count, first):
    user = 0xffffff0000000000 if levels == 4 else 0xfffeff0000000000
    for i, word in enumerate([0x20 if levels == 4 else 0x1020, 0x1000 if levels == 4 else 0x2000,
                              count, first, user]):
        put(ram, 0x10000 + 8 * i, word)


# ---- drawing a case ----

class Taken(Exception):
    """Something else has this entry already: draw again."""


class Case:
    """The registers, the access, the entries {pa: value}, and the data: [(pa, bytes), …]."""

    def __init__(self, rng, levels):
        self.levels = levels
        self.cr3 = rng.choice(ROOTS[levels])
        self.slots = {}
        self.places = {}  # pa: the level and the addresses that the entry is for
        self.tables = {}
        self.draw_registers(rng)

    def draw_registers(self, rng):
        bit = rng.getrandbits
        self.cr0 = 0x80000031 | bit(1) << 16
        self.cr4 = 0x20 | bit(1) << 7 | (bit(1) & bit(1)) << 20 | (bit(1) & bit(1)) << 21 \
            | bit(1) << 22 | (self.levels == 5) << 12
        self.efer = 0x500 | (bit(2) != 0) << 11
        self.pkru = rng.choice([0, 0, bit(32), bit(32) & bit(32), 0x55555554])
        self.cpl = 3 * bit(1)
        self.ac = bit(1)
        self.how = rng.choice("rrwwx")
        self.size = 2 if self.how == "x" else rng.choice([1, 2, 4, 8])
        self.value = bit(64)

    def kind(self):
        order = {1: 0, 2: 1, 4: 2, 8: 3}[self.size]
        return {"r": order, "w": 4 + order, "x": 8}[self.how]


def draw_flags(rng, leaf_level):
    """Flags of an entry; leaf_level 0: it names a table."""
    bit = rng.getrandbits
    e = bit(7) << 52 | bit(3) << 9 | bit(4) << 59 | bit(4) << 3 | bit(1) << 8
    if leaf_level == 1:
        e |= bit(1) << 7  # PAT
    e |= (rng.random() < 0.98) * P | (rng.random() < 0.88) * RW | (rng.random() < 0.85) * US
    return e | (rng.random() < 0.05) * XD


def draw_reserved(rng, level, leaf):
    """Mostly none; else one bit that must be 0 with 40 physical address bits."""
    if rng.random() > 0.015:
        return 0
    bits = [1 << n for n in range(40, 52)]
    if level >= 4:
        bits += [PS] * 6
    if leaf and level > 1:
        bits += [1 << n for n in range(13, 12 + 9 * (level - 1))]
    return rng.choice(bits)


class Batch:
    """Draws cases; all of them together have every entry and every byte at most once."""

    def __init__(self, rng, ram):
        self.rng = rng
        self.ram = ram
        self.used = set()
        self.next_data = [low for low, _ in DATA]
        self.cases = []

    def space(self, crossing):
        """Physical address for 16 bytes of data; crossing: 8 of them end a frame."""
        area = self.rng.randrange(2)
        at = self.next_data[area]
        if crossing:
            at = (at + 4095) // 4096 * 4096 + 4096 - 8
        self.next_data[area] = at + 16
        if at + 16 > DATA[area][1]:
            raise MemoryError("no more room for data: fewer cases in a batch")
        return at

    def table(self, case, level, va):
        """The table of this level that translates va, chosen when it is first needed."""
        if level == case.levels:
            return case.cr3
        key = level, va >> 12 + 9 * level
        if key not in case.tables:
            case.tables[key] = self.rng.choice(POOL)
        return case.tables[key]

    def translate_to(self, case, va, leaf_level, frame):
        """Entries from the root down to one that maps the page of va to frame (its low bits 0)."""
        rng = self.rng
        for level in range(case.levels, leaf_level - 1, -1):
            index = va >> 12 + 9 * (level - 1) & 511
            pa = self.table(case, level, va) + 8 * index
            place = level, va >> 12 + 9 * (level - 1)
            if case.places.setdefault(pa, place) != place:
                raise Taken  # the case has the same table twice, and the same entry of it
            if pa in case.slots:
                if level == leaf_level or case.slots[pa][1]:
                    return  # the page is mapped already, or the walk ends here
                continue
            if pa in self.used:
                raise Taken
            leaf = level == leaf_level
            e = draw_flags(rng, leaf_level if leaf else 0) ^ draw_reserved(rng, level, leaf)
            if not leaf and rng.random() < 0.003:
                e |= rng.randrange(4 * GIB, 1 << 40, 4096)  # a table where there is no RAM
                case.slots[pa] = e, True
                return
            if not leaf:
                case.slots[pa] = e | self.table(case, level - 1, va), False
                continue
            if level > 1:
                e |= PS | rng.getrandbits(1) * PAT_LARGE
            case.slots[pa] = e | frame, True

    def draw_address(self, case, low, bits):
        """A canonical address with these low bits; the ROM's own entries of the root stay out."""
        top = 12 + 9 * (case.levels - 1)
        va = self.rng.randrange(510) << top | self.rng.getrandbits(top) >> bits << bits | low
        return va | (-1 << top + 9 if va >> top + 8 else 0) & (1 << 64) - 1

    def draw(self, levels):
        rng = self.rng
        case = Case(rng, levels)
        level = rng.choice([1, 1, 1, 2, 2, 3])
        bits = 12 + 9 * (level - 1)
        crossing = case.size > 1 and rng.random() < 0.2
        pa = self.space(crossing)
        before = rng.randrange(1, case.size) if crossing else 0
        start = pa + (8 - before if crossing else rng.randrange(17 - case.size))
        outside = case.how != "x" and not crossing and rng.random() < 0.01
        case.va = self.draw_address(case, start & (1 << bits) - 1, bits)
        case.data = [(start, rng.randbytes(before or case.size))]
        frame = start >> bits << bits
        if outside:
            frame = rng.randrange(4 * GIB, 1 << 40, 1 << bits)
            case.data = []
        self.translate_to(case, case.va, level, frame)
        if crossing:
            self.draw_rest(case, start, before, bits, level)
        if case.how == "x":
            self.put_instruction(case)
        if rng.random() < 0.01:
            self.spoil(case)
        return case

    def draw_rest(self, case, start, before, bits, level):
        """The part of the access in the next page, or in the next 4 KiB of a large one."""
        rng = self.rng
        rest = case.size - before
        va = case.va + before
        if va >> 12 + 9 * (case.levels - 1) & 511 >= 510:
            raise Taken
        if va & (1 << bits) - 1:
            case.data.append((start + before, rng.randbytes(rest)))
            return
        level = rng.choice([1, 1, level])
        bits = 12 + 9 * (level - 1)
        pa = self.space(True) + 8
        if pa & (1 << bits) - 1:
            level, bits = 1, 12
        case.data.append((pa, rng.randbytes(rest)))
        self.translate_to(case, va, level, pa)

    def put_instruction(self, case):
        """INT n, n from 0x21: what a jump that succeeds finds."""
        case.value = self.rng.randrange(0x21, 0x100)
        code = bytes([0xcd, case.value])
        data, case.data = case.data, []
        for pa, was in data:
            case.data.append((pa, code[:len(was)]))
            code = code[len(was):]

    def spoil(self, case):
        """An address that is not canonical, not even in its last byte."""
        top = 12 + 9 * case.levels
        case.va ^= 1 << self.rng.randrange(top, 64)
        if case.va >> top - 1 in (0, (1 << 65 - top) - 1):
            raise Taken

    def add(self, levels):
        while True:
            try:
                case = self.draw(levels)
                if self.used.isdisjoint(case.slots):
                    break
            except Taken:
                pass
        self.used.update(case.slots)
        for pa, (value, _) in case.slots.items():
            put(self.ram, pa, value)
        for pa, data in case.data:
            self.ram[pa:pa + len(data)] = data
        self.cases.append(case)


# ---- running both ----

def assemble(folder):
    def run(*args):
        subprocess.run(args, check=True, cwd=folder)
    run("as", "--64", os.path.join(HERE, "rom.S"), "-o", "rom.o")
    run("ld", "-e", "0xfffffff0", "-Ttext=0xffff0000", "--oformat=binary", "rom.o", "-o", "rom.bin")


def run_qemu(folder, image):
    done = subprocess.run(
        [QEMU, "-accel", "tcg", "-cpu", "max", "-machine", "pc,memory-backend=m",
         "-m", str(RAM >> 20), "-object",
         f"memory-backend-file,id=m,size={RAM},mem-path={image},share=on",
         "-bios", os.path.join(folder, "rom.bin"), "-nodefaults", "-display", "none", "-no-reboot",
         "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 43:  # what rom.S ends with
        raise RuntimeError(f"{QEMU} ended with {done.returncode}: {done.stderr}")


def write_cases(ram, cases, first):
    for i, c in enumerate(cases):
        CASE.pack_into(ram, first + CASE_BYTES * i, c.cr3, c.cr0, c.cr4, c.efer, c.pkru, c.cpl, c.ac,
                       0, c.kind(), c.va, c.value)


def run_memwalk(folder, image, cases):
    path = os.path.join(folder, "cases.jsonl")
    with open(path, "w", encoding="ascii") as file:
        for c in cases:
            file.write(f'{{"cr0":{c.cr0},"cr3":{c.cr3},"cr4":{c.cr4},"efer":{c.efer},'
                       f'"pkru":{c.pkru},"ac":{c.ac},"cpl":{c.cpl},"maxphyaddr":40,'
                       f'"access":"{c.how}","va":{c.va},"size":{c.size}}}\n')
    done = subprocess.run([MEMWALK, "translate", "--ram", image, "--cases", path],
                          stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(cases):
        raise RuntimeError(f"{len(answers)} answers to {len(cases)} cases")
    return answers


# ---- comparing ----

def differs(ram, case, answer, at):
    """What QEMU did otherwise than memwalk says; None: nothing."""
    vector, error, cr2, value = struct.unpack_from("<QQQQ", ram, at + 64)
    if "vector" in answer:
        wanted = answer["error"] & ~1 if answer["error"] & 8 else answer["error"]
        if (vector, error) != (answer["vector"], wanted):
            return f"vector {vector} error {error:#x}"
        if vector == 14 and cr2 != int(answer["cr2"], 16):
            return f"cr2 {cr2:#x}"
        return data_differs(ram, case.data)
    if vector != (case.value if case.how == "x" else 0x20):
        return f"vector {vector} error {error:#x} cr2 {cr2:#x}"
    return success_differs(ram, case, answer, value)


def success_differs(ram, case, answer, value):
    where = [int(answer[name], 16) for name in ("pa", "pa2") if name in answer]
    if case.data and where != [pa for pa, _ in case.data][:len(where)]:
        return f"the data are at {[hex(pa) for pa, _ in case.data]}"
    data = b"".join(part for _, part in case.data) or bytes(case.size)
    if case.how == "r" and value != int.from_bytes(data, "little"):
        return f"it read {value:#x}, not {data[::-1].hex()}"
    if case.how == "w":
        data = case.value.to_bytes(8, "little")[:case.size]
        length = len(case.data[0][1]) if case.data else 0
        case.data = [(pa, data[length * i:][:len(part)]) for i, (pa, part) in enumerate(case.data)]
    entries = {pa: value for pa, (value, _) in case.slots.items()}
    for pa, before, after in answer["entries"]:
        pa = int(pa, 16)
        if entries.get(pa) != int(before, 16):
            return f"memwalk changed the entry at {pa:#x}, which is not of this case"
        entries[pa] = int(after, 16)
    for pa, after in entries.items():
        if get(ram, pa) != after:
            return f"the entry at {pa:#x} is {get(ram, pa):#x}, not {after:#x}"
    return data_differs(ram, case.data)


def data_differs(ram, data):
    for pa, part in data:
        if ram[pa:pa + len(part)] != part:
            return f"the bytes at {pa:#x} are {ram[pa:pa + len(part)].hex()}, not {part.hex()}"
    return None


def describe(case, answer, problem):
    shown = {k: hex(v) if isinstance(v, int) else v for k, v in vars(case).items()
             if k not in ("slots", "tables", "data")}
    entries = [f"{pa:#x}: {value:#018x}" for pa, (value, _) in case.slots.items()]
    return f"{shown}\n  entries {entries}\n  memwalk {answer}\n  QEMU    {problem}"


def tally(counts, answer):
    if "pa" in answer:
        name = "two pages" if "pa2" in answer else "one page"
    else:
        name = f"#PF {answer['error']:#x}" if answer["vector"] == 14 else f"#{answer['vector']}"
    counts[name] = counts.get(name, 0) + 1


def run_batch(folder, seed, count, counts):
    """Draws, runs and compares; returns what differs."""
    image = os.path.join(folder, "ram.img")
    with open(image, "wb") as file:
        file.truncate(RAM)
    with open(image, "r+b") as file, mmap.mmap(file.fileno(), RAM) as ram:
        batch = Batch(random.Random(seed), ram)
        put_rom_tables(ram)
        for levels, roots in ROOTS.items():
            for root in roots:
                put_rom_entries(ram, root, levels)
        for i in range(count):
            batch.add(4 if i < count // 2 else 5)
        write_cases(ram, batch.cases, CASES)
        answers = run_memwalk(folder, image, batch.cases)
        first = CASES
        for levels, number in ((4, count // 2), (5, count - count // 2)):
            put_descriptors(ram)  # LTR marks the TSS as busy
            put_header(ram, levels, number, first)
            run_qemu(folder, image)
            first += CASE_BYTES * number
        problems = []
        for i, (case, answer) in enumerate(zip(batch.cases, answers)):
            tally(counts, answer)
            problem = differs(ram, case, answer, CASES + CASE_BYTES * i)
            if problem:
                problems.append(describe(case, answer, problem))
        return problems


def main():
    parser = argparse.ArgumentParser(description="memwalk against QEMU: random translations")
    parser.add_argument("--cases", type=int, default=BATCH)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="a folder for the image and the cases of the last batch")
    args = parser.parse_args()
    counts, problems, done, start = {}, 0, 0, time.time()
    with tempfile.TemporaryDirectory() as tmp:
        folder = args.keep or tmp
        os.makedirs(folder, exist_ok=True)
        assemble(folder)
        while done < args.cases:
            number = min(BATCH, args.cases - done)
            found = run_batch(folder, f"{args.seed}.{done}", number, counts)
            done += number
            for text in found[:5]:
                print(text, file=sys.stderr)
            problems += len(found)
            if args.cases > BATCH:
                print(f"oracle: {done} cases, {problems} differences, {time.time() - start:.0f} s",
                      file=sys.stderr, flush=True)
    for name, count in sorted(counts.items()):
        print(f"  {count:8d}  {name}")
    print(f"oracle: {done} cases, {problems} differences, {time.time() - start:.1f} s")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    if not shutil.which(QEMU):
        sys.exit(f"oracle: {QEMU} is not installed")
    main()
