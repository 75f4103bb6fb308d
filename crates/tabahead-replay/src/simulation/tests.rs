//! Small sessions on the virtual clock. The copier gives the answers, so what a story shows follows
//! from what its text repeats.

use std::{num::NonZeroUsize, time::Duration};

use tabahead_backend::schedule::Costs;
use tabahead_context::{ContextSettings, DocumentName, Layout};
use tabahead_speculation::{ComputedAhead, DocumentId, SpeculatorSettings, Timestamp};
use tabahead_testkit::{cut_of, marked};
use tabahead_text::{Document, Offset, Version};

use super::{EngineCosts, Setup, run};
use crate::{
    Figures,
    answers::{Answers, Ngram},
    editing::EditKind,
    policy::PolicyName,
    user::{AcceptedPart, Screen, User, UserAccept, UserAction, UserEdit, UserError},
};

/// An act of a story's user.
#[derive(Clone, Copy)]
enum ScriptedAction {
    /// Types at the cursor.
    Types(&'static str),
    /// Moves the cursor.
    Moves(usize),
    /// Accepts the whole suggestion on screen; does nothing if there is none.
    Tabs,
}

/// A user who follows a story instead of a recording.
struct ScriptedUser {
    actions: Vec<(u64, ScriptedAction)>,
    next: usize,
    text: Document,
    cursor: Offset,
    screen: Option<Screen>,
    shown: Vec<(u64, String)>,
}

const DOCUMENT: DocumentId = DocumentId(1);

impl User for ScriptedUser {
    fn next(&mut self) -> Result<Option<Timestamp>, UserError> {
        let at = match self.next {
            0 => Some(0),
            n => self.actions.get(n - 1).map(|(at, _)| *at),
        };
        Ok(at.map(|at| Timestamp(Duration::from_millis(at))))
    }

    fn act(&mut self) -> Option<UserAction> {
        self.next += 1;
        if self.next == 1 {
            return Some(UserAction::Opens {
                document: DOCUMENT,
                name: DocumentName::default(),
                text: self.text.clone(),
            });
        }
        let (_, act) = self.actions[self.next - 2];
        let (text, cursor, kind, accepts) = match act {
            ScriptedAction::Moves(to) => {
                self.cursor = Offset(to);
                return Some(UserAction::Moves {
                    document: DOCUMENT,
                    cursor: self.cursor,
                });
            }
            ScriptedAction::Types(text) => {
                let at = self.cursor..self.cursor;
                let after = self.text.with_replaced(at, text);
                let cursor = Offset(self.cursor.0 + text.len());
                let kind = match text {
                    "\n" => EditKind::Enter,
                    _ => EditKind::Keystroke,
                };
                (after, cursor, kind, None)
            }
            ScriptedAction::Tabs => {
                let screen = self.screen.take()?;
                let (after, cursor) = screen.suggestion.apply(&self.text);
                let accepts = UserAccept {
                    part: AcceptedPart::All,
                    characters: screen.suggestion.text.chars().count(),
                    lines: screen.suggestion.text.matches('\n').count() + 1,
                    suggestion: Some(screen.id),
                };
                (after, cursor, EditKind::Accept, Some(accepts))
            }
        };
        (self.text, self.cursor) = (text, cursor);
        Some(UserAction::Edits(UserEdit {
            document: DOCUMENT,
            after: self.text.clone(),
            cursor,
            kind,
            accepts,
            asks: true,
        }))
    }

