"""Draws what training and evaluation wrote, as PNG.

    python curves.py loss --log DIR/run/log.jsonl --out DIR/run/loss.png
    python curves.py precision --out DIR/precision.png --evals v1=DIR/eval.json v0=DIR/eval-v0.json

`precision` draws exact match over the share of suggestions shown, the surest first, from what
`tabahead eval --json` wrote.
"""

import argparse
import json

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402


def rows_of(path):
    return [json.loads(line) for line in open(path, encoding="utf-8") if line.startswith("{")]


def finish(axes, out):
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.figure.tight_layout()
    axes.figure.savefig(out, dpi=120)
    pyplot.close(axes.figure)


def loss(log, out):
    """Draws training and validation loss over millions of tokens."""
    rows = rows_of(log)
    axes = pyplot.figure(figsize=(7, 4)).add_subplot()
    steps = [r for r in rows if "loss" in r]
    axes.plot([r["tokens"] / 1e6 for r in steps], [r["loss"] for r in steps], lw=1, label="training, middles weighted 3")
    checked = [r for r in rows if "validation" in r]
    for key, label in (("validation", "validation, all tokens"), ("middle", "validation, middles")):
        axes.plot([r["tokens"] / 1e6 for r in checked], [r[key] for r in checked], marker="o", ms=4, label=label)
    axes.set(xlabel="million tokens", ylabel="nats per token")
    finish(axes, out)


def precision(evals, out):
    """Draws the exact match of the surest suggestions over their share; dotted: the model alone."""
    axes = pyplot.figure(figsize=(7, 4)).add_subplot()
    for name, path in evals:
        points = json.load(open(path, encoding="utf-8"))["most_confident"]
        shares = [100 * p["share"] for p in points]
        (line,) = axes.plot(shares, [100 * p["exact"] for p in points], label=f"{name} with copying")
        axes.plot(shares, [100 * p["exact_alone"] for p in points], ls=":", color=line.get_color(), label=f"{name} alone")
    axes.set(xlabel="% of suggestions shown, the surest first", ylabel="% exact", ylim=(0, 100), xlim=(0, 100))
    finish(axes, out)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("what", choices=("loss", "precision"))
    arguments.add_argument("--evals", nargs="+", help="NAME=FILE of each evaluation")
    arguments.add_argument("--log")
    arguments.add_argument("--out", required=True)
    options = arguments.parse_args()
    if options.what == "loss":
        loss(options.log, options.out)
    else:
        precision([entry.split("=", 1) for entry in options.evals], options.out)


if __name__ == "__main__":
    main()
