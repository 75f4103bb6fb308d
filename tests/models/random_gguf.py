#!/usr/bin/env python3
"""Writes a GGUF file with the shape of a real model and random weights.

    python3 -m venv venv && venv/bin/pip install gguf numpy
    venv/bin/python random_gguf.py qwen2.5-1.5b out.gguf --type Q8_0

Such a file computes as fast as the real one and says nothing of sense: it is for speed, memory
and loading. Quantised blocks are drawn directly instead of quantising numbers, so a file is
written about as fast as the disk takes it. The same arguments give the same bytes.

Without --no-tokenizer the file has a byte-level vocabulary with fill-in-the-middle tokens, so
that it also completes: all bytes, then words of a space or letter and up to three letters more.
"""

import argparse
import dataclasses
import itertools
import math
import string

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type


@dataclasses.dataclass
class Shape:
    architecture: str
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    vocabulary: int
    tied: bool = True
    context: int = 32768
    rope_base: float = 1e6
    epsilon: float = 1e-6
    # Rotations slowed down as Llama 3 does, by this factor at most.
    llama3_factor: float | None = None


SHAPES = {
    "tiny": Shape("llama", 64, 2, 4, 2, 16, 256, 512, context=512, rope_base=1e4, epsilon=1e-5),
    "mini": Shape("llama", 256, 4, 4, 2, 64, 768, 8192, rope_base=1e4, epsilon=1e-5),
    "qwen2.5-0.5b": Shape("qwen2", 896, 24, 14, 2, 64, 4864, 151936),
    "qwen2.5-1.5b": Shape("qwen2", 1536, 28, 12, 2, 128, 8960, 151936),
    "qwen2.5-3b": Shape("qwen2", 2048, 36, 16, 2, 128, 11008, 151936),
    "qwen2.5-7b": Shape("qwen2", 3584, 28, 28, 4, 128, 18944, 152064, tied=False),
    "qwen3-0.6b": Shape("qwen3", 1024, 28, 16, 8, 128, 3072, 151936, context=40960),
    "qwen3-1.7b": Shape("qwen3", 2048, 28, 16, 8, 128, 6144, 151936, context=40960),
    "llama-1b": Shape("llama", 2048, 16, 32, 8, 64, 8192, 128256, context=131072,
                      rope_base=5e5, epsilon=1e-5, llama3_factor=32.0),
}
SPECIAL = {
    "<|endoftext|>": "eos", "<|fim_prefix|>": "fim_pre", "<|fim_middle|>": "fim_mid",
    "<|fim_suffix|>": "fim_suf", "<|fim_pad|>": "fim_pad", "<|repo_name|>": "fim_rep",
    "<|file_sep|>": "fim_sep",
}
# Random bytes that tensors are cut from.
POOL = np.random.default_rng(5).integers(0, 256, 64 << 20, dtype=np.uint8)


def pooled(generator, size):
    """That many random bytes, from a random place of the pool and round it."""
    start = int(generator.integers(0, len(POOL)))
    return np.resize(np.roll(POOL, -start) if size > len(POOL) - start else POOL[start:], size)


