//! Products of rows and matrices with every kind of weights.

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};
use half::f16;

use super::{Random, bitwise::bits};
use crate::{
    arithmetic::{
        kernels::{CORRECTION, QUANT_BLOCK, SCALE, SUM, float},
        linear::{Activations, Linear, Rows},
        simd::Isa,
        tiles::Weights,
    },
    files::tensors::RawTensor,
    threads::crew::Crew,
};

/// Types that are kept as they are.
const KEPT: [GgmlDType; 11] = [
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
    GgmlDType::F16,
    GgmlDType::BF16,
    GgmlDType::F32,
];

/// Kept types that are not quantised.
const DENSE: [GgmlDType; 3] = [GgmlDType::F16, GgmlDType::BF16, GgmlDType::F32];

/// Kept types that are quantised, with the offsets of the half floats in a block of a file.
const QUANTIZED: [(GgmlDType, &[usize]); 8] = [
    (GgmlDType::Q4_0, &[0]),
    (GgmlDType::Q4_1, &[0, 2]),
    (GgmlDType::Q5_0, &[0]),
    (GgmlDType::Q5_1, &[0, 2]),
    (GgmlDType::Q8_0, &[0]),
    (GgmlDType::Q4K, &[0, 2]),
    (GgmlDType::Q5K, &[0, 2]),
    (GgmlDType::Q6K, &[208]),
];

fn random_raw(dtype: GgmlDType, outputs: usize, inputs: usize, random: &mut Random) -> RawTensor {
    let numbers: Vec<f32> = (0..outputs * inputs).map(|_| random.next()).collect();
    let tensor = Tensor::from_vec(numbers, (outputs, inputs), &Device::Cpu).unwrap();
    let tensor = QTensor::quantize(&tensor, dtype).unwrap();
    RawTensor::of_bytes(dtype, inputs, tensor.data().unwrap().into_owned())
}

/// Builds rows with every bit random, except for half floats chosen from `halves`. In every other
/// block all weights are equal, and so are their scales.
fn wild(
    kind: (GgmlDType, &[usize]),
    rows: usize,
    inputs: usize,
    halves: &[f16],
    random: &mut Random,
) -> RawTensor {
    RawTensor::of_bytes(
        kind.0,
        inputs,
        wild_bytes(kind, rows, inputs, halves, random),
    )
}

fn wild_bytes(
    (dtype, places): (GgmlDType, &[usize]),
    rows: usize,
    inputs: usize,
    halves: &[f16],
    random: &mut Random,
) -> Vec<u8> {
    let blocks = rows * inputs / dtype.block_size();
    let mut bytes: Vec<u8> = (0..blocks * dtype.type_size())
        .map(|_| random.bits() as u8)
        .collect();
    for (index, block) in bytes.chunks_exact_mut(dtype.type_size()).enumerate() {
        if index % 2 == 1 {
            // The scales of Q6_K are at the end of the block, those of other types at the
            // beginning.
            let (first, last) = block.split_at_mut(block.len() * 10 / 11);
            first.fill([0, 0xff, 0x80, 0x7f][random.below(4)]);
            last.fill([0, 0xff, 0x80, 0x7f][random.below(4)]);
        }
        for &place in places {
            let half = halves[random.below(halves.len())];
            block[place..place + 2].copy_from_slice(&half.to_le_bytes());
        }
    }
    bytes
}

fn product(isa: Isa, linear: &Linear, rows: &[f32], inputs: usize, crew: Crew<'_>) -> Vec<f32> {
    let mut quantized = Activations::default();
    quantized.set(isa, rows, inputs);
    let rows = Rows {
        isa,
        numbers: rows,
        quantized: &quantized,
        crew,
    };
    let mut out = Vec::new();
    rows.multiply([(linear, &mut out)]);
    // A pass does this with its head; it changes no other matrix's products.
    linear.refine(&rows, &mut out);
    out
}

/// Returns the numbers that the bytes of a quantised row represent.
fn as_quantized(row: &[f32]) -> Vec<f64> {
    let mut quantized = Activations::default();
    quantized.set(Isa::detect(), row, row.len());
    let mut numbers = Vec::new();
    for block in quantized.rows::<1>(0) {
        let bytes: Vec<i8> = block[..SCALE]
            .iter()
            .flat_map(|[word]| word.to_le_bytes())
            .map(|byte| byte as i8)
            .collect();
        let sum: i32 = bytes.iter().map(|&byte| i32::from(byte)).sum();
        assert_eq!(float(block[SUM][0]), sum as f32);
        assert_eq!(block[CORRECTION][0], sum * -128);
        let scale = f64::from(float(block[SCALE][0]));
        numbers.extend(bytes.iter().map(|&byte| f64::from(byte) * scale));
    }
    numbers
}

