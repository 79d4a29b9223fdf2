"""String literals of C sources, as the compiler sees them: adjacent ones joined, PRI macros expanded."""

import re

TOKEN = re.compile(
    r"/\*.*?\*/|//[^\n]*|^\s*#\s*include[^\n]*|'(?:\\.|[^'\\])+'|\"(?:\\.|[^\"\\])*\"|PRI[a-zA-Z0-9]+|\w+|\s+|.",
    re.S | re.M,
)
PRI = {"PRIu64": "lu", "PRIx64": "lx", "PRId64": "ld", "PRIu32": "u", "PRIx32": "x"}
ESCAPE = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "0": "\0"}


def literals(text):
    """(line, string) of every literal."""
    found, now, line, at = [], None, 1, 0
    for match in TOKEN.finditer(text):
        token = match.group()
        if token[0] == '"':
            if now is None:
                at = line
            now = (now or "") + re.sub(r"\\(.)", lambda m: ESCAPE.get(m.group(1), m.group()), token[1:-1])
        elif token in PRI:
            now = (now or "") + PRI[token]
        elif not token.isspace() and not token.startswith(("/*", "//")):
            if now is not None:
                found.append((at, now))
            now = None
        line += token.count("\n")
    if now is not None:
        found.append((at, now))
    return found