def blocks(generator, type, rows, columns):
    """Rows of random blocks whose numbers have a variance of 1 / columns."""
    deviation = 1 / math.sqrt(columns)
    if type == Type.F16:
        numbers = pooled(generator, rows * columns).reshape(rows, columns).view(np.int8)
        # Rows that come from the same place of the pool differ by this.
        scales = deviation / 73.9 * generator.uniform(0.75, 1.25, (rows, 1)).astype(np.float32)
        return np.concatenate([
            (part * scale).astype(np.float16)
            for part, scale in zip(np.array_split(numbers, 16), np.array_split(scales, 16))
        ])
    size, block_bytes = gguf.GGML_QUANT_SIZES[type]
    count = rows * columns // size
    out = pooled(generator, count * block_bytes).reshape(count, block_bytes)
    vary = generator.uniform(0.75, 1.25, count).astype(np.float32)
    if type == Type.Q8_0:
        # A half-float scale, 32 signed bytes with a deviation of 73.9.
        out[:, 0:2] = (vary * (deviation / 73.9)).astype("<f2").view(np.uint8).reshape(count, 2)
    else:
        # Q4_K: d, dmin, eight scales and eight minima of six bits, 256 numbers of four bits. With
        # equal scales and minima a number is d * scale * (n - 7.5); its deviation is 168 d.
        d = (vary * (deviation / 168)).astype("<f2")
        out[:, 0:2] = d.view(np.uint8).reshape(count, 2)
        out[:, 2:4] = (d * np.float16(7.5)).astype("<f2").view(np.uint8).reshape(count, 2)
        out[:, 8:12] = out[:, 4:8]
        out[:, 12:16] = out[:, 12:16] % 16 * 17
    return out.reshape(rows, columns // size * block_bytes)


def fitting(type, columns):
    """The type, or Q8_0 where its blocks do not fit the columns."""
    return Type.Q8_0 if type == Type.Q4_K and columns % 256 else type


def tensors(shape):
    """Names and sizes of all tensors: matrices have rows and columns, vectors one size."""
    query, kv = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    yield "token_embd.weight", (shape.vocabulary, shape.width)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", (shape.width,)
        for part, rows in [("q", query), ("k", kv), ("v", kv)]:
            yield f"{block}attn_{part}.weight", (rows, shape.width)
            if shape.architecture == "qwen2":
                yield f"{block}attn_{part}.bias", (rows,)
            if shape.architecture == "qwen3" and part != "v":
                yield f"{block}attn_{part}_norm.weight", (shape.head_width,)
        yield block + "attn_output.weight", (shape.width, query)
        yield block + "ffn_norm.weight", (shape.width,)
        yield block + "ffn_gate.weight", (shape.feed_forward, shape.width)
        yield block + "ffn_up.weight", (shape.feed_forward, shape.width)
        yield block + "ffn_down.weight", (shape.width, shape.feed_forward)
    yield "output_norm.weight", (shape.width,)
    if not shape.tied:
        yield "output.weight", (shape.vocabulary, shape.width)
    if shape.llama3_factor is not None:
        yield "rope_freqs.weight", (shape.head_width // 2,)


def llama3_factors(shape):
    """What Llama 3 divides its frequencies by: short waves by 1, long ones by the factor."""
    low, high, original = 1.0, 4.0, 8192
    pairs = np.arange(shape.head_width // 2)
    waves = 2 * math.pi * shape.rope_base ** (2 * pairs / shape.head_width)
    smooth = np.clip((original / waves - low) / (high - low), 0, 1)
    return 1 / ((1 - smooth) / shape.llama3_factor + smooth)


def vector(generator, shape, name, size):
    if name == "rope_freqs.weight":
        return llama3_factors(shape).astype(np.float32)
    middle, spread = (0.0, 0.05) if name.endswith(".bias") else (1.0, 0.1)
    return (middle + spread * generator.standard_normal(size)).astype(np.float32)


def byte_chars():
    """GPT-2's character of each byte."""
    moved = itertools.count(0x100)
    printable = {*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)}
    return [chr(byte if byte in printable else next(moved)) for byte in range(256)]


def add_tokenizer(writer, vocabulary):
    tokens = byte_chars()
    merges = []
    words = ["\u0120", *string.ascii_lowercase]  # U+0120 means a space.
    missing = vocabulary - len(tokens) - len(SPECIAL)
    while len(merges) < missing:
        pairs = itertools.product(words, string.ascii_lowercase)
        pairs = list(itertools.islice(pairs, missing - len(merges)))
        merges += [f"{left} {right}" for left, right in pairs]
        words = [left + right for left, right in pairs]
        tokens += words
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens + list(SPECIAL))
    writer.add_token_types([1] * len(tokens) + [3] * len(SPECIAL))
    writer.add_token_merges(merges)
    for id, role in enumerate(SPECIAL.values(), len(tokens)):
        writer.add_uint32(f"tokenizer.ggml.{role}_token_id", id)


def write(name, shape, path, type, tokenizer):
    writer = gguf.GGUFWriter(path, shape.architecture)
    writer.add_name(f"random {name}")
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    if tokenizer:
        add_tokenizer(writer, shape.vocabulary)
    for tensor, sizes in tensors(shape):
        if len(sizes) == 1:
            writer.add_tensor_info(tensor, sizes, np.dtype(np.float32), sizes[0] * 4)
            continue
        rows, columns = sizes
        fits = fitting(type, columns)
        if fits == Type.F16:
            writer.add_tensor_info(tensor, sizes, np.dtype(np.float16), rows * columns * 2)
            continue
        size, block_bytes = gguf.GGML_QUANT_SIZES[fits]
        row_bytes = columns // size * block_bytes
        writer.add_tensor_info(
            tensor, (rows, row_bytes), np.dtype(np.uint8), rows * row_bytes, raw_dtype=fits)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    generator = np.random.default_rng(7)
    for tensor, sizes in tensors(shape):
        if len(sizes) == 1:
            writer.write_tensor_data(vector(generator, shape, tensor, sizes[0]))
        else:
            writer.write_tensor_data(blocks(generator, fitting(type, sizes[1]), *sizes))
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("out")
    parser.add_argument("--type", choices=["Q8_0", "Q4_K", "F16"], default="Q8_0")
    parser.add_argument("--no-tokenizer", action="store_true")
    args = parser.parse_args()
    shape = SHAPES[args.shape]
    write(args.shape, shape, args.out, Type[args.type], not args.no_tokenizer)


if __name__ == "__main__":
    main()