/// Compares a product with sums in double precision, and all ways of computing it with each other.
fn check(raw: &RawTensor, outputs: usize, bias: Option<Vec<f32>>, rows: &[f32]) {
    let (dtype, inputs) = (raw.dtype, raw.columns);
    let count = rows.len() / inputs;
    let source = |output: usize| outputs - 1 - output;
    let linear = Linear::new(raw, bias.clone(), outputs, source).unwrap();
    let expected: Vec<f32> = rows
        .chunks(inputs)
        .flat_map(|row| product(Isa::detect(), &linear, row, inputs, Crew::ALONE))
        .collect();
    let quantized = !DENSE.contains(&dtype);
    let mut weights = vec![0.0; inputs];
    for output in 0..outputs {
        linear.weights_of(output, &mut weights);
        let held = raw.row(source(output)).unwrap();
        assert_eq!(bits(&weights), bits(&held), "{dtype:?}, row {output}");
        for (index, row) in rows.chunks(inputs).enumerate() {
            let exact: Vec<f64> = row.iter().map(|&number| f64::from(number)).collect();
            let row = if quantized { as_quantized(row) } else { exact };
            let mut sum = bias.as_ref().map_or(0.0, |bias| f64::from(bias[output]));
            let mut size = sum.abs();
            for (block, weights) in row.chunks(QUANT_BLOCK).zip(weights.chunks(QUANT_BLOCK)) {
                // Minima are subtracted from whole blocks, so the rounding error depends on the
                // largest weight.
                let largest = weights
                    .iter()
                    .fold(0.0f32, |max, number| max.max(number.abs()));
                for (x, &weight) in block.iter().zip(weights) {
                    sum += x * f64::from(weight);
                    size += x.abs() * f64::from(largest);
                }
            }
            let found = f64::from(expected[index * outputs + output]);
            assert!(
                (found - sum).abs() <= size * 2e-6,
                "{dtype:?}, row {index}, output {output}: {found} instead of {sum}"
            );
        }
    }
    for isa in Isa::available() {
        for rows_count in (1..=count).filter(|&rows| rows <= 26 || rows == count) {
            let found = product(
                isa,
                &linear,
                &rows[..rows_count * inputs],
                inputs,
                Crew::ALONE,
            );
            assert_eq!(
                bits(&found),
                bits(&expected[..rows_count * outputs]),
                "{dtype:?}, {rows_count} rows, {}",
                isa.name()
            );
        }
    }
}

#[test]
fn products_are_those_of_the_numbers_in_the_file_however_they_are_made() {
    let mut random = Random(21);
    for dtype in KEPT {
        let shapes = [(40, 512usize, 30), (16, 256, 3), (5, 768, 26), (33, 96, 9)];
        for (outputs, inputs, count) in shapes {
            if !inputs.is_multiple_of(dtype.block_size()) {
                continue;
            }
            let raw = random_raw(dtype, outputs, inputs, &mut random);
            let bias = (0..outputs).map(|_| random.next()).collect();
            let rows: Vec<f32> = (0..count * inputs).map(|_| random.next()).collect();
            check(&raw, outputs, Some(bias), &rows);
        }
    }
}

#[test]
fn products_of_extreme_numbers_are_as_exact() {
    let mut random = Random(23);
    let inputs = 512;
    let halves = [
        [f16::ZERO, f16::NEG_ZERO].as_slice(),
        &[f16::from_bits(1), f16::from_bits(0x83ff), f16::ZERO],
        &[f16::MAX, f16::MIN, f16::ONE],
        &[f16::from_bits(1), f16::MAX, f16::ZERO],
    ];
    for (kind, halves) in QUANTIZED
        .into_iter()
        .flat_map(|kind| halves.map(|halves| (kind, halves)))
    {
        for scale in [1e-25, 1.0, 1e20] {
            let raw = wild(kind, 20, inputs, halves, &mut random);
            let mut rows: Vec<f32> = (0..5 * inputs).map(|_| random.next() * scale).collect();
            // All of one sign and as large as possible; all zeros; and one block of zeros.
            rows[..inputs].fill(-scale);
            rows[inputs..2 * inputs].fill(scale);
            rows[2 * inputs..3 * inputs].fill(0.0);
            rows[3 * inputs + 32..][..32].fill(0.0);
            check(&raw, 20, None, &rows);
        }
    }
}

