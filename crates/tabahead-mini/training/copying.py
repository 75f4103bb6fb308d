"""Fits the rule of copying to a model: how much the votes of matching places add to a token's probability.

The rule itself is in `tabahead-engine/src/decoding/copying.rs`.

Rows come from `cargo xtask prompts --small 0 --copy 65536 --open-files 3` over repositories that
were not trained on. For half of them the other files are ignored, as if none were open. Each
one-line middle is run through the model token by token, with the votes of the text around it at
each token. The rule's numbers are those under which the actual text is likeliest. A token that
spells the rest of the line and its end is as right as the rest of the line without it.

    python copying.py --rows DIR/fitted-rows.jsonl --gguf DIR/mini.gguf --count 1000

Prints the numbers, in the order of `mod rule`, and how exact lines are with them when each half of
the rows is judged with the fit to the other half.
"""

import argparse
import collections
import json
import random
import re

import gguf
import numpy as np
import torch
import tqdm

import warm
from model import Model
from pack import MIDDLE_WEIGHT, Markers, encode_examples

# As in copying.rs.
SHORTEST, LONGEST, MOST, CONSIDERED, AHEAD = 3, 64, 64, 128, 32
NEXT, PROBE, FOLLOWED, LINE = 100, 3, 64, 400
WHITE = b" \t\r\n"
FIRST_WORD = re.compile(rb"[ \t\r\n]*[^ \t\r\n]*[\r\n]*")
# Places of a match: before or after the cursor. Larger ones are the other open files.
BEFORE, AFTER = range(2)
PROSE = (".md", ".json", ".toml", ".yaml", ".yml")
WRONG, GOES_ON, DONE = range(3)


def byte_values():
    """Returns the byte for each character that represents one in a byte-level vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(moved)}


class Vocabulary:
    """The tokens as bytes, and queries about them."""

    def __init__(self, tokenizer):
        self.tokenizer, self.markers = tokenizer, Markers(tokenizer)
        tokenizer.encode_special_tokens = True
        values, special = byte_values(), set(vars(self.markers).values())
        self.bytes = [
            b"" if i in special else bytes(values[c] for c in tokenizer.id_to_token(i))
            for i in range(tokenizer.get_vocab_size())]
        self.firsts, self.sets = {}, {}

    def first(self, text):
        """Returns the first token of the first word of `text`, or None if there is none.

        The word is cut into tokens by itself.
        """
        text = FIRST_WORD.match(text[:AHEAD])[0]
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            text = text[: error.start].decode()
        if text not in self.firsts:
            ids = self.tokenizer.encode(text, add_special_tokens=False).ids
            self.firsts[text] = ids[0] if ids else None
        return self.firsts[text]

    def where(self, kind, text):
        """Returns the mask of the tokens that `kind` selects.

        These either agree with the typed `text`, or spell `text`, a line's rest, and its end.
        """
        if (kind, text) not in self.sets:
            test = {
                "agrees": lambda b: bool(b) and (b.startswith(text) or text.startswith(b)),
                "ends": lambda b: b.startswith(text + b"\n"),
            }[kind]
            self.sets[kind, text] = torch.tensor([test(b) for b in self.bytes])
        return self.sets[kind, text]


def common(one, other):
    """Returns the number of bytes that two texts have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))


def line_before(text, at):
    """Returns (start, end) of the part of the line before the byte `at`, or None if it is long."""
    start = text.rfind(b"\n", max(0, at - LINE), at) + 1
    return (start, at) if start or at <= LINE else None


def followed(text, next_lines):
    """Yields (start, end) of each line that is followed by the beginning of `next_lines`."""
    at = text.find(next_lines[:PROBE]) if len(next_lines) >= PROBE else -1
    while at >= 0:
        indentation = line_before(text, at)
        if indentation and not text[indentation[0] : at].strip(WHITE):
            above = text[max(0, indentation[0] - LINE) : indentation[0]]
            line = line_before(text, indentation[0] - len(above) + len(above.rstrip(WHITE)))
            if line and line[0] < line[1]:
                yield line
        at = text.find(next_lines[:PROBE], at + 1)


def matches(before, after, open_files):
    """Returns (length, next, place, distance) of the best matches of the end of `before`.

    They are found and ordered as in the engine.
    """
    blanks = len(before[1 - LONGEST :]) - len(before[1 - LONGEST :].rstrip(b" \t"))
    least, texts = max(SHORTEST, blanks + 1), (before, after, *open_files)
    next_lines = after.lstrip(WHITE)[:NEXT] if after[:1] == b"\n" else b""

    def found(place, end):
        text = texts[place]
        length = common(before[: -1 - LONGEST : -1], text[max(0, end - LONGEST) : end][::-1])
        return length, place, len(text) - end if place == BEFORE else end, end

    def order(match):
        return -match[0], match[1], match[2]

    long, short = [], []
    for place, text in enumerate(texts):
        at = text.find(before[-least:]) if len(before) >= least else -1
        while 0 <= at and at + least < len(text):
            long.append(found(place, at + least))
            at = text.find(before[-least:], at + least)
        lines = list(followed(text, next_lines))
        for line in lines[-FOLLOWED:] if place == BEFORE else lines[:FOLLOWED]:
            short += [m for m in (found(place, end) for end in range(line[0], line[1] + 1)) if blanks < m[0] < least]
    ranked = []
    for length, place, distance, end in sorted(long, key=order)[:CONSIDERED] + sorted(short, key=order)[:CONSIDERED]:
        line_end = texts[place].find(b"\n", end, end + LINE)
        below = texts[place][line_end : line_end + 4 * LINE].lstrip(WHITE) if line_end >= 0 and next_lines else b""
        agreeing = len(next_lines[: common(next_lines, below)].rstrip(WHITE))
        ranked.append((-length - min(agreeing, 32), place, distance, length, agreeing))
    return [(length, agreeing, place, distance) for _, place, distance, length, agreeing in sorted(ranked)[:MOST]]


