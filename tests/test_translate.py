#!/usr/bin/env python3
"""test_translate.py: 'memwalk translate' against translations done by hand, and what it says of
lines that are wrong. The tables below are written out by number; nothing is taken from the code."""
import json
import os
import struct
import subprocess
import tempfile

MEMWALK = os.path.join(os.environ.get("MEMWALK_BUILD", "build/release"), "memwalk")
# Index 1, 2, 3, 4 of the PML4, PDPT, PD, PT: 0x8080604000.
VA = 1 << 39 | 2 << 30 | 3 << 21 | 4 << 12
TABLES = {
    0x1008: 0x2007, 0x2010: 0x3007, 0x3018: 0x4007,  # down to the page table
    0x4020: 0x12345007 | 1 << 63,                    # writable, user, execute-disable
    0x4028: 0x6005,                                  # the next page: user, read only
    0x4030: 0x7007 | 3 << 59,                        # protection key 3
    0x4038: 0x8001,                                  # supervisor
    0x4040: 0x9007 | 1 << 46,                        # above 46 physical bits
    0x3020: 0x00e00083 | 4 | 1 << 12,                # index 4 of the PD: 2 MiB with PAT
    0x3028: 0x00e02087,                              # bit 13 of a 2 MiB page is reserved
    0x2018: 0x40000087,                              # index 3 of the PDPT: 1 GiB
    0x9008: 0x1007,                                  # a PML5 whose entry 1 is this PML4
    0x10000: 0x11007, 0x11000: 0x12007, 0x12000: 0xb7,  # an EPT: the first 2 MiB as they are
    0x11008: 2,                                         # and an entry that is only writable
}
LOWER = [[0x1008, 0x2007, 0x2027], [0x2010, 0x3007, 0x3027], [0x3018, 0x4007, 0x4027]]


def report(name, good, why=""):
    print(("ok " if good else "not ok ") + name)
    if not good:
        print(why)


def case(va=VA, access="r", **more):
    return {"cr3": "0x1000", "va": hex(va & (1 << 64) - 1), "access": access, **more}


def pf(error, cr2):
    return {"vector": 14, "error": error, "cr2": cr2}


