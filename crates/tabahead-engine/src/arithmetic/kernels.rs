//! The arithmetic, written once, for every instruction set.
//!
//! Each function is compiled several times by `simd`, with different instruction sets enabled. The
//! results are bitwise the same everywhere, because each number is computed by the same operations
//! in the same order: sums run in sixteen lanes that are folded in one fixed order, products are
//! added with one rounding (`mul_add`), and the number of rows computed together changes nothing
//! within a row. Products of quantised numbers are in `quantized`. Knows nothing of models.

#![expect(
    clippy::needless_range_loop,
    reason = "loops over lanes with a constant bound are what the compiler turns into vectors"
)]

mod quantized;

pub(crate) use quantized::*;

/// Number of lanes that are computed side by side.
pub(crate) const LANES: usize = 16;

/// Number of positions in a block of keys and values.
pub(crate) const KV_BLOCK: usize = 32;

#[inline(always)]
pub(crate) fn fold(lanes: [f32; LANES], op: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    let mut lanes = lanes;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = op(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Computes `e^x`, exact to about two units in the last place; `x` is clamped to ±87.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Adding this rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;

    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 87.0 { 87.0 } else { x };
    let shifted = x.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_HIGH, x);
    let r = n.mul_add(-LN_2_LOW, r);
    let p = 1.987_569_1e-4f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let p = (p * r).mul_add(r, r) + 1.0;
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// Computes `out = x / rms(x) * weight`.
#[inline(always)]
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = chunk[lane].mul_add(chunk[lane], lanes[lane]);
        }
    }
    for (lane, &number) in rest.iter().enumerate() {
        lanes[lane] = number.mul_add(number, lanes[lane]);
    }
    let mean = fold(lanes, |a, b| a + b) / x.len() as f32;
    let scale = 1.0 / (mean + epsilon).sqrt();
    for ((out, &x), &weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

/// Computes `gate = silu(gate) * up`.
#[inline(always)]
pub(crate) fn silu_mul(gate: &mut [f32], up: &[f32]) {
    for (gate, &up) in gate.iter_mut().zip(up) {
        *gate = *gate / (1.0 + exp(-*gate)) * up;
    }
}

/// Rotates the pairs (i, i + half) of one head by the angles of its position.
#[inline(always)]
pub(crate) fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let half = cos.len();
    let (first, second) = head.split_at_mut(half);
    for ((first, second), (&cos, &sin)) in first.iter_mut().zip(second).zip(cos.iter().zip(sin)) {
        let (a, b) = (*first, *second);
        *first = a * cos - b * sin;
        *second = a * sin + b * cos;
    }
}

/// Computes sixteen outputs of a matrix for each of `M` rows; `tile` holds sixteen weights per
/// column.
#[inline(always)]
pub(crate) fn dense_tile<const M: usize>(
    tile: &[f32],
    rows: [&[f32]; M],
    out: &mut [[f32; LANES]; M],
) {
    columns(tile, |number| number, rows, out);
}

/// Computes the same for BF16 weights.
#[inline(always)]
pub(crate) fn brain_tile<const M: usize>(
    tile: &[u16],
    rows: [&[f32]; M],
    out: &mut [[f32; LANES]; M],
) {
    columns(tile, widen_brain, rows, out);
}

#[inline(always)]
fn columns<const M: usize, T: Copy>(
    tile: &[T],
    widen: impl Fn(T) -> f32,
    rows: [&[f32]; M],
    out: &mut [[f32; LANES]; M],
) {
    // Four sums per output, so that an addition need not wait for the previous one.
    let mut sums = [[[0.0f32; LANES]; 4]; M];
    let (groups, rest) = tile.as_chunks::<{ 4 * LANES }>();
    let fours = rows.map(|row| &row.as_chunks::<4>().0[..groups.len()]);
    for index in 0..groups.len() {
        let group = &groups[index];
        for part in 0..4 {
            let mut weights = [0.0f32; LANES];
            for lane in 0..LANES {
                weights[lane] = widen(group[part * LANES + lane]);
            }
            for row in 0..M {
                let x = fours[row][index][part];
                for lane in 0..LANES {
                    sums[row][part][lane] = weights[lane].mul_add(x, sums[row][part][lane]);
                }
            }
        }
    }
    for (part, weights) in rest.as_chunks::<LANES>().0.iter().enumerate() {
        for row in 0..M {
            let x = rows[row][groups.len() * 4 + part];
            for lane in 0..LANES {
                sums[row][part][lane] = widen(weights[lane]).mul_add(x, sums[row][part][lane]);
            }
        }
    }
    for row in 0..M {
        for lane in 0..LANES {
            let [a, b, c, d] = [0, 1, 2, 3].map(|part| sums[row][part][lane]);
            out[row][lane] = (a + b) + (c + d);
        }
    }
}

