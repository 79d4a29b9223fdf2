#!/usr/bin/env python3
"""test_man.py: every command has a manual page, every option of --help stands in it with its
argument, no page invents an option, and the pages are well-formed."""
import glob
import os
import re
import shutil
import subprocess

MEMWALK = os.path.join(os.environ.get("MEMWALK_BUILD", "build/release"), "memwalk")
OPTION = re.compile(r"^\s+(?:-(\S), |\s{4})--([a-z0-9-]+)(?:=(\S+))?", re.M)


def told(*args):
    return subprocess.run([MEMWALK, *args], capture_output=True, text=True, check=True).stdout


def report(name, good, why=""):
    print(("ok " if good else "not ok ") + name)
    if not good:
        print(why)


def of_help(text):
    return {(short, name, arg) for short, name, arg in OPTION.findall(text)}


def of_page(text):
    """The options of a page's lists: '.It Fl m Ar FILE , Fl -machine Ns = Ns Ar FILE'."""
    item = re.compile(r"^\.It (?:Fl (\S)(?: Ar \S+)? , )?Fl -(\S+)(?: Ns = Ns Ar (\S+))?$", re.M)
    return {(short, name, arg) for short, name, arg in item.findall(text)}


def commands():
    return re.findall(r"^  ([a-z]+)  ", told("help"), re.M)


def main():
    for command in commands():
        path = f"docs/man/memwalk-{command}.1"
        if not os.path.exists(path):
            report(f"{command} has a page", False, path)
            continue
        with open(path, encoding="utf-8") as file:
            page = of_page(file.read())
        helped = of_help(told(command, "--help")) if command != "help" else set()
        if command == "trace":
            for part in ("check", "stat", "convert", "cut", "schema"):
                helped |= of_help(told("trace", part, "--help"))
        report(f"{command}: --help and page name the same options", page == helped,
               f"only in one of them: {sorted(page ^ helped)}")
        report(f"{command}: has options to compare", bool(helped) or command == "help")
    if not shutil.which("mandoc"):
        print("skip pages_are_well_formed mandoc is not installed")
        return
    pages = sorted(glob.glob("docs/man/*.1"))
    lint = subprocess.run(["mandoc", "-Tlint", *pages], capture_output=True, text=True, check=False)
    # Whether the pages that they name are installed here says nothing about them.
    bad = [line for line in (lint.stdout + lint.stderr).splitlines()
           if "referenced manual not found" not in line and "mandoc.db" not in line]
    report("pages_are_well_formed", not bad, "\n".join(bad))


main()
