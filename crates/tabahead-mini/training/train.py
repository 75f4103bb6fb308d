"""Step 5: trains the model for a given wall time, on the CPU or, where there is one, on a GPU.

Muon for the matrices, AdamW for embedding and norms; 40 warm-up steps, then both rates fall
linearly and reach zero when the time is used up. The loss is computed in chunks whose gradient is
formed in the forward pass, so the logits are never stored whole. Weights and gradients are fp32 or
bf16 over an fp32 master copy. Which is faster depends on the processor (matrix products in bf16
were 3 times as fast on a Zen 5, 6 times on an Intel server core with AMX, half as fast on one
without), so a product is timed. Forward pass and loss are compiled, which needs a C++ compiler. A
run that is stopped continues from `last.pt` when the same command is given again: it holds model,
optimiser, position in the data and time used. `log.jsonl` and its picture `loss.png` record the
progress. On a GPU there is one worker, and larger micro batches and models fit
(`--size 28m --batch 128 --micro 32`); the computation is the same.

    python train.py --shards DIR/shards --tokenizer DIR/tokenizer.json --out DIR/run --minutes 60
"""

import argparse
import concurrent.futures
import dataclasses
import glob
import json
import math
import os
import queue
import random
import signal
import time

import numpy as np
import torch
import torch._inductor.config
import tqdm

import curves
import warm
from export import export
from model import Model, Shape

# Rows of logits formed at a time: as many as fit a processor's cache, or keep a GPU busy.
CHUNK = {"cpu": 256, "cuda": 8192}
WARM_UP = 40
HELD_BACK = 64
VALIDATED = 32
SIZES = {
    "5m": Shape(),
    "28m": Shape(width=512, layers=8, heads=8, kv_heads=2, hidden=1536, context=2048),
}


# Compiled code that is called from C++ releases Python's lock for the other worker.
torch._inductor.config.cpp_wrapper = not torch.cuda.is_available()


@torch.compile(dynamic=False)
def loss_and_gradient(logits, targets, weights):
    """Returns the weighted sum of the cross-entropies of logits [n, v], and its gradient.

    Takes one pass over memory instead of seven.
    """
    x = logits.float()
    top = x.amax(1, keepdim=True)
    exponentials = (x - top).exp()
    total = exponentials.sum(1, keepdim=True)
    loss = ((total.log() + top - x.gather(1, targets)) * weights).sum()
    columns = torch.arange(x.shape[1], device=x.device)[None]
    gradient = exponentials * (weights / total) - torch.where(columns == targets, weights, 0.0)
    return loss, gradient.to(logits.dtype)


class ChunkedCrossEntropy(torch.autograd.Function):
    """Weighted sum of cross-entropies of hidden [n, d], any n, against a tied embedding [v, d]."""

    @staticmethod
    def forward(ctx, hidden, embedding, targets, weights):
        d_hidden = torch.empty_like(hidden)
        d_embedding = torch.zeros_like(embedding)
        loss = torch.zeros((), device=hidden.device)
        chunk = CHUNK[hidden.device.type]
        for at in range(0, hidden.shape[0], chunk):
            h, y, w = hidden[at : at + chunk], targets[at : at + chunk, None], weights[at : at + chunk, None]
            part, grad = loss_and_gradient(h @ embedding.T, y, w)
            loss += part
            torch.mm(grad, embedding, out=d_hidden[at : at + chunk])
            d_embedding.addmm_(grad.T, h)
        ctx.save_for_backward(d_hidden, d_embedding)
        return loss

    @staticmethod
    def backward(ctx, grad):
        d_hidden, d_embedding = ctx.saved_tensors
        return d_hidden * grad, d_embedding * grad, None, None


