#!/usr/bin/env python3
"""check: reads recorded traces (JSON Lines) with nothing of memwalk's and says what is wrong.

check FILE…         every free and realloc names a live block, no block is made twice, every thread
                    has begun
check --ops FILE    prints the ops in one fixed form, to be compared
check --count FILE OP SIZE   prints how many ops OP of that size there are
"""

import json
import subprocess
import sys

MAKERS = {"malloc", "calloc", "memalign", "posix_memalign", "aligned_alloc", "valloc", "pvalloc"}
ORDER = ["op", "tid", "id", "nmemb", "alignment", "size", "pad", "param", "value", "fail"]


def number(value):
    """Numbers beyond what JSON's readers keep exactly stand in traces as hexadecimal strings."""
    return int(value, 16) if isinstance(value, str) and value.startswith("0x") else value


def read(path):
    tools = {".zst": ["zstd", "-dcq"], ".gz": ["gzip", "-dc"]}
    tool = next((t for end, t in tools.items() if path.endswith(end)), ["cat"])
    text = subprocess.run(tool + [path], check=True, stdout=subprocess.PIPE).stdout.decode()
    lines = [json.loads(line) for line in text.splitlines()]
    if lines[0].get("memwalk") != 1 or not lines[0].get("name"):
        raise ValueError("no header")
    return [{key: number(value) for key, value in line.items()} for line in lines[1:]]


def check(ops):
    live, threads = set(), {0}
    for line, op in enumerate(ops, 2):
        kind, block, tid = op["op"], op.get("id"), op.get("tid", 0)
        wrong = None
        if kind == "thread_start":
            wrong = tid in threads
            threads.add(tid)
        elif tid not in threads:
            wrong = True
        elif kind == "thread_exit":
            threads.discard(tid)
        elif kind in MAKERS:
            wrong = block in live
            if not op.get("fail"):
                live.add(block)
        elif kind in ("realloc", "reallocarray"):
            ends = op["size"] == 0 and block in live
            (live.discard if ends else live.add)(block)
        elif kind == "free" and block:
            wrong = block not in live
            live.discard(block)
        if wrong:
            return f"line {line}: {op}"
    return None


def main(args):
    if args[0] == "--ops":
        for op in read(args[1]):
            print(" ".join(f"{key}={op[key]}" for key in ORDER if key in op))
        return 0
    if args[0] == "--count":
        print(sum(op["op"] == args[2] and op.get("size") == int(args[3]) for op in read(args[1])))
        return 0
    bad = 0
    for path in args:
        try:
            wrong = check(read(path))
        except (ValueError, KeyError, IndexError) as error:
            wrong = repr(error)
        if wrong:
            print(f"{path}: {wrong}")
            bad = 1
    return bad


sys.exit(main(sys.argv[1:]))