#[test]
fn nothing_but_the_rows_is_rounded_in_a_product() {
    for (dtype, _) in QUANTIZED {
        check_rounding(dtype);
    }
}

#[track_caller]
fn check_rounding(dtype: GgmlDType) {
    let mut random = Random(25);
    let (outputs, inputs) = (32, 1024);
    let raw = random_raw(dtype, outputs, inputs, &mut random);
    let linear = Linear::new(&raw, None, outputs, |row| row).unwrap();
    let row: Vec<f32> = (0..inputs).map(|_| random.next()).collect();
    let found = product(Isa::detect(), &linear, &row, inputs, Crew::ALONE);
    for (output, found) in found.into_iter().enumerate() {
        let (mut sum, mut most) = (0.0, 0.0);
        let weights = raw.row(output).unwrap();
        for (row, weights) in row.chunks(QUANT_BLOCK).zip(weights.chunks(QUANT_BLOCK)) {
            let largest = row.iter().fold(0.0f32, |max, number| max.max(number.abs()));
            for (&x, &weight) in row.iter().zip(weights) {
                sum += f64::from(x) * f64::from(weight);
                // Half a step, with 127 steps up to the largest number.
                most += f64::from(weight.abs()) * f64::from(largest) / 254.0;
            }
        }
        let error = (f64::from(found) - sum).abs();
        assert!(
            error <= most * 1.0001,
            "{dtype:?}, output {output}: {error} > {most}"
        );
    }
}

#[test]
fn threads_share_out_a_large_product_without_changing_a_bit() {
    let mut random = Random(27);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
    let pool = pool.build().unwrap();
    let isa = Isa::detect();
    for dtype in KEPT {
        let (outputs, inputs) = (4_200, 256);
        let raw = random_raw(dtype, outputs, inputs, &mut random);
        let bias = (0..outputs).map(|_| random.next()).collect();
        let linear = Linear::new(&raw, Some(bias), outputs, |row| row).unwrap();
        for count in [1, 2, 3, 8, 17] {
            let rows: Vec<f32> = (0..count * inputs).map(|_| random.next()).collect();
            let alone = product(isa, &linear, &rows, inputs, Crew::ALONE);
            for threads in [2, 3] {
                let shared = Crew::with(&pool, threads, |crew| {
                    product(isa, &linear, &rows, inputs, crew)
                });
                assert_eq!(
                    bits(&shared),
                    bits(&alone),
                    "{dtype:?}, {count} rows, {threads}"
                );
            }
        }
    }
}

#[test]
fn matrices_that_are_multiplied_together_give_what_each_gives_alone() {
    let mut random = Random(33);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(5);
    let pool = pool.build().unwrap();
    let (isa, inputs) = (Isa::detect(), 256);
    let mut linear = |dtype, outputs| {
        let raw = random_raw(dtype, outputs, inputs, &mut random);
        Linear::new(&raw, None, outputs, |row| row).unwrap()
    };
    let matrices = [
        linear(GgmlDType::Q5_0, 4_200),
        linear(GgmlDType::F32, 40),
        linear(GgmlDType::Q6K, 333),
    ];
    for count in [1, 3, 6] {
        let rows: Vec<f32> = (0..count * inputs).map(|_| random.next()).collect();
        let mut quantized = Activations::default();
        quantized.set(isa, &rows, inputs);
        for threads in 1..=5 {
            // The previous content of the outputs must not matter.
            let mut found = [vec![7.0; 3], Vec::new(), vec![7.0; 9_000]];
            let [a, b, c] = &mut found;
            let [first, second, third] = &matrices;
            Crew::with(&pool, threads, |crew| {
                let together = Rows {
                    isa,
                    numbers: &rows,
                    quantized: &quantized,
                    crew,
                };
                together.multiply([(first, a), (second, b), (third, c)]);
            });
            for (matrix, found) in matrices.iter().zip(&found) {
                let alone = product(isa, matrix, &rows, inputs, Crew::ALONE);
                assert_eq!(bits(found), bits(&alone), "{count} rows, {threads} threads");
            }
        }
    }
}

