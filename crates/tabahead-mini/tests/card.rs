//! The model card describes the embedded file, not an earlier one.

use xxhash_rust::xxh3::xxh3_128;

#[test]
fn the_card_names_the_embedded_file() {
    let card = include_str!("../README.md");
    for (figure, value) in [
        ("bytes", tabahead_mini::WEIGHTS.len().to_string()),
        (
            "xxh3 (128 bits)",
            format!("`{:032x}`", xxh3_128(tabahead_mini::WEIGHTS)),
        ),
    ] {
        let row = format!("| {figure} | {value} |");
        assert!(
            card.contains(&row),
            "README.md of tabahead-mini lacks: {row}"
        );
    }
}
