//! Models that are known to work well, where they are, and which of them this machine can run.
//!
//! The program opens no connection: it prints the commands, and the user runs them. The
//! measurements of each model are in docs/models.md; a test compares them with the figures here.

use serde_json::{Value, json};

/// A model that can be downloaded freely.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownModel {
    /// Common name of the model.
    pub name: &'static str,
    /// Repository on Hugging Face.
    repository: &'static str,
    file: &'static str,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Number of lines in a hundred that the model completes exactly.
    pub right_lines: u32,
    /// Minimum number of cores; with fewer, answers come too slowly.
    pub cores: usize,
}

/// Number of lines in a hundred that the built-in model completes exactly, at the same places.
pub const RIGHT_LINES_OF_MINI: u32 = 40;

/// The known models, smallest first.
pub const KNOWN_MODELS: [KnownModel; 2] = [
    KnownModel {
        name: "Qwen2.5-Coder 0.5B",
        repository: "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        bytes: 491_400_064,
        right_lines: 58,
        cores: 2,
    },
    KnownModel {
        name: "Qwen2.5-Coder 1.5B",
        repository: "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        file: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        bytes: 1_117_320_768,
        right_lines: 67,
        cores: 4,
    },
];

/// Memory to leave for an editor and its language servers, in bytes.
const ROOM_FOR_OTHERS: u64 = 1_000_000_000;

/// The properties of a machine that decide which model fits.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// Number of usable cores.
    pub cores: usize,
    /// Available memory in bytes; `None` when the system does not report it.
    pub available: Option<u64>,
}

impl KnownModel {
    /// Returns where the command puts the file, as a path that begins with `~`.
    pub fn place(&self) -> String {
        format!("~/.local/share/tabahead/{}", self.file)
    }

    /// Returns the command that downloads the model and makes it the configured one.
    pub fn command(&self) -> String {
        format!("{} && tabahead model use {}", self.download(), self.place())
    }

    fn download(&self) -> String {
        format!(
            "curl -fL --create-dirs -o {} https://huggingface.co/{}/resolve/main/{}",
            self.place(),
            self.repository,
            self.file
        )
    }

    /// Reports whether the model leaves memory for other programs and answers fast enough.
    pub fn fits(&self, machine: Machine) -> bool {
        let has_room = machine.available.is_none_or(|bytes| bytes >= self.memory());
        machine.cores >= self.cores && has_room
    }

    /// Returns the memory that must be free for the model, including the room for other programs.
    pub fn memory(&self) -> u64 {
        memory_of(self.bytes) + ROOM_FOR_OTHERS
    }

    /// Returns a description of the model as JSON, for other programs.
    pub fn description(&self, machine: Machine) -> Value {
        json!({
            "name": self.name,
            "file_bytes": self.bytes,
            "memory_bytes": memory_of(self.bytes),
            "right_lines_percent": self.right_lines,
            "fits": self.fits(machine),
            "download": self.download(),
            "place": self.place(),
            "command": self.command(),
        })
    }
}

/// Returns the largest known model that fits `machine`.
pub fn fitting(machine: Machine) -> Option<&'static KnownModel> {
    KNOWN_MODELS.iter().rev().find(|model| model.fits(machine))
}

/// Returns the memory that a model takes with all caches full, by the size of its file. The caches
/// of keys and values and of answers have their default sizes.
pub fn memory_of(file_bytes: u64) -> u64 {
    const CACHES: u64 = (256 + 16) << 20;
    memory_with(file_bytes, CACHES)
}

/// Returns the memory that a model takes with `caches` bytes of caches: its weights, a tenth more,
/// and the caches.
pub fn memory_with(file_bytes: u64, caches: u64) -> u64 {
    (file_bytes + file_bytes / 10).saturating_add(caches)
}

/// File size to assume for the built-in model: the memory of the program with its model loaded,
/// measured as in docs/models.md.
pub const BUILT_IN: u64 = 27_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    #[test]
    fn the_largest_model_that_fits_is_advised() {
        let advised = |cores, available| {
            let machine = Machine { cores, available };
            fitting(machine).map(|model| model.name)
        };
        assert_eq!(advised(8, Some(16 * GB)), Some("Qwen2.5-Coder 1.5B"));
        assert_eq!(advised(8, None), Some("Qwen2.5-Coder 1.5B"));
        assert_eq!(advised(2, Some(16 * GB)), Some("Qwen2.5-Coder 0.5B"));
        assert_eq!(advised(8, Some(2 * GB)), Some("Qwen2.5-Coder 0.5B"));
        assert_eq!(advised(8, Some(GB)), None);
        assert_eq!(advised(1, Some(16 * GB)), None);
    }

    #[test]
    fn the_documents_agree_with_the_program() {
        let documents = [
            ("docs/models.md", include_str!("../../../docs/models.md")),
            ("README.md", include_str!("../../../README.md")),
            (
                "the extension's",
                include_str!("../../../editors/vscode/README.md"),
            ),
            (
                "the plug-in's",
                include_str!("../../../editors/nvim/README.md"),
            ),
        ];
        let largest = &KNOWN_MODELS[KNOWN_MODELS.len() - 1];
        for (name, text) in documents {
            assert!(text.contains(&largest.command()), "{name}: the command");
        }
        let (_, table) = documents[0].1.split_once("| model |").expect("a table");
        let row = |name: &str| {
            let begin = format!("| {name}");
            let row = table.lines().find(|line| line.starts_with(&begin));
            row.unwrap_or_else(|| panic!("no row for {name}"))
        };
        let right = |percent| format!("| {percent} % |");
        assert!(row("built in").contains(&right(RIGHT_LINES_OF_MINI)));
        for model in &KNOWN_MODELS {
            assert!(row(model.name).contains(&right(model.right_lines)));
        }
    }
}
