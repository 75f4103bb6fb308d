"""Step 4: writes a checkpoint as GGUF: Q8_0 matrices (embedding too), F32 norms, tokenizer and FIM ids in the metadata.

    python export.py --tokenizer DIR/tokenizer.json --checkpoint DIR/last.pt --out DIR/mini.gguf
    python export.py --tokenizer DIR/tokenizer.json --random --out DIR/random.gguf
"""

import argparse
import json
import os

import gguf
import numpy as np
import torch

from model import Model, Shape
from tokenizer import SPECIALS

DESCRIPTION = (
    "Small code model for fill in the middle, suffix first: <|file_sep|> FILENAME LF <|fim_suffix|> SUFFIX "
    "<|fim_prefix|> PREFIX, and the middle continues the prefix up to <|endoftext|>."
)


def export(state, shape, tokenizer_path, path, description=DESCRIPTION, name="tabahead-mini v2", least_log_prob=None):
    """Writes `path` whole or not at all.

    `state` maps parameter names to fp32 tensors. `least_log_prob` maps a share to the mean
    log-probability from which on that share of the suggestions shown is right.
    """
    tokenizer = json.load(open(tokenizer_path, encoding="utf-8"))
    vocabulary = sorted(tokenizer["model"]["vocab"].items(), key=lambda entry: entry[1])
    assert [i for _, i in vocabulary] == list(range(shape.vocabulary))
    ids = dict(vocabulary)
    merges = [" ".join(m) if isinstance(m, list) else m for m in tokenizer["model"]["merges"]]

    partial = path + ".part"
    w = gguf.GGUFWriter(partial, "llama")
    w.add_name(name)
    w.add_description(description)
    w.add_license("MIT OR Apache-2.0")
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    w.add_block_count(shape.layers)
    w.add_context_length(shape.context)
    w.add_embedding_length(shape.width)
    w.add_feed_forward_length(shape.hidden)
    w.add_head_count(shape.heads)
    w.add_head_count_kv(shape.kv_heads)
    w.add_rope_dimension_count(shape.head_width)
    w.add_rope_freq_base(shape.rope_base)
    w.add_layer_norm_rms_eps(shape.epsilon)
    w.add_vocab_size(shape.vocabulary)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list([t for t, _ in vocabulary])
    w.add_token_types([
        gguf.TokenType.CONTROL if t in SPECIALS else gguf.TokenType.NORMAL for t, _ in vocabulary])
    w.add_token_merges(merges)
    end = ids["<|endoftext|>"]
    w.add_eos_token_id(end)
    w.add_eot_token_id(end)
    w.add_bool("tokenizer.ggml.add_bos_token", False)
    w.add_uint32("tokenizer.ggml.fim_pre_token_id", ids["<|fim_prefix|>"])
    w.add_uint32("tokenizer.ggml.fim_suf_token_id", ids["<|fim_suffix|>"])
    w.add_uint32("tokenizer.ggml.fim_mid_token_id", ids["<|fim_middle|>"])
    w.add_uint32("tokenizer.ggml.fim_pad_token_id", ids["<|fim_pad|>"])
    w.add_uint32("tokenizer.ggml.fim_sep_token_id", ids["<|file_sep|>"])
    if least_log_prob is not None:
        w.add_float32("tabahead.gate.least_log_prob", least_log_prob[0.3])
        w.add_float32("tabahead.gate.least_log_prob_50", least_log_prob[0.5])
    for parameter, tensor in state.items():
        values = tensor.detach().float().cpu().numpy()
        # blk.0.attn_q -> blk.0.attn_q.weight: the parameters carry GGUF's names.
        if values.ndim == 2:
            quantised = gguf.quants.quantize(np.ascontiguousarray(values), gguf.GGMLQuantizationType.Q8_0)
            w.add_tensor(f"{parameter}.weight", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            w.add_tensor(f"{parameter}.weight", values)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    os.replace(partial, path)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--tokenizer", required=True)
    source = arguments.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint")
    source.add_argument("--random", action="store_true", help="untrained weights, to have a loadable file early")
    arguments.add_argument("--eval", help="what `tabahead eval --json` printed for this checkpoint: its thresholds are written, too")
    arguments.add_argument("--out", required=True)
    options = arguments.parse_args()
    thresholds = None
    if options.eval:
        right = json.load(open(options.eval, encoding="utf-8"))["right"]
        thresholds = {r["right"]: round(r["least_log_prob"], 2) for r in right}
    if options.random:
        shape = Shape()
        export(dict(Model(shape).named_parameters()), shape, options.tokenizer, options.out, name="random weights")
    else:
        checkpoint = torch.load(options.checkpoint, weights_only=True, map_location="cpu")
        export(checkpoint["master"], Shape(**checkpoint["shape"]), options.tokenizer, options.out,
               least_log_prob=thresholds)
    print(f"{options.out}: {os.path.getsize(options.out)} bytes")


if __name__ == "__main__":
    main()
