"""Reward training: a model goes on from what its own suggestions would be worth to a user.

At each place several ends of the line are sampled from the model itself. An exact one is worth
0.75, silence 0, and any other -0.25 plus half the share of its characters before the first wrong
one. Suggestions that are better than the mean of the others at their place are made likelier
(REINFORCE with a leave-one-out baseline, Kool et al. 2019), and the Kullback-Leibler divergence
(estimated by k3, Schulman 2020) holds the model near the one that it started from.

    python reward.py --rows DIR/rows.jsonl --judged DIR/heldout-rows.jsonl --init ../mini.gguf --tokenizer DIR/tokenizer.json \\
        --out DIR/rewarded --minutes 60

Rows come from `cargo xtask prompts`. `log.jsonl` records the progress. Before and after, the rows
of `--judged` measure how many greedy ends are exact, at how many places one of four sampled ends is
exact, and how many greedy ends are empty.
"""

import argparse
import copy
import json
import os
import random
import time

import gguf
import numpy as np
import torch
import torch.multiprocessing as processes
import tqdm

import warm
from copying import PROSE, Vocabulary
from export import export
from model import Model, Past
from pack import MIDDLE_WEIGHT, encode_examples

EXACT, WRONG, KEPT = 0.75, -0.25, 0.5
# Maximum number of tokens in an end of a line.
LONGEST = 40
WARM_UP = 20
# Of the four suggestions that are judged. Training samples at 1.
TEMPERATURE = 0.5


class Place:
    """A cursor: the tokens before it, the text before it to spell first, the rest of its line."""

    def __init__(self, row, tokens, weights, vocabulary):
        first = int(np.argmax(weights == MIDDLE_WEIGHT))
        self.prompt = tokens[:first].tolist()
        text = (row["tail"] + row["middle"]).encode()
        spelled = sum(len(vocabulary.bytes[t]) for t in tokens[first:])
        tail = len(row["tail"].encode())
        self.forced, self.end = text[len(text) - spelled : tail], text[tail:]


def places(path, vocabulary, shape, count, seed):
    """Returns places where the missing text ends its line, in a seeded order."""
    rows = [json.loads(line) for line in open(path, encoding="utf-8")]
    rows = [r for r in rows if "\n" not in r["middle"] and len(r["middle"]) <= 200
            and r["suffix"][:1] in ("", "\n") and not r["file_name"].endswith(PROSE)]
    random.Random(seed).shuffle(rows)
    rows = rows[:count]
    examples = encode_examples(vocabulary.tokenizer, vocabulary.markers, rows)
    return [Place(row, tokens, weights, vocabulary) for row, (tokens, weights) in zip(rows, examples)
            if len(tokens) + LONGEST <= shape.context]


def worth(text, end):
    """Returns what a suggestion is worth to the user."""
    if not text.strip():
        return 0.0
    if text == end:
        return EXACT
    kept = next((i for i, (a, b) in enumerate(zip(text, end)) if a != b), min(len(text), len(end)))
    return WRONG + KEPT * kept / max(len(text), len(end))


class Sampled:
    """Tokens of one suggestion, masks of the tokens that each was chosen from, and its text."""

    def __init__(self):
        self.tokens, self.allowed, self.text, self.done = [], [], b"", False


