"""Cuts evaluation rows from the project's own sources, the same rows every time.

    python3 crates/tabahead/tests/data/make-eval-own.py > crates/tabahead/tests/data/eval-own.jsonl

Run from the root of the repository. The middle of each row is the rest of a line, from a random
column on.
"""

import json
import random

FILES = [
    "examples/inventory.py",
    "examples/shapes.rs",
    "crates/tabahead/src/eval/copier.rs",
    "crates/tabahead/src/eval/metrics.rs",
]
ROWS_PER_FILE = 6

random.seed(1)
for path in FILES:
    lines = open(path, encoding="utf-8").read().splitlines(keepends=True)
    long = [n for n, line in enumerate(lines) if len(line.strip()) > 12]
    for n in sorted(random.sample(long, ROWS_PER_FILE)):
        line = lines[n].rstrip("\n")
        indent = len(line) - len(line.lstrip())
        cut = random.randrange(indent + 2, len(line) - 2)
        row = {
            "prefix": "".join(lines[:n]) + line[:cut],
            "suffix": "\n" + "".join(lines[n + 1 :]),
            "middle": line[cut:],
            "language": {"py": "python", "rs": "rust"}[path.rsplit(".", 1)[1]],
            "path": path,
        }
        print(json.dumps(row))
