//! Tests special tokens by metadata and by spelling, for the vocabularies of all families.

use super::super::CONTROL;
use super::*;

const USER_DEFINED: usize = 4;

/// Finds the special tokens of a vocabulary; the index of a spelling in the list is its id.
fn find(spellings: &[&str], token_type: usize) -> Specials {
    let tokens: Texts = spellings.iter().collect();
    let types = vec![token_type; tokens.len()];
    Specials::find(StatedTokens::default(), &tokens, &types)
}

/// Spellings of each family: prefix, suffix, middle, then tokens that end a middle, the end of a
/// text first.
const FAMILIES: [&[&str]; 10] = [
    // Qwen2.5-Coder
    &[
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        "<|endoftext|>",
        "<|im_end|>",
        "<|fim_pad|>",
        "<|repo_name|>",
        "<|file_sep|>",
    ],
    // StarCoder2
    &[
        "<fim_prefix>",
        "<fim_suffix>",
        "<fim_middle>",
        "<|endoftext|>",
        "<fim_pad>",
        "<repo_name>",
        "<file_sep>",
        "<issue_start>",
    ],
    // SantaCoder
    &[
        "<fim-prefix>",
        "<fim-suffix>",
        "<fim-middle>",
        "<|endoftext|>",
        "<fim-pad>",
    ],
    // DeepSeek-Coder
    &[
        "<｜fim▁begin｜>",
        "<｜fim▁hole｜>",
        "<｜fim▁end｜>",
        "<｜end▁of▁sentence｜>",
        "<|EOT|>",
    ],
    // CodeLlama
    &["▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>", "</s>"],
    // Codestral
    &["[PREFIX]", "[SUFFIX]", "[MIDDLE]", "</s>", "<pad>"],
    // CodeGemma
    &[
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        "<eos>",
        "<end_of_turn>",
        "<|file_separator|>",
    ],
    // Granite 4
    &[
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        "<|end_of_text|>",
        "<|fim_pad|>",
        "<|filename|>",
        "<|reponame|>",
    ],
    // Seed-Coder
    &[
        "<[fim-prefix]>",
        "<[fim-suffix]>",
        "<[fim-middle]>",
        "<[end▁of▁sentence]>",
        "<[PAD▁TOKEN]>",
    ],
    // Mellum
    &[
        "<fim_prefix>",
        "<fim_suffix>",
        "<fim_middle>",
        "<|endoftext|>",
        "<filename>",
        "<reponame>",
    ],
];

#[test]
fn the_spellings_of_each_family_are_known() {
    for family in FAMILIES {
        for token_type in [CONTROL, USER_DEFINED] {
            let specials = find(family, token_type);
            assert_eq!(specials.markers[&Prefix], 0, "{family:?}");
            assert_eq!(specials.markers[&Suffix], 1, "{family:?}");
            assert_eq!(specials.markers[&Middle], 2, "{family:?}");
            assert_eq!(specials.end, Some(3), "{family:?}");
            for (id, spelling) in family.iter().enumerate() {
                assert!(specials.stops.contains(&id), "{spelling}");
            }
        }
    }
}

#[test]
fn the_separators_of_a_chat_model_end_a_middle_and_are_no_markers() {
    let specials = find(
        &["<|endoftext|>", "<|im_end|>", "<repo_name>", "<gh_stars>"],
        CONTROL,
    );
    assert!(specials.markers.is_empty());
    assert_eq!(specials.stops, [0, 1, 2, 3]);
}

#[test]
fn what_a_file_states_takes_precedence_over_what_is_spelled() {
    let tokens = Texts::from_iter(["<|fim_prefix|>", "<mine>", "<|endoftext|>", "<end>"]);
    let stated = StatedTokens {
        markers: HashMap::from([(Prefix, 1)]),
        stops: vec![3],
        begin: Some(3),
    };
    let specials = Specials::find(stated, &tokens, &[CONTROL; 4]);
    assert_eq!(specials.markers[&Prefix], 1);
    assert_eq!(specials.begin, Some(3));
    // Neither is ever text of a middle.
    assert!([0, 1, 2, 3].iter().all(|id| specials.stops.contains(id)));
}

#[test]
fn the_end_of_a_turn_is_the_end_only_where_there_is_no_end_of_a_text() {
    let stated = |stop| StatedTokens {
        stops: vec![stop],
        ..StatedTokens::default()
    };
    let tokens = Texts::from_iter(["<|im_end|>", "<|endoftext|>"]);
    let both = Specials::find(stated(0), &tokens, &[CONTROL; 2]);
    assert_eq!(both.end, Some(1));
    let one = Specials::find(stated(0), &Texts::from_iter(["<|im_end|>"]), &[CONTROL]);
    assert_eq!(one.end, Some(0));
}

#[test]
fn markup_that_is_ordinary_text_stays_text() {
    let specials = find(&["</s>", "<pad>", "<PRE>", "<filename>", "<pr>"], NORMAL);
    assert!(specials.stops.is_empty() && specials.markers.is_empty());
    // Files whose types are missing or wrong still contain these.
    let specials = find(&["<|fim_prefix|>", "<fim_suffix>", "<｜fim▁end｜>"], NORMAL);
    assert_eq!(specials.markers.len(), 3);
}
