#!/usr/bin/env python3
"""test_allocators_page.py: docs/allocators.md says what is true: every allocator is in it, its tables
are what runs give, its lessons exist; and whoever follows "How to add an allocator in one hour" to the
letter has one that builds, runs and passes the tests of all allocators."""
import json
import os
import re
import subprocess
import sys
import tempfile

from new_allocator import BUILD, MEMWALK, commands, follow, link, report, run

PAGE = "docs/allocators.md"
# Columns that do not depend on TLBs, caches and the kernel's costs.
STEADY = {"held, KiB", "utilisation", "internal", "external", "headers, KiB", "tables, KiB",
          "search", "longest", "accesses"}


def rows(text):
    """{allocator: {title: value}} of a Markdown table."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in text.splitlines() if line.startswith("|")]
    return {line[0]: dict(zip(lines[0][1:], line[1:])) for line in lines[2:]} if lines else {}


def steady(table):
    return {name: {k: v for k, v in row.items() if k in STEADY} for name, row in table.items()}


def check_page(page, names):
    tables = dict(re.findall(r"<!-- figures (\S+) -->\n(.*?)<!-- end -->", page, re.S))
    report("the page has tables", len(tables) >= 3, list(tables))
    for trace, text in tables.items():
        report(f"the table of {trace} has every allocator", list(rows(text)) == names,
               (list(rows(text)), names))
    fresh = run(sys.executable, ".ci/allocators", MEMWALK, PAGE, "--show", "ls")
    report("the table of ls is what its runs give: else 'make allocators'",
           fresh.returncode == 0 and steady(rows(fresh.stdout)) == steady(rows(tables["ls"])),
           fresh.stdout + fresh.stderr)
    told = page.replace("\n", " ")
    missing = [name for name in names if f"`{name}`" not in told]
    report("every allocator is told of", not missing, missing)
    for name in (n for n in names if n.endswith("-like")):
        part = page.split(f"\n**{name}**")[-1] if f"\n**{name}**" in page else page.split(f"## {name}\n")[-1]
        report(f"{name} says what is not modelled", "Not modelled:" in part[:2500])
    lost = [lesson for lesson in re.findall(r"`(lesson-[a-z0-9-]+)`", page)
            if not os.path.exists(f"traces/{lesson}.json")]
    report("every lesson that is named exists", not lost, lost)


def check_hour(page, folder):
    objects = follow(page, folder)
    memwalk = f"{folder}/memwalk"
    if not objects or not link(memwalk, [f"{BUILD}/sim/cli/main.o", *objects]):
        return
    done = run(memwalk, "run", "traces/ls.jsonl.zst", "--alloc", "bytemap", "--check", "--json")
    report("the new allocator replays a recording under the checker", done.returncode == 0 and
           json.loads(done.stdout)["alloc"]["failed"] == 0, done.stderr)
    done = run(memwalk, "run", "traces/ls.jsonl.zst", "--compare", "first-fit,bytemap")
    report("the new allocator is compared", done.returncode == 0 and "bytemap" in done.stdout,
           done.stderr)
    done = run(memwalk, "config", "--markdown")
    report("the configuration takes its name", run(memwalk, "run", "-o", "alloc=bytemap",
           "traces/lesson-page-crossing.json", "--json").stdout.startswith("{"), done.stderr)
    # The tests of all allocators, on this one alone: the rest of the table is tested elsewhere.
    only = f"{folder}/only.c"
    with open(only, "w", encoding="utf-8") as f:
        f.write('#include "alloc/bytemap.h"\n'
                "const struct alloc_ops *const alloc_table[] = {&bytemap_ops, NULL};\n")
    compiler, _ = commands()
    run(*compiler, f"-I{folder}", "-c", only, "-o", f"{folder}/only.o")
    helpers = [f"{BUILD}/tests/{name[:-2]}.o" for name in os.listdir("tests")
               if name.endswith(".c") and not name.startswith(("test_", "fuzz_", "proof_"))]
    test = f"{folder}/test_alloc"
    if link(test, [f"{BUILD}/tests/test_alloc.o", *helpers, objects[0], f"{folder}/only.o"]):
        done = run(test, env=dict(os.environ, CK_RUN_CASE="each"))
        report("the new allocator passes the tests of all allocators", done.returncode == 0 and
               "0%" not in done.stdout.split(":")[0], done.stdout)


def main():
    with open(PAGE, encoding="utf-8") as f:
        page = f.read()
    runs = json.loads(run(MEMWALK, "run", "traces/lesson-page-crossing.json", "--compare", "all",
                          "--json").stdout)["runs"]
    check_page(page, [r["label"] for r in runs])
    with tempfile.TemporaryDirectory() as folder:
        check_hour(page, folder)


main()
