#!/usr/bin/env python3
"""test_words_table.py: sim/words.def against the sources: both texts of an entry take the same
arguments, every text that people read has an entry, and no entry is left over. That memwalk speaks
the language it is told to, and not that of the environment, is tried too."""
import glob
import os
import re
import subprocess

from source_text import literals

MEMWALK = os.path.join(os.environ.get("MEMWALK_BUILD", "build/release"), "memwalk")
LESSON = "traces/lesson-anatomy-of-a-malloc.json"
CONVERSION = re.compile(r"%([-+ #0-9.*]*)((?:ll|l|z)?[a-zA-Z]|%)")
# The files whose texts people read.
SPEAKING = ["sim/explain.c"]
# What is the same in every language.
SAME = """ (thread %llu)|mmap|brk|Shootdown: | in 0x%llx-0x%llx|A (accessed)|D (dirty)""".split("|")


def read(path):
    with open(path, encoding="utf-8") as file:
        return literals(file.read())


def table():
    texts = [text for _, text in read("sim/words.def")]
    return list(zip(texts[::2], texts[1::2]))


def arguments(text):
    """What printf takes, in order: '%.0s' takes the string that '%s' does."""
    return [("*" if "*" in flags else "") + kind
            for flags, kind in CONVERSION.findall(text) if kind != "%"]


def report(name, bad):
    print(("ok " if not bad else "not ok ") + name)
    for line in bad:
        print("  " + line)


def speaks(command, *, lang=None, env=None):
    args = [MEMWALK, *command] + ([f"--lang={lang}"] if lang else [])
    return subprocess.run(args, capture_output=True, text=True, check=False,
                          env={**os.environ, **(env or {})})


def main():
    entries = table()
    english = {key for key, _ in entries}
    sources = [path for path in glob.glob("*/*.c") + glob.glob("sim/*/*.c")
               if not path.startswith("tests/")]
    texts = {text for path in sources for _, text in read(path)}
    missing = [f"{path}:{line}: {text!r}" for path in SPEAKING for line, text in read(path)
               if re.search("[a-z]{2}", CONVERSION.sub("", text))
               and text not in english and text not in SAME]
    twice = {key: german for key, german in entries}
    report("every entry is there once", [] if len(twice) == len(entries) else ["it is not"])
    report("both texts take the same arguments",
           [repr(pair) for pair in entries if arguments(pair[0]) != arguments(pair[1])])
    report("a translation is not translated again",
           [repr(pair) for pair in entries if twice.get(pair[1], pair[1]) != pair[1]])
    report("no entry is left over", [repr(key) for key in sorted(english - texts)])
    report("every text has an entry", missing)
    report("what is allowed to stay is still there", [repr(t) for t in SAME if t not in texts])

    told = speaks(["explain", LESSON], lang="de").stdout
    report("explain speaks German", [] if "malloc wird gerufen: " in told else [told[:400]])
    plain = speaks(["explain", LESSON]).stdout
    local = speaks(["explain", LESSON], env={"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8",
                                             "LANGUAGE": "de"}).stdout
    report("the environment chooses no language", [] if plain == local else ["it does"])
    wrong = speaks(["explain", LESSON], lang="fr")
    good = wrong.returncode == 2 and "fr" in wrong.stderr and "de" in wrong.stderr
    report("another language is refused", [] if good else [wrong.stderr])


if __name__ == "__main__":
    main()