/// What a query has gathered from the keys that it has met so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gathered {
    /// Largest score.
    pub(crate) max: f32,
    /// Sum of the weights, relative to `max`.
    pub(crate) sum: f32,
}

impl Gathered {
    pub(crate) const NOTHING: Self = Self {
        max: f32::NEG_INFINITY,
        sum: 0.0,
    };
}

/// The work of one query on a block of keys and values.
pub(crate) struct Query<'a> {
    pub(crate) query: &'a [f32],
    pub(crate) gathered: &'a mut Gathered,
    pub(crate) out: &'a mut [f32],
}

/// Lets `R` queries attend to the first `valid` positions of a block.
///
/// `keys` holds 32 positions for each dimension, `values` all dimensions for each position. Scores
/// are in units of `1 / scale`.
#[inline(always)]
pub(crate) fn attend<const R: usize>(
    keys: &[f32],
    values: &[f32],
    valid: usize,
    scale: f32,
    queries: &mut [Query<'_>; R],
) {
    let mut scores = products(keys, std::array::from_fn(|row| queries[row].query));
    for row in 0..R {
        let scores = &mut scores[row];
        for position in 0..KV_BLOCK {
            let score = scores[position] * scale;
            scores[position] = if position < valid {
                score
            } else {
                f32::NEG_INFINITY
            };
        }
        let mut max = [0.0f32; LANES];
        for lane in 0..LANES {
            let (a, b) = (scores[lane], scores[lane + LANES]);
            max[lane] = if a > b { a } else { b };
        }
        let max = fold(max, |a, b| if a > b { a } else { b });
        let query = &mut queries[row];
        let max = if max > query.gathered.max {
            max
        } else {
            query.gathered.max
        };
        let fade = exp(query.gathered.max - max);
        let mut sum = [0.0f32; LANES];
        for position in 0..KV_BLOCK {
            let weight = exp(scores[position] - max);
            scores[position] = if position < valid { weight } else { 0.0 };
        }
        for lane in 0..LANES {
            sum[lane] = scores[lane] + scores[lane + LANES];
        }
        let sum = fold(sum, |a, b| a + b);
        query.gathered.sum = query.gathered.sum.mul_add(fade, sum);
        query.gathered.max = max;
        for out in query.out.iter_mut() {
            *out *= fade;
        }
    }
    let width = queries[0].out.len();
    let mut at = 0;
    while at + 4 * LANES <= width {
        gather::<R, 4>(values, valid, at, &scores, queries);
        at += 4 * LANES;
    }
    while at < width {
        gather::<R, 1>(values, valid, at, &scores, queries);
        at += LANES;
    }
}

/// Computes the products of `R` queries with 32 keys. Even and odd dimensions are summed
/// separately, so that an addition need not wait for the previous one.
#[inline(always)]
fn products<const R: usize>(keys: &[f32], queries: [&[f32]; R]) -> [[f32; KV_BLOCK]; R] {
    let (pairs, _) = keys.as_chunks::<{ 2 * KV_BLOCK }>();
    let queries = queries.map(|query| &query.as_chunks::<2>().0[..pairs.len()]);
    let mut even = [[0.0f32; KV_BLOCK]; R];
    let mut odd = [[0.0f32; KV_BLOCK]; R];
    for pair in 0..pairs.len() {
        let keys = &pairs[pair];
        for row in 0..R {
            let [first, second] = queries[row][pair];
            for position in 0..KV_BLOCK {
                even[row][position] = keys[position].mul_add(first, even[row][position]);
            }
            for position in 0..KV_BLOCK {
                odd[row][position] = keys[KV_BLOCK + position].mul_add(second, odd[row][position]);
            }
        }
    }
    for row in 0..R {
        for position in 0..KV_BLOCK {
            even[row][position] += odd[row][position];
        }
    }
    even
}

/// Adds the weighted values to `C` times sixteen dimensions, starting with dimension `at`.
#[inline(always)]
fn gather<const R: usize, const C: usize>(
    values: &[f32],
    valid: usize,
    at: usize,
    weights: &[[f32; KV_BLOCK]; R],
    queries: &mut [Query<'_>; R],
) {
    let width = queries[0].out.len();
    let mut sums = [[[0.0f32; LANES]; C]; R];
    for row in 0..R {
        let (out, _) = queries[row].out[at..].as_chunks::<LANES>();
        sums[row].copy_from_slice(&out[..C]);
    }
    for (position, values) in values
        .chunks_exact(width)
        .take(valid.min(KV_BLOCK))
        .enumerate()
    {
        let (values, _) = values[at..].as_chunks::<LANES>();
        for part in 0..C {
            let values = values[part];
            for row in 0..R {
                let weight = weights[row][position % KV_BLOCK];
                for lane in 0..LANES {
                    sums[row][part][lane] = values[lane].mul_add(weight, sums[row][part][lane]);
                }
            }
        }
    }
    for row in 0..R {
        let (out, _) = queries[row].out[at..].as_chunks_mut::<LANES>();
        out[..C].copy_from_slice(&sums[row]);
    }
}

/// Returns the largest number.
#[inline(always)]
pub(crate) fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let (a, b) = (chunk[lane], lanes[lane]);
            lanes[lane] = if a > b { a } else { b };
        }
    }
    for (lane, &number) in rest.iter().enumerate() {
        lanes[lane] = lanes[lane].max(number);
    }
    fold(lanes, |a, b| if a > b { a } else { b })
}

