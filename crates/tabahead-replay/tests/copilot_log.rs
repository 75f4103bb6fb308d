//! The cache of the policy `copilot`, compared with what Copilot did: the log of its fetches in a
//! real recording.
//!
//! Every answer in the log is put into our cache, and each fetch that found text at the cursor is
//! predicted: found, or not. A fetch of Copilot's that took at most 20 ms cannot have asked its
//! server.

mod real;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use expect_test::expect;
use tabahead_replay::{
    editing::{Editing, EventKind},
    policy::CopilotCache,
    recording::{Entries, FetchedItem},
};
use tabahead_text::{Document, Offset, PositionEncoding};

const QUICK: Duration = Duration::from_millis(20);
/// Approximate time for which a request that the editor gave up continues at the server.
const CONTINUES: Duration = Duration::from_millis(1500);

/// A running fetch.
struct Fetch {
    text: Document,
    cursor: Offset,
    prediction: Prediction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Prediction {
    Hit,
    /// Not in the cache, but the state after the accept just before may have been asked about.
    AfterAccept,
    /// Not in the cache, but a fetch for an earlier state of the typed text was given up a moment
    /// ago: its answer may have come, and is not in the log.
    AfterGivenUp,
    Miss,
}

#[test]
fn the_cache_hits_where_copilots_did() {
    let Some(folder) = real::recordings() else {
        return;
    };
    let entries = Entries::open(&folder.join("typescript-37min.recording.w.json"));
    let mut log = Log::default();
    for event in Editing::new(entries.expect("it opens")) {
        let event = event.expect("it is consistent");
        log.take(event.at, event.kind);
    }
    let mut table = String::from("prediction: at most 20 ms, longer\n");
    for (prediction, [quick, slow]) in &log.counts {
        table += &format!("{prediction:?}: {quick}, {slow}\n");
    }
    expect![[r#"
        prediction: at most 20 ms, longer
        Hit: 206, 9
        AfterAccept: 20, 3
        AfterGivenUp: 34, 54
        Miss: 27, 53
    "#]]
    .assert_eq(&table);

    let share = |prediction| {
        let [quick, slow] = log.counts[&prediction];
        f64::from(quick) / f64::from(quick + slow)
    };
    assert!(share(Prediction::Hit) > 0.95);
    assert!(share(Prediction::AfterAccept) > 0.75);
    let [quick, slow] = log
        .counts
        .values()
        .fold([0, 0], |[quick, slow], [q, s]| [quick + q, slow + s]);
    let [_, slow_hits] = log.counts[&Prediction::Hit];
    assert!(slow_hits * 10 < slow, "{slow_hits} of {slow}");
    assert!(quick > slow);
}

#[derive(Default)]
struct Log {
    texts: HashMap<u64, (Document, Offset)>,
    cache: CopilotCache,
    running: HashMap<u64, Fetch>,
    given_up: Vec<(Duration, String, String)>,
    accepted: bool,
    counts: BTreeMap<Prediction, [u32; 2]>,
}

impl Log {
    fn take(&mut self, at: Duration, kind: EventKind) {
        match kind {
            EventKind::Opened { document, text, .. } => {
                self.texts.insert(document, (text, Offset(0)));
            }
            EventKind::Changed {
                document,
                after,
                cursor,
                reason,
                ..
            } => {
                self.accepted = reason.as_deref() == Some("inlineSuggestion.accept");
                self.texts.insert(document, (after, cursor));
            }
            EventKind::Moved {
                document, cursor, ..
            } => {
                if let Some(place) = self.texts.get_mut(&document) {
                    place.1 = cursor;
                }
            }
            EventKind::FetchStarted {
                document, request, ..
            } => {
                if let Some((text, cursor)) = self.texts.get(&document).cloned() {
                    let (before, after) = around(&text, cursor);
                    let prediction = self.predict(at, &before, &after);
                    self.accepted = false;
                    let fetch = Fetch {
                        text,
                        cursor,
                        prediction,
                    };
                    self.running.insert(request, fetch);
                }
            }
            EventKind::FetchEnded {
                request,
                duration,
                cancelled,
                result,
            } => {
                if let Some(fetch) = self.running.remove(&request) {
                    self.ended(at, duration, cancelled, &result, &fetch);
                }
            }
            EventKind::Closed { .. } => {}
        }
    }

    fn predict(&mut self, at: Duration, before: &str, after: &str) -> Prediction {
        let given_up = |(ended, earlier, same): &(Duration, String, String)| {
            at.saturating_sub(*ended) < CONTINUES && before.starts_with(earlier) && after == same
        };
        if self.cache.find(before, after).is_some() {
            Prediction::Hit
        } else if self.accepted {
            Prediction::AfterAccept
        } else if self.given_up.iter().any(given_up) {
            Prediction::AfterGivenUp
        } else {
            Prediction::Miss
        }
    }

    fn ended(
        &mut self,
        at: Duration,
        took: Duration,
        cancelled: bool,
        result: &[FetchedItem],
        fetch: &Fetch,
    ) {
        let (before, after) = around(&fetch.text, fetch.cursor);
        if cancelled {
            self.given_up.push((at, before, after));
            return;
        }
        let Some(text) = result.iter().find_map(|item| at_cursor(item, fetch)) else {
            return;
        };
        let counts = self.counts.entry(fetch.prediction).or_default();
        counts[usize::from(took > QUICK)] += 1;
        self.cache.add(&before, &after, &text);
    }
}

/// Returns what an item adds at the cursor; it may repeat the text before the cursor on the line.
fn at_cursor(item: &FetchedItem, fetch: &Fetch) -> Option<String> {
    let offset = |place| fetch.text.offset_of(place, PositionEncoding::Utf16);
    let (start, end) = (offset(item.range.start), offset(item.range.end));
    let here = !item.inline_edit && start <= fetch.cursor && fetch.cursor <= end;
    let repeated = fetch.text.slice(start..fetch.cursor);
    here.then(|| item.text.strip_prefix(&repeated[..]).map(str::to_owned))?
}

fn around(text: &Document, cursor: Offset) -> (String, String) {
    let end = Offset(text.len());
    (text.slice(Offset(0)..cursor), text.slice(cursor..end))
}