def orthogonalised(g, steps=5):
    """Runs the Newton-Schulz iteration on a batch of matrices [k, rows, columns]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if tall else x


class Optimiser:
    """Muon and AdamW over an fp32 master copy of a bf16 model."""

    def __init__(self, model, muon_rate, adam_rate):
        self.parameters = dict(model.named_parameters())
        self.master = {n: p.detach().float().clone() for n, p in self.parameters.items()}
        self.muon_rate, self.adam_rate = muon_rate, adam_rate
        self.groups = {}
        for name, p in self.parameters.items():
            if p.dim() == 2 and name != "token_embd":
                self.groups.setdefault(tuple(p.shape), []).append(name)
        matrices = {n for names in self.groups.values() for n in names}
        self.adam = [n for n in self.parameters if n not in matrices]
        self.momentum = {n: torch.zeros_like(self.master[n]) for n in matrices}
        self.first = {n: torch.zeros_like(self.master[n]) for n in self.adam}
        self.second = {n: torch.zeros_like(self.master[n]) for n in self.adam}
        self.steps = 0

    def state(self):
        return {"master": self.master, "momentum": self.momentum, "first": self.first, "second": self.second,
                "steps": self.steps}

    def restore(self, state):
        for key in ("master", "momentum", "first", "second"):
            for name, value in state[key].items():
                getattr(self, key)[name].copy_(value)
        self.steps = state["steps"]
        self.publish()

    @torch.no_grad()
    def publish(self):
        """Copies the master weights into the bf16 model."""
        for name, p in self.parameters.items():
            p.copy_(self.master[name])

    def step(self, factor, pool):
        """Makes one update; with a pool, matrices and the rest are updated at once."""
        self.steps += 1
        jobs = (self.step_matrices, self.step_others)
        for done in pool.map(lambda job: job(factor), jobs) if pool else [job(factor) for job in jobs]:
            pass
        self.publish()
        for p in self.parameters.values():
            p.grad = None

    @torch.no_grad()
    def step_matrices(self, factor):
        for shape, names in self.groups.items():
            updates = []
            for name in names:
                g, m = self.parameters[name].grad.float(), self.momentum[name]
                m.mul_(0.95).add_(g, alpha=0.05)
                updates.append(g.mul_(0.05).add_(m, alpha=0.95))
            # The precision of the weights is enough: the iteration only approximates the orthogonal
            # factor.
            update = orthogonalised(torch.stack(updates).to(self.parameters[names[0]].dtype)).float()
            rate = self.muon_rate * factor * math.sqrt(max(1.0, shape[0] / shape[1]))
            for name, u in zip(names, update):
                self.master[name].add_(u, alpha=-rate)

    @torch.no_grad()
    def step_others(self, factor):
        for name in self.adam:
            g, m, v = self.parameters[name].grad.float(), self.first[name], self.second[name]
            m.mul_(0.9).add_(g, alpha=0.1)
            v.mul_(0.95).addcmul_(g, g, value=0.05)
            rate = self.adam_rate * factor / (1 - 0.9**self.steps)
            self.master[name].addcdiv_(m, (v / (1 - 0.95**self.steps)).sqrt_().add_(1e-8), value=-rate)


class Rows:
    """Training rows in a seeded order, shard after shard, and from the first again after the last.

    A shard is looked up by name when its turn comes, so that later shards may still be written
    while the first are used.
    """

    def __init__(self, folder, seed, held_back):
        self.folder, self.seed, self.held_back = folder, seed, held_back
        self.shard, self.at, self.epoch, self.loaded = 0, 0, 0, None

    def names(self):
        return sorted(glob.glob(os.path.join(self.folder, "*.npz")))

    def validation(self):
        """Returns the first rows of the first shard, which are never trained on."""
        data = np.load(self.names()[0])
        return data["tokens"][: self.held_back], data["weights"][: self.held_back]

    def take(self, count):
        if self.loaded is None:
            names = self.names()
            if self.shard >= len(names):
                self.shard, self.epoch = 0, self.epoch + 1
            data = np.load(names[self.shard])
            skip = self.held_back if self.shard == 0 else 0
            order = np.random.default_rng([self.seed, self.shard, self.epoch]).permutation(
                np.arange(skip, len(data["tokens"])))
            self.loaded = data["tokens"][order], data["weights"][order]
        tokens, weights = (a[self.at : self.at + count] for a in self.loaded)
        self.at += count
        if self.at + count > len(self.loaded[0]):
            self.shard, self.at, self.loaded = self.shard + 1, 0, None
        return tokens, weights

    def state(self):
        return {"shard": self.shard, "at": self.at, "epoch": self.epoch}

    def restore(self, state):
        self.shard, self.at, self.epoch = state["shard"], state["at"], state["epoch"]


def loss_of(model, tokens, weights):
    """Returns the sum of weighted losses; weights are [rows, length + 1] floats."""
    device = model.token_embd.device
    tokens = torch.from_numpy(tokens.astype(np.int64)).to(device)
    weights = torch.from_numpy(weights[:, 1:].astype(np.float32)).to(device)
    hidden = model(tokens[:, :-1])
    return ChunkedCrossEntropy.apply(
        hidden.flatten(0, 1), model.token_embd, tokens[:, 1:].flatten(), weights.flatten())


class Team:
    """Workers of one thread each that share the weights and add up their gradients once per step.

    Threads inside one operator wait for each other many hundred times a step. On a machine that is
    also used otherwise, two workers that meet once a step are twice as fast.
    """

    def __init__(self, model, workers, micro, precision):
        self.micro, self.models = micro, [model]
        for _ in range(workers - 1):
            twin = Model(model.shape).to(precision)
            twin.cos, twin.sin = model.cos, model.sin
            for mine, theirs in zip(twin.parameters(), model.parameters()):
                mine.data = theirs.data
            self.models.append(twin)
        for m in self.models:
            m.compile(dynamic=False)
        self.pool = concurrent.futures.ThreadPoolExecutor(
            workers, initializer=lambda: torch.set_num_threads(1)) if workers > 1 else None

    def compile(self, tokens, weights):
        """Compiles the models one by one: the compiler is not meant for several threads at once."""
        for model in self.models:
            self.work(model, tokens[: self.micro], weights[: self.micro])
            for p in model.parameters():
                p.grad = None

    def work(self, model, tokens, weights):
        total = 0.0
        for i in range(0, len(tokens), self.micro):
            part = loss_of(model, tokens[i : i + self.micro], weights[i : i + self.micro])
            part.backward()
            total += part.item()
        return total

    def drain(self, model, parts):
        """Works on parts until none is left, and returns their loss.

        A free worker takes the next part, because other programs slow down now one, now the other.
        """
        total = 0.0
        while True:
            try:
                tokens, weights = parts.get_nowait()
            except queue.Empty:
                return total
            total += self.work(model, tokens, weights)

    def accumulate(self, tokens, weights):
        """Returns the loss of the rows; leaves its gradient in the first model."""
        if self.pool is None:
            return self.work(self.models[0], tokens, weights)
        parts = queue.SimpleQueue()
        for i in range(0, len(tokens), self.micro):
            parts.put((tokens[i : i + self.micro], weights[i : i + self.micro]))
        loss = sum(self.pool.map(lambda model: self.drain(model, parts), self.models))
        for other in self.models[1:]:
            for mine, theirs in zip(self.models[0].parameters(), other.parameters()):
                if theirs.grad is not None:
                    mine.grad = theirs.grad if mine.grad is None else mine.grad.add_(theirs.grad)
                    theirs.grad = None
        return loss


def faster_precision():
    """Returns the type in which this processor multiplies faster."""
    def seconds(name):
        a, b = (torch.ones(shape, dtype=getattr(torch, name)) for shape in ((2048, 256), (256, 1536)))
        a @ b
        begin = time.monotonic()
        for _ in range(10):
            a @ b
        return time.monotonic() - begin

    return min(("float32", "bfloat16"), key=seconds)


@torch.no_grad()
def validate(model, rows):
    """Returns the mean loss per token of all tokens and of middles only."""
    sums, counts = np.zeros(2), np.zeros(2)
    for tokens, weights in zip(*(np.split(a, len(a)) for a in rows)):
        inputs = torch.from_numpy(tokens.astype(np.int64)).to(model.token_embd.device)
        logits = model.forward(inputs[:, :-1])[0] @ model.token_embd.T
        losses = torch.nn.functional.cross_entropy(logits.float(), inputs[0, 1:], reduction="none").cpu().numpy()
        for i, chosen in enumerate((weights[0, 1:] > 0, weights[0, 1:] > 1)):
            sums[i] += losses[chosen].sum()
            counts[i] += chosen.sum()
    every, middle = sums / counts
    return float(every), float(middle)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--shards", required=True)
    arguments.add_argument("--tokenizer", required=True)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--gguf", help="where the export goes; default: mini.gguf in --out")
    arguments.add_argument("--minutes", type=float, required=True, help="wall time of the whole schedule")
    arguments.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    arguments.add_argument("--size", choices=sorted(SIZES), default="5m")
    arguments.add_argument("--batch", type=int, default=8, help="rows per step")
    arguments.add_argument("--length", type=int, help="train on the first tokens of each row only (speed trials)")
    arguments.add_argument("--micro", type=int, default=2, help="rows per forward pass")
    arguments.add_argument("--precision", choices=("float32", "bfloat16"),
                           help="of weights, activations and gradients; default: the faster one. The master copy is always float32")
    arguments.add_argument("--workers", type=int, default=2,
                           help="single-threaded workers on the CPU; 1: operators use --threads")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--muon-rate", type=float, default=0.02)
    arguments.add_argument("--adam-rate", type=float, default=3e-3)
    arguments.add_argument("--export-minutes", type=float, default=10)
    arguments.add_argument("--log", type=int, default=25, help="steps between log lines")
    arguments.add_argument("--init", help="a GGUF file of ours to continue from; see warm.py")
    arguments.add_argument("--layers", type=int, help="more than --init has: it is grown")
    arguments.add_argument("--steps", type=int, help="the schedule ends after this many at the latest (experiments, tests)")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    on_gpu = options.device == "cuda"
    if on_gpu:
        options.workers = 1
    # Compiled code keeps the number of threads that it was compiled with.
    torch.set_num_threads(1 if options.workers > 1 else options.threads)
    options.precision = options.precision or ("bfloat16" if on_gpu else faster_precision())
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    os.makedirs(options.out, exist_ok=True)
    gguf_path = options.gguf or os.path.join(options.out, "mini.gguf")
    checkpoint_path = os.path.join(options.out, "last.pt")

    shape = SIZES[options.size]
    shape = dataclasses.replace(shape, layers=options.layers or shape.layers)
    master = Model(shape, options.seed)
    if options.init:
        source, state = warm.weights(options.init)
        with torch.no_grad():
            for name, value in warm.grown(state, source, shape).items():
                master.get_parameter(name).copy_(value)
    master.to(options.device)
    model = Model(shape, options.seed).to(options.device, getattr(torch, options.precision))
    # The tables stay fp32: bf16 angles are off by whole positions at the end of the context.
    model.cos, model.sin = master.cos, master.sin
    optimiser = Optimiser(model, options.muon_rate, options.adam_rate)
    for name, value in master.named_parameters():
        optimiser.master[name].copy_(value.detach())
    optimiser.publish()
    team = Team(model, options.workers, options.micro, getattr(torch, options.precision))
    rows = Rows(options.shards, options.seed, held_back=HELD_BACK)
    seen, used = 0, 0.0
    if os.path.exists(checkpoint_path):
        checkpoint = torch.load(checkpoint_path, weights_only=True, map_location=options.device)
        optimiser.restore(checkpoint["optimiser"])
        rows.restore(checkpoint["rows"])
        seen, used = checkpoint["tokens"], checkpoint["seconds"]
        print(f"continued at step {optimiser.steps}, {used / 60:.1f} min used", flush=True)
    validation = tuple(a[:VALIDATED] for a in rows.validation())

    team.compile(*rows.validation())
    stop = {"asked": False}
    signal.signal(signal.SIGTERM, lambda *_: stop.update(asked=True))
    budget = options.minutes * 60
    started, shown, exported = time.monotonic() - used, time.monotonic(), time.monotonic()
    shown_tokens, losses = seen, []
    log_path = os.path.join(options.out, "log.jsonl")
    # Without a terminal, no bar is drawn.
    bar = tqdm.tqdm(total=round(budget), initial=round(used), unit="s", disable=None,
                    bar_format="{l_bar}{bar}| {elapsed} used, {remaining} left{postfix}")

    def note(row):
        with open(log_path, "a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        if bar.disable:
            print(json.dumps(row), flush=True)

    def save(seconds):
        state = optimiser.state()
        torch.save({"optimiser": state, "master": state["master"], "rows": rows.state(), "tokens": seen,
                    "seconds": seconds, "shape": shape.__dict__}, checkpoint_path + ".part")
        os.replace(checkpoint_path + ".part", checkpoint_path)
        export(optimiser.master, shape, options.tokenizer, gguf_path)
        # A slow machine saves before it has logged anything.
        if os.path.exists(log_path):
            curves.loss(log_path, os.path.join(options.out, "loss.png"))

    while True:
        elapsed = time.monotonic() - started
        done = max(elapsed / budget, optimiser.steps / options.steps if options.steps else 0.0)
        if done >= 1 or stop["asked"]:
            break
        tokens, weights = rows.take(options.batch)
        if options.length:
            tokens, weights = tokens[:, : options.length + 1], weights[:, : options.length + 1]
        loss = team.accumulate(tokens, weights / weights[:, 1:].sum())
        optimiser.step(min(1.0, (optimiser.steps + 1) / WARM_UP) * (1 - done), team.pool)
        seen += tokens[:, 1:].size
        losses.append(loss)
        now = time.monotonic()
        bar.n = min(round(now - started), bar.total)
        bar.set_postfix(loss=f"{loss:.2f}", tokens=f"{seen / 1e6:.1f}M", refresh=False)
        bar.update(0)
        if optimiser.steps % options.log == 0:
            note({
                "step": optimiser.steps, "tokens": seen, "minutes": round((now - started) / 60, 2),
                "loss": round(sum(losses) / len(losses), 4), "rate": round((seen - shown_tokens) / (now - shown)),
                "shard": rows.shard, "epoch": rows.epoch})
            shown, shown_tokens, losses = now, seen, []
        if now - exported > options.export_minutes * 60:
            exported = now
            save(now - started)
            every, middle = validate(model, validation)
            note({"validation": round(every, 4), "middle": round(middle, 4), "tokens": seen})
            shown, shown_tokens = time.monotonic(), seen
    seconds = min(budget, time.monotonic() - started)
    every, middle = validate(model, validation)
    note({"finished": not stop["asked"], "step": optimiser.steps, "tokens": seen, "minutes": round(seconds / 60, 2),
          "validation": round(every, 4), "middle": round(middle, 4)})
    save(seconds)
    bar.close()


if __name__ == "__main__":
    main()
