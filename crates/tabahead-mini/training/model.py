"""The model: Llama architecture with grouped-query attention, tied embedding, rotary pairs (2i, 2i+1).

Interleaved pairs are what llama.cpp calls the NORM kind of RoPE for `llama`, so weights are
exported unpermuted.
"""

import dataclasses

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of the network; the defaults are those of the mini."""

    vocabulary: int = 8192
    width: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 768
    context: int = 1024
    rope_base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head_width(self):
        return self.width // self.heads


def rope_tables(shape):
    """Returns cos and sin of every position and pair, fp32, [context, head_width / 2]."""
    pairs = torch.arange(0, shape.head_width, 2, dtype=torch.float64)
    angles = torch.arange(shape.context, dtype=torch.float64)[:, None] * shape.rope_base ** (-pairs / shape.head_width)
    return angles.cos().float(), angles.sin().float()


def rotate(x, cos, sin):
    """Rotates the pairs (2i, 2i+1) of x [batch, time, heads, head_width]."""
    even, odd = x[..., 0::2].float(), x[..., 1::2].float()
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2).to(x.dtype)


class Block(nn.Module):
    """Attention, then SwiGLU, each after an RMS norm and added to the stream."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        d, kv = shape.width, shape.kv_heads * shape.head_width
        self.attn_norm = nn.Parameter(torch.ones(d))
        self.attn_q = nn.Parameter(torch.empty(d, d))
        self.attn_k = nn.Parameter(torch.empty(kv, d))
        self.attn_v = nn.Parameter(torch.empty(kv, d))
        self.attn_output = nn.Parameter(torch.empty(d, d))
        self.ffn_norm = nn.Parameter(torch.ones(d))
        self.ffn_gate = nn.Parameter(torch.empty(shape.hidden, d))
        self.ffn_up = nn.Parameter(torch.empty(shape.hidden, d))
        self.ffn_down = nn.Parameter(torch.empty(d, shape.hidden))

    def forward(self, x, cos, sin, mask=None, past=None):
        s = self.shape
        b, t, d = x.shape
        h = F.rms_norm(x, (d,), self.attn_norm, s.epsilon)
        q, k, v = torch.split(
            F.linear(h, torch.cat((self.attn_q, self.attn_k, self.attn_v))),
            (d, s.kv_heads * s.head_width, s.kv_heads * s.head_width), -1)
        q = rotate(q.view(b, t, s.heads, -1), cos, sin).transpose(1, 2)
        k = rotate(k.view(b, t, s.kv_heads, -1), cos, sin).transpose(1, 2)
        v = v.view(b, t, s.kv_heads, -1).transpose(1, 2)
        if past is not None:
            k, v = past.extended(k, v)
        group = s.heads // s.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        x = x + F.linear(y.transpose(1, 2).reshape(b, t, d), self.attn_output)
        h = F.rms_norm(x, (d,), self.ffn_norm, s.epsilon)
        gate, up = F.linear(h, torch.cat((self.ffn_gate, self.ffn_up))).chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.ffn_down)


class Past:
    """Keys and values of the tokens that one block has read."""

    def __init__(self):
        self.keys = self.values = None

    def extended(self, keys, values):
        """Returns all keys and values, including the new ones.

        A past of one row serves any number of new rows.
        """
        if self.keys is not None:
            rows = keys.shape[0]
            keys = torch.cat((self.keys.expand(rows, -1, -1, -1), keys), 2)
            values = torch.cat((self.values.expand(rows, -1, -1, -1), values), 2)
        self.keys, self.values = keys, values
        return keys, values


class Model(nn.Module):
    """Maps tokens [batch, time] to normed hidden states [batch, time, width].

    Logits are these states times the embedding.
    """

    def __init__(self, shape=Shape(), seed=1):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Parameter(torch.empty(shape.vocabulary, shape.width))
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.Parameter(torch.ones(shape.width))
        cos, sin = rope_tables(shape)
        self.register_buffer("cos", cos[:, None, :], persistent=False)
        self.register_buffer("sin", sin[:, None, :], persistent=False)
        generator = torch.Generator().manual_seed(seed)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                scale = 0.02 / (2 * shape.layers) ** 0.5 if name.endswith(("attn_output", "ffn_down")) else 0.02
                with torch.no_grad():
                    p.normal_(0.0, scale, generator=generator)

    def forward(self, tokens, positions=None, mask=None, past=None):
        """Runs causally over whole rows, or at `positions`.

        At `positions`, tokens see what `mask` allows, after the `past` of each block.
        """
        if positions is None:
            positions = slice(tokens.shape[1])
        x = F.embedding(tokens, self.token_embd)
        # The tables are fp32, whatever the type of the weights.
        cos, sin = self.cos[positions].float(), self.sin[positions].float()
        for i, block in enumerate(self.blk):
            x = block(x, cos, sin, mask, past and past[i])
        return F.rms_norm(x, (self.shape.width,), self.output_norm, self.shape.epsilon)