    fn sees(&mut self, now: Timestamp, screen: Option<&Screen>) {
        self.screen = screen.cloned();
        if let Some(screen) = screen {
            let text = screen.suggestion.text.clone();
            self.shown.push((now.0.as_millis() as u64, text));
        }
    }
}

fn setup() -> Setup {
    Setup {
        settings: SpeculatorSettings {
            context: ContextSettings::default(),
            cut: cut_of(40),
            ahead: ComputedAhead::Accepts(3),
            cache_bytes: 1 << 20,
            in_flight: NonZeroUsize::new(4).expect("not zero"),
        },
        // Slow enough to see in whole milliseconds.
        costs: EngineCosts {
            pass: Costs {
                fixed: 10e-3,
                row: 1e-3,
            },
            layers: 4,
            kv_tokens: NonZeroUsize::new(100_000).expect("not zero"),
        },
        timeline: false,
    }
}

/// Runs a story whose text has its cursor at `$0`; returns the figures, and what was shown when.
fn simulate(
    policy: PolicyName,
    text: &str,
    actions: &[(u64, ScriptedAction)],
) -> (Figures, Vec<(u64, String)>) {
    simulate_with(policy, text, actions, &setup())
}

fn simulate_with(
    policy: PolicyName,
    text: &str,
    actions: &[(u64, ScriptedAction)],
    setup: &Setup,
) -> (Figures, Vec<(u64, String)>) {
    simulate_by(Ngram::new(), policy, text, actions, setup)
}

fn simulate_by(
    source: Ngram,
    policy: PolicyName,
    text: &str,
    actions: &[(u64, ScriptedAction)],
    setup: &Setup,
) -> (Figures, Vec<(u64, String)>) {
    let (unmarked, cursor) = marked(text);
    let mut user = ScriptedUser {
        actions: actions.to_vec(),
        next: 0,
        text: Document::new(&unmarked, Version(1)),
        cursor: Offset(cursor),
        screen: None,
        shown: Vec::new(),
    };
    let mut answers = Answers::new(Box::new(source), None);
    let ran = run(policy, &mut user, &mut answers, setup).expect("a story has no bad entries");
    (ran.figures, user.shown)
}

const CALLS: &str = "\
let first = open(path);
let second = read(first);
let third = close(second);
print(third);

let first = open(path);
let second = read(first);
let third = close(second);
print(third);

let first";

fn at_end() -> String {
    format!("{CALLS}$0\n")
}

/// Types `=`, then accepts three times, each after two seconds of reading.
const TYPED_AND_ACCEPTED: [(u64, ScriptedAction); 4] = [
    (1_000, ScriptedAction::Types(" =")),
    (3_000, ScriptedAction::Tabs),
    (5_000, ScriptedAction::Tabs),
    (7_000, ScriptedAction::Tabs),
];

#[test]
fn a_question_takes_what_its_passes_take() {
    let (figures, shown) = simulate(
        PolicyName::None,
        "a c\na$0",
        &[(1_000, ScriptedAction::Types(" "))],
    );
    // A pass over two markers, the three tokens before the last word, and two of the forced text.
    // Then ` c` is chosen, and a pass of one token shows that the line ends after it.
    assert_eq!(shown, [(1_000 + 17 + 11, "c".to_owned())]);
    assert_eq!(figures.perceived.miss.len(), 1);
}

#[test]
fn speculation_has_the_next_one_there_when_tab_is_pressed() {
    for policy in [
        PolicyName::Tabahead,
        PolicyName::Copilot,
        PolicyName::LlamaVim,
    ] {
        let (figures, _) = simulate(policy, &at_end(), &TYPED_AND_ACCEPTED);
        assert_eq!((figures.accepts, figures.with_next), (3, 3), "{policy:?}");
        assert_eq!(figures.hits_after_accept, 3, "{policy:?}");
        assert_eq!(figures.accept_to_next.quantile(1.0), Some(0), "{policy:?}");
        assert_eq!(figures.unlike_fresh, 0, "{policy:?}");
    }
    for policy in [PolicyName::None, PolicyName::Exact] {
        let (figures, _) = simulate(policy, &at_end(), &TYPED_AND_ACCEPTED);
        assert_eq!(
            (figures.accepts, figures.hits_after_accept),
            (3, 0),
            "{policy:?}"
        );
        assert!(figures.accept_to_next.quantile(0.0) > Some(0), "{policy:?}");
    }
}

/// A list that is in the text once is accepted line by line a second time, until it is longer than
/// what the model sees.
#[test]
fn an_accept_that_moves_the_base_is_computed_ahead() {
    // No two lines share a word, so the copier knows from any word where it is.
    let letter = |n: u8| char::from(b'a' + n);
    let words = |line: u8| {
        let word = |n: u8| format!("word{}{}", letter(line), letter(n));
        (0..7).map(word).collect::<Vec<_>>().join(" ")
    };
    let list: String = (0..24).map(|line| words(line) + ";\n").collect();
    let text = format!("{list}\n{}$0\n", words(0));
    let tabs = (1..=20).map(|n| (5_000 * n, ScriptedAction::Tabs));
    let actions: Vec<(u64, ScriptedAction)> = [(100, ScriptedAction::Types(";"))]
        .into_iter()
        .chain(tabs)
        .collect();
    for layout in [Layout::SuffixFirst, Layout::PrefixFirst] {
        let copier = || Ngram::in_layout(layout);
        let (ours, _) = simulate_by(copier(), PolicyName::Tabahead, &text, &actions, &setup());
        let (moved, stood) = (&ours.prefilled_base_moved, &ours.prefilled_base_stood);
        assert_eq!(ours.accepts, 20, "{layout:?}");
        assert_eq!(moved.len() + stood.len(), 20, "{layout:?}");
        assert!(!moved.is_empty(), "{layout:?}");
        assert!(!stood.is_empty(), "{layout:?}");
        assert_eq!((moved.sum(), stood.sum()), (0, 0), "{layout:?}");
        assert_eq!(ours.base_moves_ahead, moved.len() as u64, "{layout:?}");
        assert_eq!(ours.unlike_fresh, 0, "{layout:?}");
        let by_lines: [u64; 2] = ours
            .base_moves
            .iter()
            .fold([0; 2], |[a, b], [moved, all]| [a + moved, b + all]);
        assert_eq!(by_lines, [moved.len() as u64, 20], "{layout:?}");

        // A policy that asks on every request reads the text that moved.
        let (none, _) = simulate_by(copier(), PolicyName::None, &text, &actions, &setup());
        let read = none.prefilled_base_moved;
        assert_eq!(read.len(), moved.len(), "{layout:?}");
        assert!(read.sum() > 20 * read.len() as u64, "{layout:?} {read:?}");
        assert_eq!(none.base_moves_ahead, 0, "{layout:?}");
    }
}

#[test]
fn split_at_the_cursor_every_accept_moves_the_base_and_is_computed_ahead() {
    let copier = Ngram::in_layout(Layout::Split);
    let actions = [
        (0, ScriptedAction::Types(" ")),
        (5_000, ScriptedAction::Tabs),
        (10_000, ScriptedAction::Types("\n")),
        (15_000, ScriptedAction::Types("let second")),
        (20_000, ScriptedAction::Tabs),
    ];
    let (ours, _) = simulate_by(copier, PolicyName::Tabahead, &at_end(), &actions, &setup());
    let moved = ours.prefilled_base_moved;
    assert!(ours.accepts > 0);
    assert_eq!(moved.len() as u64, ours.accepts);
    assert_eq!((moved.sum(), ours.base_moves_ahead), (0, ours.accepts));
    assert!(ours.prefilled_base_stood.is_empty());
}

#[test]
fn keys_line_ends_and_jumps_are_counted_apart() {
    let actions = [
        (1_000, ScriptedAction::Types("a")),
        (2_000, ScriptedAction::Types("b")),
        (3_000, ScriptedAction::Moves(0)),
        (4_000, ScriptedAction::Types("c")),
        (5_000, ScriptedAction::Types("\n")),
        // Back to where the last change left the cursor: no jump.
        (6_000, ScriptedAction::Moves(60)),
        (6_100, ScriptedAction::Moves(2)),
        (7_000, ScriptedAction::Types("d")),
    ];
    let (figures, _) = simulate(PolicyName::None, &at_end(), &actions);
    assert_eq!(figures.prefilled_per_key.len(), 3);
    assert_eq!(figures.prefilled_per_enter.len(), 1);
    assert_eq!(figures.prefilled_per_jump.len(), 1);
}

#[test]
fn only_ours_looks_further_than_one_accept_ahead() {
    // There is time for everything before the first Tab, and none between Tabs.
    let actions = [
        (1_000, ScriptedAction::Types(" =")),
        (5_000, ScriptedAction::Tabs),
        (5_001, ScriptedAction::Tabs),
        (5_002, ScriptedAction::Tabs),
    ];
    let (ours, _) = simulate(PolicyName::Tabahead, &at_end(), &actions);
    assert_eq!((ours.accepts, ours.hits_after_accept), (3, 3));
    let (copilot, _) = simulate(PolicyName::Copilot, &at_end(), &actions);
    // At the second Tab nothing is shown yet.
    assert_eq!((copilot.accepts, copilot.hits_after_accept), (2, 1));
}

#[test]
fn what_llama_vim_computes_ahead_mid_line_is_never_found() {
    // Suggestions of two tokens, so that more than one fits before the text after the cursor.
    let mut setup = setup();
    setup.settings.cut.max_tokens = 2;
    let figures_of =
        |policy, text: &str| simulate_with(policy, text, &TYPED_AND_ACCEPTED, &setup).0;
    let words = "let first = one two three four five six seven eight;\n";
    let mid_line = format!("{words}\nlet first$0 )\n");
    let theirs = figures_of(PolicyName::LlamaVim, &mid_line);
    assert!(theirs.with_next > 0, "{theirs:?}");
    assert_eq!(theirs.hits_after_accept, 0, "{theirs:?}");
    let ours = figures_of(PolicyName::Tabahead, &mid_line);
    assert_eq!(ours.hits_after_accept, ours.with_next);
    // At the end of a line, it is found.
    let theirs = figures_of(PolicyName::LlamaVim, &at_end());
    assert_eq!(theirs.hits_after_accept, theirs.with_next);
}

#[test]
fn llama_vim_lets_a_fresh_question_wait_for_one_that_is_not_needed() {
    let actions = [
        (1_000, ScriptedAction::Types(" =")),
        (1_005, ScriptedAction::Types(" read")),
    ];
    let (patient, _) = simulate(PolicyName::LlamaVim, &at_end(), &actions);
    let (direct, _) = simulate(PolicyName::None, &at_end(), &actions);
    let slowest = |figures: &Figures| figures.all_perceived().quantile(1.0);
    // Its job is over in less than the 100 ms of its timer.
    assert!(
        slowest(&patient) > slowest(&direct),
        "{patient:?} {direct:?}"
    );
}

#[test]
fn a_request_does_not_wait_for_the_end_of_a_pass_that_computes_ahead() {
    // A key that differs from what is shown, pressed while something is computed ahead.
    let actions = [
        (1_000, ScriptedAction::Types(" =")),
        (1_400, ScriptedAction::Types("zz")),
    ];
    let (ours, _) = simulate(PolicyName::Tabahead, &at_end(), &actions);
    let (none, _) = simulate(PolicyName::None, &at_end(), &actions);
    let slowest = |figures: &Figures| figures.all_perceived().quantile(1.0).unwrap_or(0);
    // At most one layer of the largest speculative pass.
    let layer = (10_000 + 40 * 1_000) / 4;
    assert!(
        slowest(&ours) <= slowest(&none) + layer,
        "{ours:?} {none:?}"
    );
}

#[test]
fn the_same_session_gives_the_same_figures() {
    for policy in PolicyName::ALL {
        let one = simulate(policy, &at_end(), &TYPED_AND_ACCEPTED);
        assert_eq!(
            one,
            simulate(policy, &at_end(), &TYPED_AND_ACCEPTED),
            "{policy:?}"
        );
    }
}

#[test]
fn nothing_is_stale() {
    let actions: Vec<(u64, ScriptedAction)> = (0..60)
        .map(|n| {
            let act = match n % 4 {
                0 => ScriptedAction::Tabs,
                1 => ScriptedAction::Types(" "),
                2 => ScriptedAction::Types("="),
                _ => ScriptedAction::Types("o"),
            };
            (1_000 + n * 37, act)
        })
        .collect();
    for policy in PolicyName::ALL {
        let (figures, _) = simulate(policy, &at_end(), &actions);
        assert_eq!(figures.stale_shows, 0, "{policy:?}");
    }
    let (ours, _) = simulate(PolicyName::Tabahead, &at_end(), &actions);
    assert_eq!(ours.unlike_fresh, 0);
}
