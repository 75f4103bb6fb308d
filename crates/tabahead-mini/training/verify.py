"""Checks an exported file against the checkpoint that it was made from.

Reads the GGUF back and compares every tensor with the checkpoint (Q8_0 keeps 1/127 of a block's
largest value). Also compares the logits of `transformers`, which reads the file on its own, with
those of `model.py`. So names, shapes, the order of the rotary pairs and the tied embedding are as
other programs expect them.

    python verify.py --checkpoint DIR/run/last.pt --tokenizer DIR/tokenizer.json --gguf DIR/mini.gguf

With the two files of `llama.mjs`, token ids and the likeliest next tokens are also compared with
llama.cpp's: `--texts TEXTS.jsonl --llama OUT.jsonl`. llama.cpp rounds activations to 8 bits, so its
probabilities are close, not equal.
"""

import argparse
import json
import math
import os

import gguf
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from model import Model, Shape

TEXT = "def add(a, b):\n    return a + b\n\n\nclass Point:\n    def __init__(self, x, y):\n        self.x = x\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--checkpoint", required=True)
    arguments.add_argument("--tokenizer", required=True)
    arguments.add_argument("--gguf", required=True)
    arguments.add_argument("--texts", help="JSON strings, one a line")
    arguments.add_argument("--llama", help="what llama.mjs made of them")
    options = arguments.parse_args()
    checkpoint = torch.load(options.checkpoint, weights_only=True)
    model = Model(Shape(**checkpoint["shape"]))
    parameters = dict(model.named_parameters())
    tensors = gguf.GGUFReader(options.gguf).tensors
    assert {t.name for t in tensors} == {f"{n}.weight" for n in parameters}
    for tensor in tensors:
        name = tensor.name.removesuffix(".weight")
        stored = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy())
        wanted = checkpoint["master"][name]
        assert stored.shape == wanted.shape, name
        blocks = (wanted.flatten().view(-1, 32).abs().amax(1) / 127 if wanted.dim() == 2 else torch.zeros(1))
        worst = float((stored - wanted).abs().max())
        assert worst <= float(blocks.max()), f"{name}: off by {worst}"
        with torch.no_grad():
            parameters[name].copy_(stored)

    ids = torch.tensor([Tokenizer.from_file(options.tokenizer).encode(TEXT).ids])
    folder, file = os.path.split(os.path.abspath(options.gguf))
    other = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    with torch.no_grad():
        ours = model(ids) @ model.token_embd.T
        theirs = other(ids).logits
    difference = float((ours - theirs).abs().max())
    print(f"{len(tensors)} tensors agree; logits differ by at most {difference:.2e} of {float(ours.abs().max()):.1f}")
    assert difference < 1e-3
    if options.llama:
        compare_with_llama(options, model)


@torch.no_grad()
def compare_with_llama(options, model):
    """Checks that token ids are equal and that next tokens are nearly as likely."""
    tokenizer = Tokenizer.from_file(options.tokenizer)
    tokenizer.encode_special_tokens = True
    texts, known = ([json.loads(line) for line in open(path, encoding="utf-8")] for path in (options.texts, options.llama))
    assert len(texts) == len(known)
    tokens, states, same, worst = 0, 0, 0, 0.0
    for text, theirs in zip(texts, known):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert ids == theirs["ids"], repr(text)
        tokens += len(ids)
        if "next" in theirs:
            ours = (model(torch.tensor([ids]))[0, -1] @ model.token_embd.T).log_softmax(0)
            states += 1
            same += int(ours.argmax()) == theirs["next"][0][0]
            worst = max(worst, *(abs(math.log(p) - float(ours[i])) for i, p in theirs["next"] if p > 0.01))
    print(f"llama.cpp: {len(texts)} texts give the same {tokens} tokens; the likeliest next token is the same in {same} of "
          f"{states} states, log-probabilities of tokens above 1 % differ by at most {worst:.3f}")
    assert worst < 0.5 and same >= 0.9 * states


if __name__ == "__main__":
    main()
