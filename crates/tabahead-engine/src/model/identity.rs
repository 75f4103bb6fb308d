//! What distinguishes one model from another: a name and a hash of its files.

use std::{fs::File, io, path::Path};

use xxhash_rust::xxh3::Xxh3;

use crate::files::storage::{Meter, Storage};

/// Hashes a file: all of it, or its length and samples of it if it is large.
pub(super) fn hash(storage: &Storage) -> io::Result<u64> {
    const WHOLE: u64 = 256 << 20;
    const SAMPLE: u64 = 1 << 20;
    const SAMPLES: u64 = 64;

    let bytes = storage.length();
    let mut hash = Xxh3::new();
    hash.update(&bytes.to_le_bytes());
    let step = if bytes <= WHOLE {
        SAMPLE
    } else {
        bytes / SAMPLES
    };
    let mut buffer = Vec::new();
    for start in (0..bytes).step_by(step as usize) {
        let length = SAMPLE.min(bytes - start) as usize;
        hash.update(storage.read(start, length, &mut buffer)?);
    }
    Ok(hash.digest())
}

/// Hashes several files in order.
pub(super) fn hash_all(files: impl Iterator<Item = File>) -> io::Result<u64> {
    let mut all = Xxh3::new();
    for file in files {
        let storage = Storage::file(file, &Meter::new(None))?;
        all.update(&hash(&storage)?.to_le_bytes());
    }
    Ok(all.digest())
}

/// Returns the name that a directory gives to its model.
///
/// The cache of `huggingface_hub` names directories by commits, two levels below one that is
/// named `models--OWNER--NAME`.
pub(super) fn directory_name(directory: &Path) -> String {
    let directory = directory.canonicalize();
    let directory = directory.as_deref().unwrap_or(Path::new("unnamed"));
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let cached = directory.ancestors().nth(2).map(name).unwrap_or_default();
    match cached.strip_prefix("models--") {
        Some(model) => model.rsplit("--").next().unwrap_or(model).to_owned(),
        None => name(directory),
    }
}
