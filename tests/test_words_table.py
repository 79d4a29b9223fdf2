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
SPEAKING = ["sim/explain.c", "viz/paint.c", "viz/overlay.c", "viz/predict.c", "viz/prompt.c",
            "viz/keys.c", "viz/thing.c", "viz/travel.c", "viz/act.c", "viz/start.c",
            "viz/paint_start.c", "viz/layout.c", "viz/pair.c", "viz/motion.c", "viz/window.c",
            "viz/viz.c"] + sorted(glob.glob("viz/pane_*.c"))
# Names that options take or files have, and what is the same in every language.
SAME = """mmap|brk|[heap]|[stack]|free()|Shootdown: |A (accessed)|D (dirty)
 (thread %llu)| in 0x%llx-0x%llx|tlb1|tlb2|psc|brk |%s swap %lu|R ← swap %lu|→ mmap|→ brk
Esc|Tab|Enter|SIGSEGV|SIGBUS|SIGKILL|WRPKRU: 0x%llx -> 0x%llx.
fault · malloc · tlb_miss level=2 · addr=0x… · free<100 · pid=2
! #PF %s%s%s cr2 %s|KERNEL · pid %u|KERNEL|BYTES|INVLPG|PAGE WALK|HEAP · %s|0123456789abcdef
max %s|malloc(%lu)| dirty| supervisor|P: present|PWT: write-through|G: global|PDPTE|PML4E|PML5E
dark|light|contrast|step|op|memwalk|memwalk · start|memwalk · %s · op %lu.%lu
%s --op %lu| --step %lu| --pane %s| --lang %s|memwalk-%lu.%lu.png|lesson-promise.json|lesson-belady-4.json
lesson-stale-tlb.json|.json|schema|lesson-|nothing can be opened from here"""
SAME = SAME.replace("\n", "|").split("|")
# Actions are called by these names on the command line of the window.
NAMES = {"viz/keys.c": re.compile(r"[a-z-]+")}


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


def is_word(path, text):
    """Does it hold words, or only numbers, marks and the names of bits?"""
    if path in NAMES and NAMES[path].fullmatch(text):
        return False
    return bool(re.search("[a-z]{2}|(?<![A-Z_])[A-Z]{5}(?![A-Z]*_)", CONVERSION.sub("", text)))


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
               if is_word(path, text) and text not in english and text not in SAME]
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