# What happens, the case, the answer without its entries (numbers for texts).
BY_HAND = [
    ("a byte is read", case(VA + 0x123), {"pa": 0x12345123}),
    ("two pages are read", case(VA + 0xffe, size=4), {"pa": 0x12345ffe, "pa2": 0x6000}),
    ("a write crosses into a read-only page", case(VA + 0xffe, "w", size=4), pf(7, VA + 0x1000)),
    ("the same in the kernel without WP", case(VA + 0xffe, "w", size=4, cpl=0, cr0="0x80000001"),
     {"pa": 0x12345ffe, "pa2": 0x6000}),
    ("XD stops a fetch", case(VA, "x"), pf(0x15, VA)),
    ("XD is reserved without NXE", case(VA, "r", efer=0x500), pf(0xd, VA)),
    ("without NXE and SMEP a fetch looks like a read", case(VA, "x", efer=0x500), pf(0xd, VA)),
    ("nothing there", case(VA + 0x100000), pf(4, VA + 0x100000)),
    ("supervisor page", case(VA + 0x3000), pf(5, VA + 0x3000)),
    ("supervisor page at CPL 2", case(VA + 0x3000, cpl=2), {"pa": 0x8000}),
    ("implicit access from CPL 3", case(VA + 0x3000, implicit=True), {"pa": 0x8000}),
    ("SMAP", case(VA, cpl=0, cr4="0x200020"), pf(1, VA)),
    ("SMAP with AC", case(VA, cpl=0, cr4="0x200020", ac=1), {"pa": 0x12345000}),
    ("AC does not excuse an implicit access", case(VA, cpl=0, cr4="0x200020", ac=1, implicit=1),
     pf(1, VA)),
    ("SMEP", case(VA + 0x1000, "x", cpl=0, cr4="0x100020"), pf(0x11, VA + 0x1000)),
    ("PKRU: access disabled", case(VA + 0x2000, cr4="0x400020", pkru=1 << 6), pf(0x25, VA + 0x2000)),
    ("PKRU: write disabled, read", case(VA + 0x2000, cr4="0x400020", pkru=2 << 6), {"pa": 0x7000}),
    ("PKRU: write disabled, write", case(VA + 0x2000, "w", cr4="0x400020", pkru=2 << 6),
     pf(0x27, VA + 0x2000)),
    ("PKRU without PKE", case(VA + 0x2000, pkru=3 << 6), {"pa": 0x7000}),
    ("PKRU stops no fetch", case(VA + 0x2000, "x", cr4="0x400020", pkru=3 << 6), {"pa": 0x7000}),
    ("IA32_PKRS", case(VA + 0x3000, cpl=0, cr4="0x1000020", pkrs=1), pf(0x21, VA + 0x3000)),
    ("MAXPHYADDR 46", case(VA + 0x4000), pf(0xd, VA + 0x4000)),
    ("MAXPHYADDR 47", case(VA + 0x4000, maxphyaddr=47), {"pa": 0x400000009000}),
    ("2 MiB", case(VA + 0x1ff000), {"pa": 0xe03000}),
    ("2 MiB with a reserved bit", case(VA + 0x3fc000), pf(0xd, VA + 0x3fc000)),
    ("1 GiB", case(1 << 39 | 3 << 30 | 0x3fffffff), {"pa": 0x7fffffff}),
    ("not canonical", case(1 << 47), {"vector": 13, "error": 0, "cr2": 0}),
    ("not canonical, by SS", case(1 << 47, stack=1), {"vector": 12, "error": 0, "cr2": 0}),
    ("not canonical with five levels, by SS", case(1 << 56, cr4=0x1020, stack=1),
     {"vector": 12, "error": 0, "cr2": 0}),
    ("canonical with five levels, by SS", case(1 << 55, cr4=0x1020, stack=1),
     {"vector": 14, "error": 4, "cr2": 1 << 55}),
    ("#GP before #PF where the end is not canonical", case((1 << 47) - 1, size=2),
     {"vector": 13, "error": 0, "cr2": 0}),
    ("the end of the address space", case(-1, size=2), pf(4, (1 << 64) - 1)),
    ("5 levels", {**case(VA | 1 << 48, cr4=0x1020), "cr3": 0x9000}, {"pa": 0x12345000}),
    ("5 levels: what 4 would call not canonical", {**case(1 << 47, cr4=0x1020), "cr3": 0x9000},
     pf(4, 1 << 47)),
    ("a guest's page", case(VA + 0x1005, eptp=0x1001e), {"pa": 0x6005}),
    ("a guest's own fault", case(VA + 0x1005, "w", eptp=0x1001e), pf(7, VA + 0x1005)),
    ("a guest's page that its EPT does not map", case(VA + 0x20, "w", eptp=0x1001e),
     {"exit": 48, "qualification": 0x182, "gpa": 0x12345020}),
    ("an EPT that is malformed", case(1 << 39 | 3 << 30 | 8, eptp=0x1001e),
     {"exit": 49, "qualification": 0, "gpa": 0x40000008}),
    ("a shadow stack must be dirty and not writable", case(VA, shadow=1, cr4=0x800020),
     pf(0x45, VA)),
]

# A line, and what the message names.
WRONG = [
    ('{"cr3":1}', "1: va: is missing"),
    ('{"va":1,"access":"r"}', "1: cr3: is missing"),
    ('{"cr3":1,"va":1}', "1: access: is missing"),
    ('\n{"cr3":"1","va":0,"access":"r"}', "2: cr3: must be a whole number"),
    ('{"cr3":1,"va":-1,"access":"r"}', "1: va: must be a whole number"),
    ('{"cr3":1,"va":1.5,"access":"r"}', "1: va: must be a whole number"),
    ('{"cr3":1,"va":18446744073709551616,"access":"r"}', "1: va: must be a whole number"),
    ('{"cr3":{"a":1},"va":1,"access":"r"}', "1: cr3: must be a whole number"),
    ('{"cr3":1,"va":1,"access":"rw"}', '1: access: must be "r", "w" or "x"'),
    ('{"cr3":1,"va":1,"access":"r","size":0}', "1: size: must be from 1 to 4096"),
    ('{"cr3":1,"va":1,"access":"r","cpl":4}', "1: cpl: must be from 0 to 3"),
    ('{"cr3":1,"va":1,"access":"r","sice":4}', '1: sice: no such field; did you mean "size"?'),
    ('{"cr3":1,"va":1,"va":1,"access":"r"}', "1: va: is there twice"),
    ('{"cr3":"0x400000000000","va":1,"access":"r"}', "1: cr3: has bits above maxphyaddr"),
    ('{"cr3":1,"va":1,"access":"r","eptp":16}', "1: eptp: bits 5:3 must be 3"),
    ('{"cr3":1,', "1: column 10: not JSON"),
    ("[1]", "1: must be an object"),
    ('"x"', "1: must be an object"),
    ('{"cr3":1,"va":1,"access":"r"', "1: column"),
]


