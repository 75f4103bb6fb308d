//! Directories with safetensors: each is used, or refused in one line, whatever its files contain.

use std::{fs, path::Path};

use serde_json::Value;
use tabahead_engine::Model;
use tabahead_testkit::Random;

use crate::{
    bounds::bounded,
    damage,
    gguf::{fixtures, used},
    run::fuzz,
};

const FIXTURES: [&str; 6] = [
    "llama",
    "llama-biases",
    "llama-linear",
    "llama-llama3",
    // The fixture with a tokenizer.json contains the most.
    "qwen2",
    "qwen2",
];

/// The files of a fixture, by name.
type Files = Vec<(String, Vec<u8>)>;

#[test]
fn checkpoint_directories_are_used_or_refused_in_one_line() {
    let fixtures: Vec<Files> = FIXTURES.iter().map(|name| read(name)).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("model");
    let least = [("without a tokenizer", 20), ("used", 20), ("refused", 80)];
    fuzz("checkpoint", 300, &least, |random| {
        let mut files = random.pick(&fixtures).clone();
        for _ in 0..damage::pieces(random) {
            let chosen = random.below(files.len());
            let (name, bytes) = &mut files[chosen];
            match random.below(12) {
                0 => drop(files.remove(chosen)),
                1 => damage::bytes(bytes, random),
                _ if name.ends_with(".safetensors") => in_weights(bytes, random),
                _ => in_json(bytes, random),
            }
            if files.is_empty() {
                break;
            }
        }
        write(&folder, &files);
        let length = files.iter().map(|(_, bytes)| bytes.len()).sum();
        bounded(length, || used(Model::open(&folder)))?
    });
}

fn read(name: &str) -> Files {
    let listed = fs::read_dir(fixtures().join(name)).expect("a fixture");
    let mut files: Files = listed
        .map(|entry| {
            let entry = entry.expect("it can be listed");
            let name = entry.file_name().into_string().expect("a plain name");
            (name, fs::read(entry.path()).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

fn write(folder: &Path, files: &Files) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("our own folder");
    }
    fs::create_dir(folder).expect("a folder");
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect("a file");
    }
}

fn in_json(bytes: &mut Vec<u8>, random: &mut Random) {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut value) => {
            damage::json(&mut value, random);
            *bytes = value.to_string().into_bytes();
        }
        Err(_) => damage::bytes(bytes, random),
    }
}

/// Damages a header and keeps the file around it in order: the eight bytes with its length, and the
/// data after it.
fn in_weights(bytes: &mut Vec<u8>, random: &mut Random) {
    let length = bytes.first_chunk().map(|first| u64::from_le_bytes(*first));
    let header = length.and_then(|length| {
        let end = usize::try_from(length).ok()?.checked_add(8)?;
        Some((bytes.get(8..end)?.to_vec(), bytes[end..].to_vec()))
    });
    let Some((mut header, data)) = header else {
        return damage::bytes(bytes, random);
    };
    match random.below(4) {
        0 => damage::bytes(&mut header, random),
        _ => in_json(&mut header, random),
    }
    let mut length = (header.len() as u64).to_le_bytes();
    if random.below(20) == 0 {
        damage::overwrite(&mut length, 0, 8, random);
    }
    *bytes = [&length, &header[..], &data].concat();
}
