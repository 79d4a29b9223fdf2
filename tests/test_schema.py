#!/usr/bin/env python3
"""Every shipped trace fits the schema, and what does not fit is refused.

The validator is python3-jsonschema, which knows nothing of our reader.
"""
import glob
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

try:
    import jsonschema
    Validator = jsonschema.Draft202012Validator
except (ImportError, AttributeError):
    print("SKIP: test_schema: python3-jsonschema with draft 2020-12 is not installed")
    sys.exit(0)

BAD_LINES = [
    '{"op":"malloc","id":1}',
    '{"op":"malloc","id":1,"size":1.5}',
    '{"op":"malloc","id":1,"size":24,"sise":1}',
    '{"op":"mallok","id":1,"size":24}',
    '{"op":"write","id":1,"addr":"0","len":1}',
    '{"op":"write","addr":"0","off":1,"len":1}',
    '{"op":"write","len":1}',
    '{"op":"copy","id":1,"len":1}',
    '{"op":"free","id":1,"pid":70000}',
    '{"op":"free","id":1,"pid":1,"p":1}',
    '{"op":"mmap","addr":"x","len":1,"prot":3,"flags":34}',
    '{"op":"mmap","addr":"0","len":1,"prot":"rq","flags":34}',
    '{"memwalk":2}',
    '{"name":"x"}',
    '{"expect":{"walks":"three"}}',
    '"p3 = mallok(24)"',
    '7',
]


def text_of(path):
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dc", path], check=True, stdout=subprocess.PIPE).stdout
    with open(path, "rb") as f:
        return f.read()


def main():
    with open(os.path.join(ROOT, "traces/trace.schema.json"), encoding="utf-8") as f:
        schema = json.load(f)
    Validator.check_schema(schema)
    document = Validator(schema)
    parts = {name: Validator({"$ref": "#/$defs/" + name, "$defs": schema["$defs"]})
             for name in ("header", "line")}
    failed = checked = 0

    def judge(what, errors):
        nonlocal failed
        for error in list(errors)[:3]:
            failed += 1
            print("FAIL: %s: %s" % (what, error.message[:200]))

    for path in sorted(glob.glob(os.path.join(ROOT, "traces/*.json"))):
        if path.endswith("schema.json"):
            continue
        judge(path, document.iter_errors(json.loads(text_of(path))))
        checked += 1
    for path in sorted(glob.glob(os.path.join(ROOT, "traces/*.jsonl*"))):
        lines = text_of(path).decode().splitlines()
        judge(path + ":1", parts["header"].iter_errors(json.loads(lines[0])))
        # Ops repeat in shape: the first ones and an even choice of the rest stand for all.
        chosen = lines[1:400] + lines[400::max(1, len(lines) // 400)]
        for line in chosen:
            judge(path + ": " + line, parts["line"].iter_errors(json.loads(line)))
        checked += 1
    for line in BAD_LINES:
        if parts["line"].is_valid(json.loads(line)):
            failed += 1
            print("FAIL: the schema lets pass: " + line)
    if checked < 20:
        failed += 1
        print("FAIL: only %d shipped traces found" % checked)
    good = "not ok" if failed else "ok"
    print("%s every shipped trace fits the schema: %d traces, %d bad lines refused"
          % (good, checked, len(BAD_LINES)))
    return 1 if failed else 0


sys.exit(main())
