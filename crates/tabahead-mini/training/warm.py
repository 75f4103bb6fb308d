"""Takes tokenizer and weights out of a GGUF file of ours, so that training can go on from what is committed.

    python warm.py tokenizer --gguf ../mini.gguf --out DIR/tokenizer.json
    python train.py --init ../mini.gguf ...      reads the weights by `weights` below
"""

import argparse

import gguf
import numpy as np
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from model import Shape
from tokenizer import QWEN2_PATTERN, SPECIALS


def field(reader, name):
    """Returns a metadata value."""
    return reader.fields[name].contents()


def tokenizer(reader):
    """Returns the tokenizer of a file, built with the `tokenizers` library."""
    assert field(reader, "tokenizer.ggml.pre") == "qwen2"
    vocabulary = {token: i for i, token in enumerate(field(reader, "tokenizer.ggml.tokens"))}
    merges = [tuple(merge.split(" ")) for merge in field(reader, "tokenizer.ggml.merges")]
    built = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    built.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2_PATTERN), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    built.decoder = decoders.ByteLevel()
    built.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIALS])
    assert built.get_vocab_size() == len(vocabulary)
    return built


def weights(path):
    """Returns (Shape, fp32 tensors by parameter name); matrices are as exact as Q8_0 kept them."""
    reader = gguf.GGUFReader(path)
    shape = Shape(
        vocabulary=field(reader, "llama.vocab_size"), width=field(reader, "llama.embedding_length"),
        layers=field(reader, "llama.block_count"), heads=field(reader, "llama.attention.head_count"),
        kv_heads=field(reader, "llama.attention.head_count_kv"), hidden=field(reader, "llama.feed_forward_length"),
        context=field(reader, "llama.context_length"), rope_base=field(reader, "llama.rope.freq_base"),
    )
    state = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        state[tensor.name.removesuffix(".weight")] = torch.from_numpy(np.array(values, dtype=np.float32))
    return shape, state


def grown(state, source, target):
    """Returns the weights of the same function with more layers.

    A new layer follows the one that it is a copy of, but contributes nothing yet: its output
    matrices are zero, and training fills them (Gong et al. 2019 stack, Shen et al. 2022 keep the
    function).
    """
    if target.layers == source.layers:
        return state
    result = {name: t for name, t in state.items() if not name.startswith("blk.")}
    added = target.layers - source.layers
    assert 0 < added <= source.layers, "at most doubled"
    # Spread over the depth: the copied layers are at equal distances.
    copied = {i * source.layers // added for i in range(added)}
    assert len(copied) == added
    at = 0
    for layer in range(source.layers):
        own = {name.split(".", 2)[2]: t for name, t in state.items() if name.startswith(f"blk.{layer}.")}
        for copy in range(2 if layer in copied else 1):
            for name, t in own.items():
                silent = copy and name in ("attn_output", "ffn_down")
                result[f"blk.{at}.{name}"] = torch.zeros_like(t) if silent else t.clone()
            at += 1
    return result


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("what", choices=("tokenizer",))
    arguments.add_argument("--gguf", required=True)
    arguments.add_argument("--out", required=True)
    options = arguments.parse_args()
    tokenizer(gguf.GGUFReader(options.gguf)).save(options.out)


if __name__ == "__main__":
    main()