@torch.no_grad()
def positions_of(row, number, tokens, weights, model, vocabulary):
    """Yields what is known at each position where a token of the middle is chosen."""
    chosen = np.nonzero(weights == MIDDLE_WEIGHT)[0]
    hidden = model(torch.from_numpy(tokens[None, :-1].astype(np.int64)))[0]
    log_probs = (hidden[chosen - 1] @ model.token_embd.T).log_softmax(1)
    before, after = (row["copied"][k].encode() for k in ("before", "after"))
    # Other files are open for half of the rows.
    open_files = [text.encode() for text in row["copied"]["open_files"]] if number % 4 < 2 else []
    tail = len(row["tail"].encode())
    text = (row["tail"] + row["middle"]).encode()
    end, ends_lines = vocabulary.markers.end, after[:1] in (b"", b"\n")
    at = len(text) - sum(len(vocabulary.bytes[t]) for t in tokens[chosen])
    for target, log_prob in zip(tokens[chosen].tolist(), log_probs):
        rest, forced = text[at:], text[at:tail]
        here = before + text[:at]
        at += len(vocabulary.bytes[target])
        good = torch.zeros(len(vocabulary.bytes), dtype=torch.bool)
        if ends_lines:
            good |= vocabulary.where("ends", rest)
        good[target] = True

        def judge(token):
            spelled = vocabulary.bytes[token]
            if token == target:
                return GOES_ON if rest else DONE
            if good[token]:
                return DONE
            return GOES_ON if spelled and rest.startswith(spelled) else WRONG

        votes = []
        for length, agreeing, place, distance in matches(here, after, open_files):
            following = (here, after, *open_files)[place][-distance if place == BEFORE else distance :]
            token = end if following[:1] == b"\n" and ends_lines else vocabulary.first(following)
            if token is not None:
                votes.append((length, agreeing, place, distance, token))
        allowed = vocabulary.where("agrees", forced) if forced else torch.ones_like(good)
        others = log_prob.masked_fill(~allowed, -torch.inf)
        tokens_voted = list(dict.fromkeys(v[-1] for v in votes))
        others[tokens_voted] = -torch.inf
        other = int(others.argmax())
        yield {
            "row": number, "votes": votes,
            "voted": [(t, float(log_prob[t]), bool(allowed[t]), bool(good[t]), judge(t)) for t in tokens_voted],
            "other": float(others[other]), "other_judged": judge(other),
            "right": float(log_prob[good].logsumexp(0)), "likeliest": float(log_prob.max().exp()),
        }


class Positions:
    """Many positions as tensors: [positions], [positions, matches] or [positions, voted tokens]."""

    def __init__(self, positions):
        width = max(1, max(len(p["voted"]) for p in positions))
        table = lambda n, kind: np.zeros((len(positions), n), dtype=kind)
        matched = {k: table(MOST, np.float32) for k in ("length", "next", "distance", "after", "open_file", "there")}
        token = table(MOST, np.int64)
        voted = {k: table(width, np.float32) for k in ("model", "allowed", "good", "judged")}
        for i, p in enumerate(positions):
            index = {v[0]: n for n, v in enumerate(p["voted"])}
            for n, (length, agreeing, place, distance, voted_token) in enumerate(p["votes"]):
                matched["length"][i, n], matched["next"][i, n] = length, agreeing
                matched["distance"][i, n] = distance if place <= AFTER else 0
                matched["after"][i, n], matched["open_file"][i, n] = place == AFTER, place > AFTER
                matched["there"][i, n], token[i, n] = 1, index[voted_token]
            for n, (_, log_prob, allowed, good, judged) in enumerate(p["voted"]):
                voted["model"][i, n] = np.exp(log_prob)
                voted["allowed"][i, n], voted["good"][i, n], voted["judged"][i, n] = allowed, good, judged
        for name, values in (matched | voted | {"token": token}).items():
            setattr(self, name, torch.from_numpy(values))
        for name in ("row", "other", "other_judged", "right", "likeliest"):
            setattr(self, name, torch.tensor([float(p[name]) for p in positions]))

    def only(self, chosen):
        part = object.__new__(Positions)
        part.__dict__ = {name: values[chosen] for name, values in vars(self).items()}
        return part


