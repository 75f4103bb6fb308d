"""Step 6: measures a checkpoint on repositories that were held out whole.

`places` writes the rows that `tabahead eval` reads, with whole files around them: the rest of the
line at random characters, or whole lines after their indentation (`--kind next-line`, as if Enter
had just been pressed), with other files of their repository as if they were open
(`--open-files 3`). `overlap` counts how many of them also appear in the training text. `loss`
prints nats per token and bits per byte of plain held-out text by language.

    python evaluate.py places --files DIR/heldout.jsonl --out DIR/places.jsonl
    python evaluate.py overlap --files DIR/places.jsonl --rows DIR/train.jsonl
    python evaluate.py loss --files DIR/heldout.jsonl --tokenizer DIR/tokenizer.json --checkpoint DIR/run/last.pt
    python evaluate.py middles --rows DIR/rows.jsonl --tokenizer DIR/tokenizer.json --checkpoint DIR/run/last.pt
"""

import argparse
import json
import math
import random

import torch
from tokenizers import Tokenizer

from model import Model, Shape
from pack import MIDDLE_WEIGHT, Markers, encode_examples

LANGUAGES = ("rust", "python", "typescript", "go", "c")


def by_language(path):
    """Returns the held-out files of each main language, whatever their repository's language is."""
    files = {language: [] for language in LANGUAGES}
    for line in open(path, encoding="utf-8"):
        file = json.loads(line)
        if file["language"] in files:
            files[file["language"]].append(file)
    return files


def beside(file, files, count, rng):
    """Returns the texts of the files of the same repository and language in the nearest folders."""
    def apart(other):
        one, two = (f["path"].split("/")[:-1] for f in (file, other))
        shared = next((i for i, (a, b) in enumerate(zip(one, two)) if a != b), min(len(one), len(two)))
        return len(one) + len(two) - 2 * shared

    same = [f for f in files if f["repo"] == file["repo"] and f is not file]
    rng.shuffle(same)
    return [f["text"] for f in sorted(same, key=apart)[:count]]


def places(options):
    """Writes rows at random characters of random files, weighted by length.

    The rest of the line is never blank.
    """
    with open(options.out, "w", encoding="utf-8") as out:
        for language, files in by_language(options.files).items():
            rng = random.Random(f"{options.seed} {language}")
            weights = [len(f["text"]) for f in files]
            wanted = options.count
            while wanted:
                file = rng.choices(files, weights)[0]
                text = file["text"]
                at = rng.randrange(len(text))
                end = text.find("\n", at)
                end = len(text) if end < 0 else end
                if options.kind == "next-line":
                    start = text.rfind("\n", 0, at) + 1
                    at = start + len(text[start:end]) - len(text[start:end].lstrip())
                if not text[at:end].strip() or end - at > 200:
                    continue
                row = {"prefix": text[:at], "suffix": text[end:], "middle": text[at:end], "language": language,
                       "path": f"{file['repo']}/{file['path']}"}
                if options.open_files:
                    # A generator of its own keeps the places the same with and without open files.
                    row["open_files"] = beside(file, files, options.open_files, random.Random(f"{at} {row['path']}"))
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                wanted -= 1
            print(f"{language}: {options.count} places of {len(files)} files")


def overlap(options):
    """Counts places whose line and the two before it also appear in the training text, in order.

    This is the weakest sign of a copy that shows more than that both are code.
    """
    def triples(text):
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        return {hash(t) for t in zip(lines, lines[1:], lines[2:]) if sum(map(len, t)) >= 40}

    seen = set()
    for line in open(options.rows, encoding="utf-8"):
        seen |= triples(json.loads(line)["text"])
    places = found = 0
    for line in open(options.files, encoding="utf-8"):
        row = json.loads(line)
        before = [l for l in (row["prefix"] + row["middle"]).split("\n") if l.strip()][-3:]
        places += 1
        found += bool(triples("\n".join(before)) & seen)
    print(json.dumps({"places": places, "in the training text": found}))


def load(options):
    """Returns a model with the checkpoint's master weights, and the tokenizer.

    The tokenizer reads markers as text.
    """
    torch.set_num_threads(1)
    checkpoint = torch.load(options.checkpoint, weights_only=True)
    model = Model(Shape(**checkpoint["shape"]))
    for name, parameter in model.named_parameters():
        parameter.copy_(checkpoint["master"][name])
    tokenizer = Tokenizer.from_file(options.tokenizer)
    tokenizer.encode_special_tokens = True
    return model, tokenizer


@torch.no_grad()
def middles(options):
    """Prints the mean loss over the tokens of middles, each after its whole prompt."""
    model, tokenizer = load(options)
    rows = [json.loads(line) for line in open(options.rows, encoding="utf-8")]
    rows = random.Random(options.seed).sample(rows, min(options.count, len(rows)))
    nats = count = 0
    for tokens, weights in encode_examples(tokenizer, Markers(tokenizer), rows):
        if len(tokens) > model.shape.context:
            continue
        tokens = torch.from_numpy(tokens.astype("int64"))
        chosen = torch.from_numpy(weights[1:] == MIDDLE_WEIGHT)
        logits = model(tokens[None, :-1])[0][chosen] @ model.token_embd.T
        nats += float(torch.nn.functional.cross_entropy(logits, tokens[1:][chosen], reduction="sum"))
        count += int(chosen.sum())
    print(json.dumps({"rows": len(rows), "middle tokens": count, "nats per token": round(nats / count, 3)}))


@torch.no_grad()
def loss(options):
    """Prints the mean loss over stretches of 3,000 characters, each with its file name in front."""
    model, tokenizer = load(options)
    separator = tokenizer.token_to_id("<|file_sep|>")
    result = {}
    for language, files in by_language(options.files).items():
        rng = random.Random(f"{options.seed} {language}")
        nats = tokens = size = 0
        for _ in range(options.count):
            file = rng.choices(files, [len(f["text"]) for f in files])[0]
            start = file["text"].rfind("\n", 0, rng.randrange(len(file["text"]))) + 1
            ids = tokenizer.encode(file["text"][start : start + 3000], add_special_tokens=False).ids[:960]
            head = [separator, *tokenizer.encode(file["path"].rsplit("/", 1)[-1] + "\n", add_special_tokens=False).ids]
            row = torch.tensor(head + ids)[None]
            logits = model(row[:, :-1])[0, len(head) - 1 :] @ model.token_embd.T
            nats += float(torch.nn.functional.cross_entropy(logits, row[0, len(head) :], reduction="sum"))
            tokens += len(ids)
            size += len(tokenizer.decode(ids, skip_special_tokens=False).encode())
        result[language] = {"nats per token": round(nats / tokens, 3), "bits per byte": round(nats / size / math.log(2), 3),
                            "bytes per token": round(size / tokens, 2)}
    print(json.dumps(result, indent=1))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("what", choices=("places", "overlap", "loss", "middles"))
    arguments.add_argument("--kind", choices=("rest-of-line", "next-line"), default="rest-of-line")
    arguments.add_argument("--open-files", type=int, default=0, help="how many others are open")
    arguments.add_argument("--files")
    arguments.add_argument("--rows")
    arguments.add_argument("--out")
    arguments.add_argument("--tokenizer")
    arguments.add_argument("--checkpoint")
    arguments.add_argument("--count", type=int, help="per language; default 300 places, 40 stretches; 1000 rows")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    options.count = options.count or {"places": 300, "overlap": 1, "loss": 40, "middles": 1000}[options.what]
    {"places": places, "overlap": overlap, "loss": loss, "middles": middles}[options.what](options)


if __name__ == "__main__":
    main()
