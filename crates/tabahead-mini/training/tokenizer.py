"""Step 2: trains the byte-level BPE tokenizer, 8192 entries with the six control tokens.

The pre-tokenizer is exactly the one that llama.cpp calls `qwen2`; there is no normaliser and no
dummy prefix, so that decode(encode(text)) == text. Text is LF only.

    python tokenizer.py --data DIR/train.jsonl --out DIR/tokenizer.json
"""

import argparse
import json
import random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIALS = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|file_sep|>", "<|fim_pad|>"]
VOCABULARY = 8192


def sample(path, budget, seed):
    """Yields file texts in random order until their characters reach `budget`."""
    rows = [json.loads(line)["text"] for line in open(path, encoding="utf-8")]
    random.Random(seed).shuffle(rows)
    for text in rows:
        if budget <= 0:
            return
        budget -= len(text)
        yield text


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", required=True)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--megabytes", type=float, default=24)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2_PATTERN), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIALS, max_token_length=32, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(sample(options.data, int(options.megabytes * 1e6), options.seed), trainer)
    assert tokenizer.get_vocab_size() == VOCABULARY
    assert all(tokenizer.token_to_id(c) is not None for c in pre_tokenizers.ByteLevel.alphabet())
    tokenizer.save(options.out)

    for text in sample(options.data, 1_000_000, options.seed + 1):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids, skip_special_tokens=False) == text
    count = sum(len(tokenizer.encode(t).ids) for t in sample(options.data, 2_000_000, options.seed + 2))
    print(f"{2_000_000 / count:.2f} bytes per token")


if __name__ == "__main__":
    main()