def translate(image, lines):
    return subprocess.run([MEMWALK, "translate", "--ram", image, "--cases", "-"], check=False,
                          input=lines.encode(), capture_output=True, timeout=60)


def numbers(answer):
    """The answer with its texts as numbers, and its entries apart."""
    entries = [[int(n, 16) for n in entry] for entry in answer.pop("entries")]
    return {k: int(v, 16) if isinstance(v, str) else v for k, v in answer.items()}, entries


def test_by_hand(image):
    done = translate(image, "\n".join(json.dumps(c) for _, c, _ in BY_HAND))
    answers = [numbers(json.loads(line)) for line in done.stdout.splitlines()]
    report("an answer to each case", len(answers) == len(BY_HAND) and done.returncode == 0,
           done.stderr)
    for (name, _, want), (got, entries) in zip(BY_HAND, answers):
        report(name, got == want, f"{got}, not {want}")
        if "pa" not in got and name != "a write crosses into a read-only page":
            report(name + ": no entry changes", not entries, entries)


def test_entries(image):
    lines = [case(access="w"), case(), case(VA + 0xffe, size=4), case(VA + 0x1ff000, "w"),
             case(VA + 0x1000, eptp=0x1005e)]
    done = translate(image, "\n".join(json.dumps(c) for c in lines))
    got = [numbers(json.loads(line))[1] for line in done.stdout.splitlines()]
    page, xd = TABLES[0x4020], 1 << 63
    want = [
        LOWER + [[0x4020, page, 0x12345067 | xd]],
        LOWER + [[0x4020, page, 0x12345027 | xd]],
        LOWER + [[0x4020, page, 0x12345027 | xd], [0x4028, 0x6005, 0x6025]],
        LOWER[:2] + [[0x3020, 0x00e01087, 0x00e010e7]],
        LOWER + [[0x4028, 0x6005, 0x6025], [0x10000, 0x11007, 0x11107],
                 [0x11000, 0x12007, 0x12107], [0x12000, 0xb7, 0x3b7]],
    ]
    report("A in each entry, D in the last one of a write, each case from the image as given",
           got == want, f"{got}\nnot {want}")


def test_wrong(image):
    for line, words in WRONG:
        done = translate(image, line)
        said = done.stderr.decode()
        report(f"refuses {line.strip()}", done.returncode == 2 and "standard input:" + words in said
               and said.count("\n") == 1, said)
    good = json.dumps(case())
    done = translate(image, f"{good}\n{good}\nbad\n{good}\n")
    report("answers what stands before a bad line", done.stdout.count(b"\n") == 2
           and b"standard input:3: " in done.stderr, done.stderr)


def test_images(tmp):
    for name, data, word in [("empty", b"", "is empty"), ("missing", None, "cannot be opened")]:
        path = f"{tmp}/{name}"
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        done = translate(path, json.dumps(case()))
        report(f"an image that is {name}", done.returncode == 2 and word in done.stderr.decode(),
               done.stderr)
    short = f"{tmp}/short"
    with open(short, "wb") as file:
        file.write(bytes(0x1008) + struct.pack("<Q", 0x2007)[:2])
    done = translate(short, json.dumps(case()))
    report("beyond an image that ends inside a frame there are zeroes", numbers(
        json.loads(done.stdout))[0] == pf(4, VA), done.stdout)


def main():
    with tempfile.TemporaryDirectory() as tmp:
        image = f"{tmp}/image"
        ram = bytearray(1 << 20)
        for pa, entry in TABLES.items():
            ram[pa:pa + 8] = struct.pack("<Q", entry)
        with open(image, "wb") as file:
            file.write(ram)
        test_by_hand(image)
        test_entries(image)
        test_wrong(image)
        test_images(tmp)


main()
