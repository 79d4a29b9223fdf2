"""new_allocator.py: builds what "How to add an allocator in one hour" of docs/allocators.md says, for
the tests that follow it, and for those that need an allocator with a mistake."""
import os
import re
import shlex
import subprocess

BUILD = os.environ.get("MEMWALK_BUILD", "build/release")
MEMWALK = os.path.join(BUILD, "memwalk")


def report(name, good, why=""):
    print(("ok " if good else "not ok ") + name)
    if not good:
        print(why)


def run(*args, **more):
    return subprocess.run(args, capture_output=True, text=True, check=False, **more)


def commands():
    """The compile and the link command of this build, as the Makefile keeps them."""
    with open(f"{BUILD}/flags.tests", encoding="utf-8") as f:
        words = shlex.split(f.read())
    second = words.index(words[0], 1)
    return words[:second], words[second:]


def libraries():
    names = ["libcjson", "zlib", "libzstd", "sdl2", "SDL2_ttf", "SDL2_image", "fontconfig", "cairo",
             "check"]
    return run("pkg-config", "--libs", *names).stdout.split() + ["-lm", "-lpthread"]


def follow(page, folder, change=lambda source: source):
    """Does what the page says, in a folder of its own: the objects there, or None. change: what is
    done to the new allocator before it is built."""
    part = page.split("## How to add an allocator in one hour")[1]
    code = re.findall(r"```c\n(.*?)```", part, re.S)
    header, source, include, entry = code
    os.makedirs(f"{folder}/alloc")
    with open("alloc/table.c", encoding="utf-8") as f:
        table = f.read()
    table = table.replace("#include", include + "#include", 1)
    table = re.sub(r"NULL,\s*};", entry + "    NULL,\n};", table)
    for name, text in (("bytemap.h", header), ("bytemap.c", change(source)), ("table.c", table)):
        with open(f"{folder}/alloc/{name}", "w", encoding="utf-8") as f:
            f.write(text)
    objects = []
    for name in ("bytemap", "table"):
        compiler, _ = commands()
        done = run(*compiler, f"-I{folder}", "-Werror", "-c", f"{folder}/alloc/{name}.c", "-o",
                   f"{folder}/{name}.o")
        report(f"alloc/{name}.c of the page compiles without a warning", done.returncode == 0,
               done.stderr)
        if done.returncode:
            return None
        objects.append(f"{folder}/{name}.o")
    return objects


def link(what, objects):
    _, linker = commands()
    done = run(*linker, "-o", what, *objects, f"{BUILD}/roof.a", f"{BUILD}/libmemwalk.a",
               *libraries())
    report(f"{os.path.basename(what)} links with the new allocator", done.returncode == 0,
           done.stderr[-2000:])
    return done.returncode == 0
