"""Step 3: encodes prompt rows and plain text and packs them into fixed-length training rows.

`rows.jsonl` comes from `cargo xtask prompts`: {"layout","file_name","before","suffix","tail",
"middle"}. An example is
    <|file_sep|> FILENAME LF <|fim_suffix|> SUFFIX <|fim_prefix|> TAIL MIDDLE <|endoftext|>
and TAIL MIDDLE is encoded as one text, because inference never sees a token edge forced by the
cursor. The layouts that the suffix-first one was compared with are
    <|file_sep|> FILENAME LF <|fim_prefix|> BEFORE <|fim_suffix|> SUFFIX <|fim_middle|> TAIL MIDDLE <|endoftext|>
The rest of a row is filled with plain text. Writes shards `NAME-000.npz` of tokens
[rows, length + 1] and loss weights.

    python pack.py --tokenizer DIR/tokenizer.json --rows DIR/rows.jsonl --files DIR/train.jsonl --out DIR/shards
"""

import argparse
import json
import os
import random

import numpy as np
from tokenizers import Tokenizer

MIDDLE_WEIGHT = 3


class Markers:
    """Ids of the control tokens."""

    def __init__(self, tokenizer):
        self.end = tokenizer.token_to_id("<|endoftext|>")
        self.prefix = tokenizer.token_to_id("<|fim_prefix|>")
        self.suffix = tokenizer.token_to_id("<|fim_suffix|>")
        self.middle = tokenizer.token_to_id("<|fim_middle|>")
        self.file = tokenizer.token_to_id("<|file_sep|>")
        self.pad = tokenizer.token_to_id("<|fim_pad|>")


def encode_examples(tokenizer, m, rows):
    """Yields (tokens, weights) of each row; text that looks like a marker stays text."""
    names = tokenizer.encode_batch_fast([r["file_name"] + "\n" for r in rows], add_special_tokens=False)
    befores = tokenizer.encode_batch_fast([r["before"] for r in rows], add_special_tokens=False)
    suffixes = tokenizer.encode_batch_fast([r["suffix"] for r in rows], add_special_tokens=False)
    tails = tokenizer.encode_batch([r["tail"] + r["middle"] for r in rows], add_special_tokens=False)
    for row, name, before, suffix, tail in zip(rows, names, befores, suffixes, tails):
        head = [m.file, *name.ids]
        if row["layout"] == "suffix-first":
            head += [m.suffix, *suffix.ids, m.prefix]
        else:
            head += [m.prefix, *before.ids, m.suffix, *suffix.ids, m.middle]
        start = len(row["tail"])
        first = next((i for i, (_, end) in enumerate(tail.offsets) if end > start), len(tail.ids))
        tokens = np.array(head + tail.ids + [m.end], dtype=np.uint16)
        weights = np.ones(len(tokens), dtype=np.uint8)
        weights[len(head) + first :] = MIDDLE_WEIGHT
        yield tokens, weights


def plain_stretches(tokenizer, m, files, rng, length):
    """Yields endless plain text: stretches of files from line starts.

    A stretch that reaches the file's end is written as a prompt with empty suffix, the others
    without FIM markers.
    """
    while True:
        rng.shuffle(files)
        for file in files:
            text, name = file["text"], file["path"].rsplit("/", 1)[-1]
            start = text.find("\n", rng.randrange(max(1, len(text) - 400))) + 1 if rng.random() < 0.7 else 0
            piece = text[start : start + length * 4]
            ids = tokenizer.encode(piece, add_special_tokens=False).ids
            head = [m.file, *tokenizer.encode(name + "\n", add_special_tokens=False).ids]
            if start + len(piece) == len(text):
                yield head + [m.suffix, m.prefix] + ids + [m.end]
            else:
                yield head + ids[:-1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--tokenizer", required=True)
    arguments.add_argument("--rows", required=True)
    arguments.add_argument("--files", required=True)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--name", default="shard")
    arguments.add_argument("--length", type=int, default=1024)
    arguments.add_argument("--plain-rows", type=float, default=0.2, help="share of rows that are plain text only")
    arguments.add_argument("--shard-rows", type=int, default=2048)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    rng = random.Random(options.seed)
    tokenizer = Tokenizer.from_file(options.tokenizer)
    m = Markers(tokenizer)
    # A file that spells `<|fim_prefix|>` must not produce the marker.
    tokenizer.encode_special_tokens = True
    os.makedirs(options.out, exist_ok=True)

    lines = open(options.rows, encoding="utf-8").read().split("\n")
    lines = [line for line in lines if line]
    rng.shuffle(lines)
    files = [json.loads(line) for line in open(options.files, encoding="utf-8")]
    plain = plain_stretches(tokenizer, m, files, rng, options.length)
    room = options.length + 1
    shard, written, counts = [], 0, {"examples": 0, "example tokens": 0, "middle tokens": 0, "plain tokens": 0, "padding": 0}

    def flush():
        nonlocal shard, written
        if shard:
            path = os.path.join(options.out, f"{options.name}-{written:03}.npz")
            with open(path + ".part", "wb") as out:
                np.savez(out, tokens=np.stack([t for t, _ in shard]), weights=np.stack([w for _, w in shard]))
            os.replace(path + ".part", path)
            written, shard = written + 1, []

    def finish(tokens, weights):
        """Fills a row with plain text and adds it to the shard."""
        have = sum(map(len, tokens))
        while have < room:
            left = room - have
            ids = next(plain)[:left] if left > 24 else [m.pad] * left
            tokens.append(np.array(ids, dtype=np.uint16))
            weights.append(np.full(len(ids), 1 if left > 24 else 0, dtype=np.uint8))
            counts["plain tokens" if left > 24 else "padding"] += len(ids)
            have += len(ids)
        shard.append((np.concatenate(tokens), np.concatenate(weights)))
        if len(shard) == options.shard_rows:
            flush()

    waiting = []
    for at in range(0, len(lines), 4096):
        waiting += list(encode_examples(tokenizer, m, [json.loads(l) for l in lines[at : at + 4096]]))
        while len(waiting) > 256 or (at + 4096 >= len(lines) and waiting):
            if rng.random() < options.plain_rows:
                finish([], [])
                continue
            tokens, weights, have = [], [], 0
            # First fit among the next few examples, so that their order stays nearly random.
            i = 0
            while i < min(len(waiting), 48):
                if have + len(waiting[i][0]) <= room:
                    t, w = waiting.pop(i)
                    tokens.append(t)
                    weights.append(w)
                    have += len(t)
                    counts["examples"] += 1
                    counts["example tokens"] += len(t)
                    counts["middle tokens"] += int((w == MIDDLE_WEIGHT).sum())
                elif len(waiting[i][0]) > room:
                    waiting.pop(i)
                else:
                    i += 1
            finish(tokens, weights)
    flush()
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
