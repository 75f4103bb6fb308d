//! Compares the cache with a list that does the same slowly.

use tabahead_context::{
    ContextSettings, CutSettings, DocumentName, FimTemplate, Layout, ModelProfile, OpenFile,
    OpenFiles, PathEnd, PathToken, PreTokenizer, Priority, QuestionSettings, State, View,
    WindowBudgets,
};
use tabahead_testkit::Random;
use tabahead_text::{Document, Offset, Version};

use super::{SuggestionCache, size_of_entry};
use crate::known_path::KnownPath;

/// Returns a path at the end of the first line of `text` that generates "ab" `tokens` times.
fn path(text: &str, tokens: usize) -> KnownPath {
    path_with(text, &"ab".repeat(tokens))
}

/// Returns a path at the end of the first line of `text` that generates `said`, in tokens of two
/// letters.
fn path_with(text: &str, middle: &str) -> KnownPath {
    let profile = ModelProfile {
        id: "none".to_string(),
        template: FimTemplate {
            layout: Layout::SuffixFirst,
            file_name: false,
        },
        pre_tokenizer: PreTokenizer::Qwen2,
        context_tokens: 100,
        window: WindowBudgets::default(),
        least_log_prob: None,
    };
    let cut = CutSettings {
        max_tokens: 8,
        least_log_prob: None,
        least_log_prob_at_end: f32::NEG_INFINITY,
    };
    let settings = QuestionSettings::new(&ContextSettings::default(), &cut, &profile);
    let state = State {
        document: Document::new(text, Version(0)),
        cursor: Offset(text.find('\n').expect("the text has a line end")),
        name: DocumentName::default(),
    };
    let view = View::new(&state, &settings).expect("the line is short");
    let mut known = KnownPath::new(view, Priority::Foreground, &profile);
    known.question.path.started(3);
    // The first token spells the forced bytes and more.
    let mut bytes =
        known.question.path.tail().as_bytes()[known.question.path.boundary()..].to_vec();
    for letters in middle.as_bytes().chunks(2) {
        bytes.extend(letters);
        let token = PathToken {
            id: 7,
            bytes: std::mem::take(&mut bytes),
            log_prob: -1.0,
            masked_stop: None,
        };
        known.question.path.push(token, 0);
    }
    known
}

/// Returns a text of two letters, which is often a prefix of another one.
fn letters(random: &mut Random, end: usize) -> String {
    (0..random.below(end))
        .map(|_| ['a', 'b'][random.below(2)])
        .collect()
}

#[test]
fn what_it_keeps_holds_no_text_of_other_files() {
    let mut cache = SuggestionCache::new(1 << 20);
    let mut path = path("let x = \nfoo", 4);
    let file = OpenFile::new(&Document::new("another file", Version(0)));
    path.question.view.window.name.open_files = OpenFiles::new([&file]);
    let view = path.question.view.clone();
    cache.keep(path);
    let kept = cache.candidates(&view).next().expect("it is kept");
    let open_files = &kept.question.view.window.name.open_files;
    assert_eq!(open_files, &view.window.name.open_files);
    assert!(open_files.texts().is_empty());
}

#[test]
fn it_keeps_what_a_list_ordered_by_use_keeps() {
    let budget = 6 * size_of_entry(&path("let x = \nfoo", 4));
    let mut cache = SuggestionCache::new(budget);
    // Least recently used first.
    let mut list: Vec<KnownPath> = Vec::new();
    let mut evicted = 0;
    let mut random = Random::new(1);
    for _ in 0..5_000 {
        let text = format!(
            "{}\nsuffix {}\n",
            "x".repeat(random.below(4)),
            random.below(4)
        );
        let new = path(&text, random.below(8));
        let at = list
            .iter()
            .position(|kept| kept.question.view.key == new.question.view.key);
        if random.below(3) == 0 {
            let used = cache.use_path(new.question.view.key).is_some();
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
    }
    assert_eq!(cache.evicted(), evicted);
    assert!(evicted > 1_000, "only {evicted} were evicted");
}

#[test]
fn one_descent_finds_the_paths_that_a_walk_along_all_of_them_finds() {
    let mut random = Random::new(2);
    let mut found = 0;
    for kept in [3, 20, 200] {
        let budget = kept * size_of_entry(&path_with("aaaa\nfoo", "abab"));
        let mut cache = SuggestionCache::new(budget);
        // All paths, whether still in the cache or evicted.
        let mut all: Vec<KnownPath> = Vec::new();
        for _ in 0..1_500 {
            let (tail, base) = (letters(&mut random, 9), random.below(2));
            let middle = letters(&mut random, 14);
            let new = path_with(&format!("{tail}\nsuffix {base}\n"), &middle);
            all.retain(|path| path.question.view.key != new.question.view.key);
            all.push(new.clone());
            cache.keep(new);

            // A place somewhere along a path, with other text typed there at times.
            let along = &all[random.below(all.len())];
            let mut asked = String::from_utf8_lossy(along.question.path.bytes()).into_owned();
            asked.truncate(random.below(asked.len() + 1));
            if random.below(3) == 0 {
                asked += &letters(&mut random, 4);
            }
            let base = random.below(2);
            let view = path_with(&format!("{asked}\nsuffix {base}\n"), "")
                .question
                .view;
            let mut descent: Vec<_> = cache
                .candidates(&view)
                .map(|path| path.question.view.key)
                .collect();
            let nearest_first = cache
                .candidates(&view)
                .is_sorted_by(|one, next| one.question.path.origin() > next.question.path.origin());
            let mut walk: Vec<_> = all
                .iter()
                .filter_map(|path| cache.paths.peek(&path.question.view.key))
                .filter(|path| {
                    path.question.view.has_base_of(&view) && path.question.path.holds(&asked)
                })
                .map(|path| path.question.view.key)
                .collect();
            found += walk.len();
            descent.sort_unstable();
            walk.sort_unstable();
            assert_eq!(descent, walk, "{asked:?} of base {base}");
            assert!(nearest_first);
        }
        assert!(cache.evicted() > 100, "{} were evicted", cache.evicted());
    }
    assert!(found > 1_500, "only {found} were found");
}

/// Any number of texts may sort between the prefixes of the requested tail.
#[test]
fn a_path_is_found_past_all_paths_between_it_and_the_state() {
    let mut cache = SuggestionCache::new(1 << 20);
    cache.keep(path_with("let \n", "xyz"));
    for number in 0..100 {
        cache.keep(path_with(&format!("let x{number}\n"), "0123456789"));
        cache.keep(path_with(&format!("let xa{number}\n"), "0123456789"));
    }
    let view = path_with("let xy\n", "").question.view;
    let found: Vec<_> = cache
        .candidates(&view)
        .map(|path| path.question.path.tail())
        .collect();
    assert_eq!(found, ["let "]);
}

#[test]
fn a_path_that_ended_is_worth_more_than_an_open_one_of_its_length() {
    let mut cache = SuggestionCache::new(1 << 20);
    let mut ended = path("let x = \n", 3);
    ended.question.path.finish(PathEnd::ContextFull);
    let view = ended.question.view.clone();
    cache.keep(ended);
    cache.keep(path("let x = \n", 3));
    let kept = cache.candidates(&view).next().expect("one is kept");
    assert_eq!(kept.question.path.end(), PathEnd::ContextFull);
}
