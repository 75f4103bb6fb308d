//! Models that are known to work well, where they are, and which of them this machine can run.
//!
//! The program opens no connection: it prints the commands, and the user runs them. What is measured of
//! each is in docs/models.md, and a test compares it with what is said here.

use serde_json::{Value, json};

/// A model that anybody can download.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownModel {
    /// What people call it.
    pub name: &'static str,
    /// Where it is on Hugging Face.
    repository: &'static str,
    file: &'static str,
    /// Bytes of the file.
    pub bytes: u64,
    /// Lines of a hundred that it completes exactly.
    pub right_lines: u32,
    /// Cores below which its answers come too slowly.
    pub cores: usize,
}

/// Lines of a hundred that the built-in model completes exactly, at the same places.
pub const RIGHT_LINES_OF_MINI: u32 = 40;

/// The smaller ones first.
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

/// What an editor and its language servers should be left, in bytes.
const ROOM_FOR_OTHERS: u64 = 1_000_000_000;

/// What of this machine decides which model fits.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// Cores that can be used.
    pub cores: usize,
    /// Bytes of memory that can be had; `None` when the system does not say.
    pub available: Option<u64>,
}

impl KnownModel {
    /// Where the command puts it, from the home on.
    pub fn place(&self) -> String {
        format!("~/.local/share/tabahead/{}", self.file)
    }

    /// The command that downloads it and makes it the model.
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

    /// Whether it leaves other programs room, and answers soon enough.
    pub fn fits(&self, machine: Machine) -> bool {
        let has_room = machine.available.is_none_or(|bytes| bytes >= self.memory());
        machine.cores >= self.cores && has_room
    }

    /// Memory that must be free for it, and leaves other programs room.
    pub fn memory(&self) -> u64 {
        memory_of(self.bytes) + ROOM_FOR_OTHERS
    }

    /// The same for programs.
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

/// The largest of them that fits.
pub fn fitting(machine: Machine) -> Option<&'static KnownModel> {
    KNOWN_MODELS.iter().rev().find(|model| model.fits(machine))
}

/// Memory that a model takes with all caches full, by the size of its file, with keys and values and answers as
/// the settings have them by default.
pub fn memory_of(file_bytes: u64) -> u64 {
    const CACHES: u64 = (256 + 16) << 20;
    memory_with(file_bytes, CACHES)
}

/// The same with caches of this size: its weights and a tenth more, and the caches.
pub fn memory_with(file_bytes: u64, caches: u64) -> u64 {
    (file_bytes + file_bytes / 10).saturating_add(caches)
}

/// What counts as the file of the built-in model: the program with its model in memory, measured as in docs/models.md.
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
    fn the_documents_say_the_same() {
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