@torch.no_grad()
def sample(model, place, count, vocabulary, generator=None, temperature=1.0):
    """Returns `count` suggestions; without a generator, the greedy ones."""
    end = vocabulary.markers.end
    text_or_end = torch.tensor([bool(b) for b in vocabulary.bytes])
    text_or_end[end] = True
    past = [Past() for _ in model.blk]
    hidden = model(torch.tensor([place.prompt]), past=past)[:, -1].expand(count, -1)
    samples = [Sampled() for _ in range(count)]
    for step in range(LONGEST):
        logits = hidden @ model.token_embd.T
        for s, row in zip(samples, logits):
            forced = place.forced[len(s.text) :]
            s.allowed.append(vocabulary.where("agrees", forced) if forced else text_or_end)
            row[~s.allowed[-1]] = -torch.inf
        chosen = (torch.multinomial((logits / temperature).softmax(1), 1, generator=generator)[:, 0]
                  if generator else logits.argmax(1))
        for s, token in zip(samples, chosen.tolist()):
            if s.done:
                s.allowed.pop()
                continue
            s.tokens.append(token)
            s.text += vocabulary.bytes[token]
            s.done = token == end or b"\n" in s.text
        if all(s.done for s in samples):
            break
        at = torch.tensor([len(place.prompt) + step])
        mask = torch.ones(1, len(place.prompt) + step + 1, dtype=torch.bool)
        hidden = model(chosen[:, None], at, mask, past)[:, -1]
    for s in samples:
        s.text = s.text[len(place.forced) :].split(b"\n")[0]
    return samples


def log_probs(model, place, samples):
    """Returns the log-probability of each token of all samples, one sample after the other.

    Takes one pass over the prompt and all samples.
    """
    prompt = len(place.prompt)
    tokens, positions, owners, sources = list(place.prompt), list(range(prompt)), [-1] * prompt, []
    for owner, s in enumerate(samples):
        # Nothing follows the last token, so it is not read.
        sources += [prompt - 1, *range(len(tokens), len(tokens) + len(s.tokens) - 1)]
        positions += range(prompt, prompt + len(s.tokens) - 1)
        owners += [owner] * (len(s.tokens) - 1)
        tokens += s.tokens[:-1]
    owners = torch.tensor(owners)
    mask = torch.ones(len(tokens), len(tokens), dtype=torch.bool).tril()
    mask &= (owners[None] < 0) | (owners[None] == owners[:, None])
    hidden = model(torch.tensor([tokens]), torch.tensor(positions), mask)[0, sources]
    logits = hidden @ model.token_embd.T
    logits = logits.masked_fill(~torch.stack([a for s in samples for a in s.allowed]), -torch.inf)
    chosen = torch.tensor([t for s in samples for t in s.tokens])
    return logits.log_softmax(1).gather(1, chosen[:, None])[:, 0]


def learn(model, reference, place, options, vocabulary, generator):
    """Adds the gradient at one place.

    Returns (mean worth, share of exact samples, divergence per token).
    """
    samples = sample(model, place, options.samples, vocabulary, generator)
    rewards = torch.tensor([worth(s.text, place.end) for s in samples])
    better = rewards - (rewards.sum() - rewards) / (len(samples) - 1)
    exact = sum(s.text == place.end for s in samples) / len(samples)
    own = log_probs(model, place, samples)
    with torch.no_grad():
        before = log_probs(reference, place, samples)
    apart = (before - own).exp() - (before - own) - 1
    each = better.repeat_interleave(torch.tensor([len(s.tokens) for s in samples]))
    ((options.divergence * apart - each * own).sum() / len(samples) / options.batch).backward()
    return float(rewards.mean()), exact, float(apart.detach().mean())