#[test]
fn infinite_weights_are_found() {
    let mut random = Random(29);
    let brain =
        |number: f32| RawTensor::of_bytes(GgmlDType::BF16, 1, number.to_le_bytes()[2..].to_vec());
    let finite = |raw: &RawTensor, outputs| Weights::new(raw, outputs, |row| row).is_ok();
    for kind in QUANTIZED {
        let mut wild = |halves: &[f16]| wild_bytes(kind, 17, 256, halves, &mut random);
        let finite = |bytes| finite(&RawTensor::of_bytes(kind.0, 256, bytes), 17);
        assert!(finite(wild(&[f16::MAX])));
        for infinite in [f16::INFINITY, f16::NEG_INFINITY, f16::NAN] {
            assert!(!finite(wild(&[infinite])));
            // In the last half float of the last block of the last row.
            let mut bytes = wild(&[f16::MAX]);
            let block = bytes.len() - kind.0.type_size();
            let place = block + kind.1[kind.1.len() - 1];
            bytes[place..place + 2].copy_from_slice(&infinite.to_le_bytes());
            assert!(!finite(bytes), "{:?}", kind.0);
        }
    }
    assert!(finite(&brain(-3e38), 1));
    assert!(!finite(&brain(f32::INFINITY), 1));
    assert!(!finite(&brain(f32::NAN), 1));
}

#[test]
fn weights_take_hardly_more_memory_than_in_the_file() {
    let mut random = Random(31);
    for (dtype, _) in QUANTIZED {
        let (outputs, inputs) = (64, 512);
        let raw = random_raw(dtype, outputs, inputs, &mut random);
        let weights = Weights::new(&raw, outputs, |row| row).unwrap();
        let ratio = weights.size() as f64 / (outputs * raw.row_bytes()) as f64;
        assert!((1.0..1.03).contains(&ratio), "{dtype:?}: {ratio}");
    }
}

#[test]
fn logits_of_a_head_in_planes_are_exact_near_the_highest_and_rough_elsewhere() {
    let mut random = Random(35);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
    let pool = pool.build().unwrap();
    let (outputs, inputs, count) = (4_203, 256, 5);
    let raw = random_raw(GgmlDType::Q8_0, outputs, inputs, &mut random);
    let bias: Vec<f32> = (0..outputs).map(|_| random.next()).collect();
    let exact = Linear::new(&raw, Some(bias.clone()), outputs, |row| row).unwrap();
    let head = Linear::in_planes(&raw, Some(bias), outputs).unwrap();
    assert!(head.bytes_per_product() * 3 < exact.bytes() * 2);
    assert!(head.bytes() * 15 < exact.bytes() * 16);

    let rows: Vec<f32> = (0..count * inputs).map(|_| random.next()).collect();
    let found = product(Isa::detect(), &head, &rows, inputs, Crew::ALONE);
    let expected = product(Isa::detect(), &exact, &rows, inputs, Crew::ALONE);
    let (mut refined, mut rough) = (0, 0);
    for (found, expected) in found.chunks(outputs).zip(expected.chunks(outputs)) {
        let highest = Isa::detect().max(expected);
        for (found, expected) in found.iter().zip(expected) {
            if found.to_bits() == expected.to_bits() {
                refined += 1;
                continue;
            }
            rough += 1;
            assert!(*expected < highest - 5.0, "{expected} of {highest}");
            assert!((found - expected).abs() < 1.5, "{found} for {expected}");
        }
    }
    assert!(refined > 100 && rough > 100, "{refined} and {rough}");

    for isa in Isa::available() {
        for count in 1..=count {
            let rows = &rows[..count * inputs];
            let here = product(isa, &head, rows, inputs, Crew::ALONE);
            assert_eq!(bits(&here), bits(&found[..count * outputs]), "{count} rows");
            let shared = Crew::with(&pool, 2, |crew| product(isa, &head, rows, inputs, crew));
            assert_eq!(bits(&shared), bits(&here), "{count} rows, {}", isa.name());
        }
    }
}

#[test]
fn planes_lose_nothing_of_any_byte_and_scale() {
    let mut random = Random(37);
    let kind = (GgmlDType::Q8_0, &[0][..]);
    for halves in [
        &[f16::from_bits(1), f16::from_bits(0x83ff), f16::ZERO][..],
        &[f16::MAX, f16::MIN, f16::ONE],
    ] {
        let raw = wild(kind, 37, 256, halves, &mut random);
        let head = Linear::in_planes(&raw, None, 37).unwrap();
        let mut row = vec![0.0; 256];
        for output in 0..37 {
            head.weights_of(output, &mut row);
            assert_eq!(bits(&row), bits(&raw.row(output).unwrap()));
        }
        // If all logits are equal, all are near the highest.
        let zero = product(Isa::detect(), &head, &[0.0; 256], 256, Crew::ALONE);
        assert_eq!(bits(&zero), [0; 37]);
    }
    let infinite = wild(kind, 17, 256, &[f16::ONE, f16::NAN], &mut random);
    assert!(Linear::in_planes(&infinite, None, 17).is_err());
}