/// Returns the index of the largest number whose kind is at most `last`; ties go to the first.
#[inline(always)]
pub(crate) fn best(x: &[f32], kinds: &[u8], last: u8) -> Option<u32> {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    let (kind_chunks, rest_kinds) = kinds.as_chunks::<LANES>();
    for (chunk, kinds) in chunks.iter().zip(kind_chunks) {
        for lane in 0..LANES {
            let number = if kinds[lane] <= last {
                chunk[lane]
            } else {
                f32::NEG_INFINITY
            };
            lanes[lane] = if number > lanes[lane] {
                number
            } else {
                lanes[lane]
            };
        }
    }
    let rest = rest.iter().zip(rest_kinds);
    for (lane, (&number, &kind)) in rest.enumerate() {
        if kind <= last {
            lanes[lane] = lanes[lane].max(number);
        }
    }
    let max = fold(lanes, |a, b| if a > b { a } else { b });
    let found = |(&number, &kind): (&f32, &u8)| number == max && kind <= last;
    x.iter()
        .zip(kinds)
        .position(found)
        .map(|index| index as u32)
}

/// Returns the sum of `e^(x - max)`.
#[inline(always)]
pub(crate) fn sum_exp(x: &[f32], max: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += exp(chunk[lane] - max);
        }
    }
    for (lane, &number) in rest.iter().enumerate() {
        lanes[lane] += exp(number - max);
    }
    fold(lanes, |a, b| a + b)
}

/// Returns the value of a half float; infinities and NaN do not occur.
#[inline(always)]
pub(crate) fn widen_one(half: u16) -> f32 {
    let shifted = u32::from(half & 0x7fff) << 13;
    // 2^112 moves the exponent from the half's bias to the float's, subnormals included.
    let magnitude = f32::from_bits(shifted) * f32::from_bits(0x7780_0000);
    f32::from_bits(magnitude.to_bits() | (u32::from(half & 0x8000) << 16))
}

/// Converts half floats to floats.
#[inline(always)]
pub(crate) fn widen(halves: &[u16], out: &mut [f32]) {
    for (out, &half) in out.iter_mut().zip(halves) {
        *out = widen_one(half);
    }
}

/// Returns the value of a BF16 number.
#[inline(always)]
pub(crate) fn widen_brain(brain: u16) -> f32 {
    f32::from_bits(u32::from(brain) << 16)
}

/// Converts floats to the nearest half floats; numbers that are too large become the largest.
#[inline(always)]
pub(crate) fn narrow(numbers: &[f32], out: &mut [u16]) {
    for (out, &number) in out.iter_mut().zip(numbers) {
        *out = narrow_one(number);
    }
}

#[inline(always)]
pub(crate) fn narrow_one(number: f32) -> u16 {
    const LARGEST: f32 = 65504.0;

    let sign = ((number.to_bits() >> 16) & 0x8000) as u16;
    let magnitude = number.abs();
    // NaN fails both comparisons and becomes the largest.
    let magnitude = if magnitude < LARGEST {
        magnitude
    } else {
        LARGEST
    };
    // Adding a power of two that is 13 binary digits above the number's own (at least above that of
    // the smallest normal half) makes the float unit round to the digits that a half keeps.
    let exponent = magnitude.to_bits() & 0x7f80_0000;
    let exponent = if exponent > 0x3880_0000 {
        exponent
    } else {
        0x3880_0000
    };
    let magic = f32::from_bits(exponent + (13 << 23));
    let rounded = (magnitude + magic) - magic;
    let moved = rounded * f32::from_bits(0x0780_0000);
    sign | (moved.to_bits() >> 13) as u16
}
