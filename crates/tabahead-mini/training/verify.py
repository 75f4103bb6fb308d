"""Checks an exported file against the checkpoint that it was made from.

Reads the GGUF back, compares every tensor with the checkpoint (Q8_0 keeps 1/127 of a block's largest value), and the
logits of `transformers`, which reads the file on its own, with those of `model.py`: so names, shapes, the order of the
rotary pairs and the tied embedding are as other programs expect them.

    python verify.py --checkpoint DIR/run/last.pt --tokenizer DIR/tokenizer.json --gguf DIR/mini.gguf
"""

import argparse
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


if __name__ == "__main__":
    main()
