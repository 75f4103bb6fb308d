//! The cache against a list that does the same slowly.

use tabahead_context::{
    ContextSettings, DocumentName, FimTemplate, Layout, ModelProfile, PathEnd, PathToken,
    PreTokenizer, Priority,
};
use tabahead_text::{Document, Offset, Version};

use super::{SuggestionCache, size_of_entry};
use crate::{known_path::KnownPath, state::BufferState};

/// A path with `tokens` tokens at the end of the first line of `text`.
fn path(text: &str, tokens: usize) -> KnownPath {
    let profile = ModelProfile {
        id: "none".to_string(),
        template: FimTemplate {
            layout: Layout::SuffixFirst,
            file_name: false,
        },
        pre_tokenizer: PreTokenizer::Qwen2,
        context_tokens: 100,
    };
    let document = Document::new(text, Version(0));
    let cursor = Offset(text.find('\n').expect("the text has a line end"));
    let name = DocumentName::default();
    let state = BufferState::new(
        document,
        cursor,
        name,
        &ContextSettings::default(),
        &profile,
    );
    let view = state.view.expect("the line is short");
    let mut known = KnownPath::new(view, Priority::Foreground, &profile);
    known.path.started(3);
    // The first token spells what is forced and more.
    let mut bytes = known.path.tail().as_bytes()[known.path.boundary()..].to_vec();
    for _ in 0..tokens {
        bytes.extend(b"ab");
        let token = PathToken {
            id: 7,
            bytes: std::mem::take(&mut bytes),
            log_prob: -1.0,
            masked_stop: None,
        };
        known.push(token, 0);
    }
    known
}

#[test]
fn it_keeps_what_a_list_ordered_by_use_keeps() {
    let budget = 6 * size_of_entry(&path("let x = \nfoo", 4));
    let mut cache = SuggestionCache::new(budget);
    // Least recently used first.
    let mut list: Vec<KnownPath> = Vec::new();
    let mut evicted = 0;
    let mut seed = 1u64;
    let mut random = |end: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % end
    };
    for _ in 0..5_000 {
        let text = format!("{}\nsuffix {}\n", "x".repeat(random(4) as usize), random(4));
        let new = path(&text, random(8) as usize);
        let at = list.iter().position(|kept| kept.view.key == new.view.key);
        if random(3) == 0 {
            let used = cache.use_path(new.view.key).is_some();
            assert_eq!(used, at.is_some());
            if let Some(at) = at {
                let moved = list.remove(at);
                list.push(moved);
            }
        } else {
            let older = at.map(|at| list.remove(at));
            let longer = older.filter(|older| older.progress() > new.progress());
            list.push(longer.unwrap_or_else(|| new.clone()));
            cache.keep(new.clone());
            while list.iter().map(size_of_entry).sum::<usize>() > budget {
                list.remove(0);
                evicted += 1;
            }
        }
        assert_eq!(cache.len(), list.len());
        assert_eq!(cache.bytes(), list.iter().map(size_of_entry).sum::<usize>());
        let found = cache.candidates(&new.view).count();
        let expected = list
            .iter()
            .filter(|kept| kept.view.has_base_of(&new.view))
            .count();
        assert_eq!(found, expected);
    }
    assert_eq!(cache.evicted(), evicted);
    assert!(evicted > 1_000, "only {evicted} were evicted");
}

#[test]
fn a_path_that_ended_is_worth_more_than_an_open_one_of_its_length() {
    let mut cache = SuggestionCache::new(1 << 20);
    let mut ended = path("let x = \n", 3);
    ended.path.finish(PathEnd::ContextFull);
    let view = ended.view.clone();
    cache.keep(ended);
    cache.keep(path("let x = \n", 3));
    let kept = cache.candidates(&view).next().expect("one is kept");
    assert_eq!(kept.path.end(), PathEnd::ContextFull);
}