def work(number, model, reference, gradients, inbox, outbox, options, vocabulary):
    """Computes, in a process of its own, the gradients of the places that it is sent."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(options.seed * 1000 + number)
    for part in iter(inbox.get, None):
        learned = [learn(model, reference, place, options, vocabulary, generator) for place in part]
        for p, gradient in zip(model.parameters(), gradients):
            gradient.copy_(p.grad)
            p.grad = None
        outbox.put(learned)


def judge(model, judged, vocabulary, seed):
    """Returns shares of places (greedy end exact, one of four exact, silent) and the mean worth."""
    generator = torch.Generator().manual_seed(seed)
    greedy = exact = silent = 0
    rewards = 0.0
    for place in tqdm.tqdm(judged, unit="places", disable=None):
        text = sample(model, place, 1, vocabulary)[0].text
        greedy += text == place.end
        silent += not text.strip()
        rewards += worth(text, place.end)
        exact += any(s.text == place.end for s in sample(model, place, 4, vocabulary, generator, TEMPERATURE))
    share = lambda n: round(n / len(judged), 4)
    return {"places": len(judged), "greedy": share(greedy), "of four": share(exact), "silent": share(silent), "worth": share(rewards)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rows", required=True)
    arguments.add_argument("--judged", required=True)
    arguments.add_argument("--init", required=True)
    arguments.add_argument("--tokenizer", required=True)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--minutes", type=float, required=True)
    arguments.add_argument("--steps", type=int, help="stop after this many")
    arguments.add_argument("--samples", type=int, default=8)
    arguments.add_argument("--batch", type=int, default=32, help="places per step")
    arguments.add_argument("--rate", type=float, default=2e-5)
    arguments.add_argument("--divergence", type=float, default=0.02, help="weight of the divergence")
    arguments.add_argument("--count", type=int, default=1000, help="judged places")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    os.makedirs(options.out, exist_ok=True)
    torch.set_num_threads(1)
    vocabulary = Vocabulary(warm.tokenizer(gguf.GGUFReader(options.init)))
    shape, state = warm.weights(options.init)
    model = Model(shape)
    model.load_state_dict(state)
    reference = copy.deepcopy(model)
    model.share_memory()
    learnt = places(options.rows, vocabulary, shape, None, options.seed)
    judged = places(options.judged, vocabulary, shape, options.count, options.seed)

    log = open(os.path.join(options.out, "log.jsonl"), "a", encoding="utf-8")

    def note(row):
        print(json.dumps(row), file=log, flush=True)
        print(json.dumps(row), flush=True)

    note({"before": judge(model, judged, vocabulary, options.seed)})
    context = processes.get_context("fork")
    outbox = context.Queue()
    inboxes = [context.Queue() for _ in range(options.workers)]
    gradients = [[torch.zeros_like(p).share_memory_() for p in model.parameters()] for _ in inboxes]
    for number, inbox in enumerate(inboxes):
        context.Process(target=work, daemon=True, args=(
            number, model, reference, gradients[number], inbox, outbox, options, vocabulary)).start()
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, betas=(0.9, 0.95), weight_decay=0.0)
    started, step, learned = time.monotonic(), 0, []
    bar = tqdm.tqdm(total=round(options.minutes * 60), unit="s", disable=None,
                    bar_format="{l_bar}{bar}| {elapsed} used, {remaining} left{postfix}")
    while True:
        elapsed = time.monotonic() - started
        if elapsed >= options.minutes * 60 or step == options.steps:
            break
        at = step * options.batch % max(1, len(learnt) - options.batch)
        batch = learnt[at : at + options.batch]
        for number, inbox in enumerate(inboxes):
            inbox.put(batch[number :: options.workers])
        for _ in inboxes:
            learned += outbox.get()
        for parts in zip(model.parameters(), *gradients):
            parts[0].grad = sum(parts[1:])
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = options.rate * min(1.0, (step + 1) / WARM_UP) * (1 - elapsed / options.minutes / 60)
        optimiser.step()
        optimiser.zero_grad()
        step += 1
        bar.n = min(round(elapsed), bar.total)
        bar.update(0)
        if step % 10 == 0:
            mean = [round(float(x), 4) for x in np.mean(learned, 0)]
            note({"step": step, "minutes": round(elapsed / 60, 1), "worth": mean[0], "exact": mean[1], "divergence": mean[2]})
            learned = []
    for inbox in inboxes:
        inbox.put(None)
    bar.close()
    note({"after": judge(model, judged, vocabulary, options.seed), "steps": step})
    torch.save({"master": dict(model.named_parameters()), "shape": shape.__dict__}, os.path.join(options.out, "last.pt"))
    export({n: p.detach() for n, p in model.named_parameters()}, shape, options.tokenizer, os.path.join(options.out, "mini.gguf"))


if __name__ == "__main__":
    main()