STRENGTHS = 6
START = [1.496, 0.686, 0.119, -0.006, -0.764, 0.153,
         -5.119, -0.19, 2.943, 0.392, 1.468, -1.443, 1.604, 2.756, 2.52, 2.111, -1.744, -0.565,
         0.195, 1.177, -0.714]


def added(numbers, p):
    """Returns what is added to the probability of each voted token."""
    near, far = p.length.clamp(max=16), (p.length - 16).clamp(min=0)
    strength = numbers[0] * near + numbers[1] * far - numbers[2] * p.distance.log1p()
    strength = strength + numbers[3] * p.after + numbers[4] * p.open_file + numbers[5] * p.next.clamp(max=16)
    each = strength.masked_fill(p.there == 0, -1e9).softmax(1) * p.there
    none = torch.zeros_like(p.model)
    share = none.scatter_add(1, p.token, each)
    own, next_own = (none.scatter_reduce(1, p.token, n * p.there, "amax") for n in (p.length, p.next))
    count = none.scatter_add(1, p.token, p.there)
    longest, next_most, likeliest = (
        x[:, None].expand_as(own) for x in (p.length.amax(1), next_own.amax(1), p.likeliest))
    model = p.model.clamp(min=1e-30).log().clamp(min=-12) / 8
    features = torch.stack([
        torch.ones_like(own), share.clamp(min=1e-6).log(), own.clamp(max=8) / 8, (own - 8).clamp(0, 16) / 16,
        (own - 24).clamp(0, 40) / 40, likeliest, count.log1p() / 4, share * own.clamp(max=16) / 16, model,
        own / longest.clamp(min=1), longest.clamp(max=16) / 16, likeliest * model,
        next_own.clamp(max=4) / 4, (next_own - 4).clamp(0, 20) / 20, (next_most - next_own).clamp(max=16) / 16], 2)
    return (features @ numbers[STRENGTHS:]).clamp(max=12).exp() * (own > 0)


def nats(numbers, p):
    """Returns the mean negative log-likelihood of the actual text."""
    more = added(numbers, p)
    return -((p.right.exp() + (more * p.good).sum(1) + 1e-12) / (1 + more.sum(1))).log().mean()


def exact(numbers, p):
    """Returns the share of middles whose greedy choices are right up to the end of the line."""
    best, at = (p.model + added(numbers, p)).masked_fill(p.allowed == 0, -1.0).max(1)
    judged = torch.where(best >= p.other.exp(), p.judged.gather(1, at[:, None])[:, 0], p.other_judged)
    states = collections.OrderedDict()
    for row, state in zip(p.row.tolist(), judged.tolist()):
        if states.get(row, GOES_ON) == GOES_ON:
            states[row] = state
    return sum(state == DONE for state in states.values()) / len(states)


def fit(p):
    numbers = torch.tensor(START, requires_grad=True)
    optimiser = torch.optim.LBFGS([numbers], lr=0.5, max_iter=200, history_size=20, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        # Just enough to keep a number where it is if the data do not determine it.
        loss = nats(numbers, p) + 1e-4 * (numbers - torch.tensor(START)).square().mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    return numbers.detach()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rows", required=True)
    arguments.add_argument("--gguf", required=True)
    arguments.add_argument("--count", type=int, default=1000, help="rows")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    reader = gguf.GGUFReader(options.gguf)
    vocabulary = Vocabulary(warm.tokenizer(reader))
    shape, state = warm.weights(options.gguf)
    model = Model(shape)
    model.load_state_dict(state)

    rows = [json.loads(line) for line in open(options.rows, encoding="utf-8")]
    rows = [r for r in rows if "\n" not in r["middle"] and len(r["middle"]) <= 200
            and r["copied"]["after"][:1] in ("", "\n") and not r["file_name"].endswith(PROSE)]
    random.Random(options.seed).shuffle(rows)
    positions = []
    examples = encode_examples(vocabulary.tokenizer, vocabulary.markers, rows[: options.count])
    for number, (row, (tokens, weights)) in enumerate(zip(rows, tqdm.tqdm(examples, total=min(options.count, len(rows)), disable=None))):
        if len(tokens) <= shape.context:
            positions += positions_of(row, number, tokens, weights, model, vocabulary)
    everything = Positions(positions)
    silent = torch.tensor(START)
    silent[STRENGTHS] = -1e3
    with torch.no_grad():
        result = {"rows": number + 1, "positions": len(positions),
                  "alone": {"nats": round(float(nats(silent, everything)), 4), "exact": round(exact(silent, everything), 4)},
                  "before": {"nats": round(float(nats(torch.tensor(START), everything)), 4),
                             "exact": round(exact(torch.tensor(START), everything), 4)}}
    halves = [everything.only(everything.row % 2 == half) for half in (0, 1)]
    crossed = [(fit(learnt), judged) for learnt, judged in (halves, halves[::-1])]
    with torch.no_grad():
        result["other half"] = {
            "nats": round(sum(float(nats(n, p)) for n, p in crossed) / 2, 4),
            "exact": round(sum(exact(n, p) for n, p in crossed) / 2, 4)}
    result["numbers"] = [round(x, 3) for x in fit(everything).tolist()]
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
