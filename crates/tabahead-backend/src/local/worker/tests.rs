//! The thread's behaviour with an engine that panics on demand, which no real one does.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, atomic::AtomicUsize, mpsc},
    thread,
};

use tabahead_context::{Goal, Layout, Marker, PreTokenizer, Prompt, Segment, TokenId};
use tabahead_engine::{Counters, KvPrecision, Step};
use tabahead_testkit::{profile, unnamed};

use super::*;
use crate::{
    BackendEvent, ModelState,
    local::compute::{Ahead, Stop},
};

/// Spells the alphabet byte by byte from where the prompt ends, and stops after `z`; if the stop is
/// masked there, after one more byte.
struct Alphabet {
    bytes: Vec<u8>,
    /// First tokens of sequences for which computing panics, in the middle of the alphabet, once
    /// per token.
    bombs: Arc<Mutex<HashSet<TokenId>>>,
    counters: Counters,
}

struct Letters {
    first: TokenId,
    next: TokenId,
    masks_stop: bool,
    computed: bool,
}

/// The first and the next token of each sequence in a pass.
#[derive(Debug)]
struct Group {
    sequences: Vec<(TokenId, TokenId)>,
    complete: bool,
}

/// Computes groups.
struct Fuse(Arc<Mutex<HashSet<TokenId>>>);

impl Ahead<Group> for Fuse {
    fn run(&mut self, group: &mut Group, _: Goal, stop: Stop<'_>) -> bool {
        if stop() {
            return false;
        }
        for (first, next) in &group.sequences {
            if *next == TokenId::from(b't') && lock(&self.0).remove(first) {
                panic!("boom");
            }
        }
        group.complete = true;
        true
    }

    fn is_begun(&self, _: &Group) -> bool {
        false
    }
}

impl Compute for Alphabet {
    type Sequence = Letters;
    type Pass = Group;
    type Ahead = Fuse;

    fn encode(&self, text: &str) -> Vec<TokenId> {
        text.bytes().map(TokenId::from).collect()
    }

    fn token_bytes(&self, token: TokenId) -> &[u8] {
        &self.bytes[token as usize..][..1]
    }

    fn marker(&self, _: Marker) -> Option<TokenId> {
        Some(0)
    }

    fn begin_token(&self) -> Option<TokenId> {
        None
    }

    fn pre_tokenizer(&self) -> PreTokenizer {
        PreTokenizer::Qwen2
    }

    fn start(&mut self, request: SequenceRequest) -> Result<Letters, EngineError> {
        if request.prompt.len() + request.reserve > 100 {
            return Err(EngineError::TooLong {
                tokens: request.prompt.len() + request.reserve,
                context: 100,
            });
        }
        self.counters.prompt += request.prompt.len() as u64;
        let last = *request.prompt.last().expect("a prompt is not empty");
        Ok(Letters {
            first: request.prompt[1],
            next: last + 1,
            masks_stop: request.mask_first_stop,
            computed: false,
        })
    }

    fn missing(&mut self, sequence: &mut Letters) -> usize {
        usize::from(!sequence.computed)
    }

    fn prefills(&self, _: &Letters) -> bool {
        false
    }

    fn begin(&mut self, sequences: &mut [(&mut Letters, usize)]) -> Group {
        Group {
            sequences: sequences
                .iter()
                .map(|(letters, _)| (letters.first, letters.next))
                .collect(),
            complete: false,
        }
    }

    fn run(&mut self, group: &mut Group, stop: Stop<'_>) -> bool {
        self.ahead().run(group, Goal::Decode, stop)
    }

    fn finish(&mut self, _: Group, sequences: &mut [Option<&mut Letters>]) {
        for sequence in sequences.iter_mut().flatten() {
            sequence.computed = true;
        }
    }

    fn abandon(&mut self, _: Group) {}

    fn choose(&mut self, sequence: &mut Letters) -> Result<Step, EngineError> {
        assert!(sequence.computed, "what is chosen from was computed");
        let masks_stop = std::mem::take(&mut sequence.masks_stop);
        if sequence.next > TokenId::from(b'z') && !masks_stop {
            return Ok(Step::Stop { log_prob: -0.5 });
        }
        let id = sequence.next;
        sequence.next += 1;
        sequence.computed = false;
        self.counters.decoded += 1;
        Ok(Step::Token(tabahead_engine::GeneratedToken {
            id,
            log_prob: -0.1,
            masked_stop: None,
            characters: Vec::new(),
        }))
    }

    fn retire(&mut self, _: Letters) {}

    fn counters(&self) -> Counters {
        self.counters
    }

    fn rows(&self, group: &Group) -> usize {
        group.sequences.len()
    }

    fn is_begun(&self, _: &Group) -> bool {
        false
    }

    fn is_complete(&self, group: &Group) -> bool {
        group.complete
    }

    fn ahead(&self) -> Fuse {
        Fuse(Arc::clone(&self.bombs))
    }
}

fn request(id: u64, priority: Priority, tail: &str) -> WorkerCommand {
    WorkerCommand::Start(Box::new(GenerationRequest {
        id: GenerationId(id),
        goal: Goal::Decode,
        prompt: Prompt {
            segments: vec![
                Segment::Marker(Marker::Prefix),
                Segment::Text(tail.to_owned()),
            ],
            forced: String::new(),
        },
        tail: tail.to_owned(),
        continued: Vec::new(),
        priority,
        reserve: 10,
        characters: 0,
        copy_source: None,
    }))
}

/// Runs a worker over these commands until `ends` generations are over. Returns their events in
/// order, and the number of tokens decoded.
fn events(bombs: &[u8], commands: Vec<WorkerCommand>, ends: usize) -> (Vec<GenerationEvent>, u64) {
    let (queue, receiver) = mpsc::channel();
    let (sink, reported) = mpsc::channel();
    let sink = Mutex::new(sink);
    let shared = Shared {
        sink: Box::new(move |event| {
            if let BackendEvent::Generation(event) = event {
                lock(&sink).send(event).expect("the test receives");
            }
        }),
        model: Mutex::new(ModelState::Ready(profile(
            "alphabet",
            unnamed(Layout::SuffixFirst),
            100,
        ))),
        model_changed: std::sync::Condvar::new(),
        counters: Mutex::default(),
        waiting: AtomicUsize::new(0),
    };
    let bombs: HashSet<_> = bombs.iter().map(|b| TokenId::from(*b)).collect();
    let bombs = Arc::new(Mutex::new(bombs));
    let build = |_: &EngineSettings| Alphabet {
        bytes: (0..=255).collect(),
        bombs: Arc::clone(&bombs),
        counters: Counters::default(),
    };
    let settings = EngineSettings {
        threads: 1,
        kv_bytes: 0,
        kv_precision: KvPrecision::Half,
        lookahead: false,
        copied_draft: 0,
    };
    for command in commands {
        shared.waiting.fetch_add(1, Ordering::AcqRel);
        queue
            .send(WorkerMessage::Command(command))
            .expect("it receives");
    }
    let mut events = Vec::new();
    thread::scope(|scope| {
        let worker = scope.spawn(|| Worker::new(build, settings, &shared, receiver).run());
        let mut over = 0;
        while over < ends {
            let event = reported.recv().expect("it reports");
            if let GenerationEvent::Read { .. }
            | GenerationEvent::Ended { .. }
            | GenerationEvent::Failed { .. } = event
            {
                over += 1;
            }
            events.push(event);
        }
        queue.send(WorkerMessage::Close).expect("it receives");
        worker.thread().unpark();
    });
    let decoded = lock(&shared.counters).decoded;
    (events, decoded)
}

/// Returns what each event reports, such as `2:a` for a token of generation 2.
fn story(events: &[GenerationEvent]) -> String {
    let words: Vec<_> = events
        .iter()
        .map(|event| match event {
            GenerationEvent::Started { id, .. } => format!("{}:start", id.0),
            GenerationEvent::Token { id, token, .. } => {
                format!("{}:{}", id.0, String::from_utf8_lossy(&token.bytes))
            }
            GenerationEvent::Characters { id, .. } => format!("{}:characters", id.0),
            GenerationEvent::Read { id } => format!("{}:read", id.0),
            GenerationEvent::Ended { id, .. } => format!("{}:end", id.0),
            GenerationEvent::Failed { id, failure } => match failure {
                GenerationFailure::TooLong => format!("{}:long", id.0),
                GenerationFailure::Broken(_) => format!("{}:broken", id.0),
            },
        })
        .collect();
    words.join(" ")
}

#[test]
fn generations_run_in_the_order_of_who_waits() {
    let commands = vec![
        request(1, Priority::Speculative, "x"),
        request(2, Priority::Speculative, "x"),
        request(3, Priority::Foreground, "x"),
        WorkerCommand::Prioritize(GenerationId(2), Priority::Foreground),
    ];
    let (events, _) = events(b"", commands, 3);
    assert_eq!(
        story(&events),
        "2:start 2:y 2:z 2:end 3:start 3:y 3:z 3:end 1:start 1:y 1:z 1:end"
    );
}

#[test]
fn a_prompt_that_is_only_read_gives_no_token() {
    let read = |id, tail: &str| match request(id, Priority::Speculative, tail) {
        WorkerCommand::Start(mut request) => {
            request.goal = Goal::Read;
            WorkerCommand::Start(request)
        }
        other => other,
    };
    let commands = vec![
        read(1, "x"),
        request(2, Priority::Foreground, "x"),
        read(3, "x"),
        read(4, "x"),
        WorkerCommand::Prioritize(GenerationId(4), Priority::Foreground),
    ];
    let (events, decoded) = events(b"", commands, 4);
    assert_eq!(
        story(&events),
        "4:start 4:read 2:start 2:y 2:z 2:end 1:start 3:start 1:read 3:read"
    );
    assert_eq!(decoded, 2);
}

#[test]
fn a_cancelled_generation_sends_nothing_more() {
    let commands = vec![
        request(1, Priority::Foreground, "x"),
        request(2, Priority::Speculative, "y"),
        WorkerCommand::Cancel(GenerationId(1)),
        WorkerCommand::Cancel(GenerationId(7)),
    ];
    let (events, _) = events(b"", commands, 1);
    assert_eq!(story(&events), "2:start 2:z 2:end");
}

#[test]
fn a_panic_fails_one_generation_and_the_others_continue_where_they_were() {
    // The first generation comes before the second, and panics at `t`.
    let commands = vec![
        request(2, Priority::Speculative, "q"),
        request(1, Priority::Foreground, "r"),
    ];
    let (events, decoded) = events(b"r", commands, 2);
    assert_eq!(
        story(&events),
        "1:start 1:s 1:broken 2:start 2:r 2:s 2:t 2:u 2:v 2:w 2:x 2:y 2:z 2:end"
    );
    // Tokens of the engine that panicked still count.
    assert_eq!(decoded, 10);
}

#[test]
fn changed_settings_do_not_disturb_what_runs() {
    let settings = EngineSettings {
        threads: 1,
        kv_bytes: 2,
        kv_precision: KvPrecision::Full,
        lookahead: false,
        copied_draft: 0,
    };
    for at in 0..3 {
        let mut commands = vec![
            request(1, Priority::Foreground, "v"),
            request(2, Priority::Speculative, "w"),
        ];
        commands.insert(at, WorkerCommand::Configure(settings.clone()));
        let (events, decoded) = events(b"", commands, 2);
        assert_eq!(
            story(&events),
            "1:start 1:w 1:x 1:y 1:z 1:end 2:start 2:x 2:y 2:z 2:end"
        );
        assert_eq!(decoded, 7);
    }
}

#[test]
fn what_does_not_fit_is_too_long_however_much_of_it_is_known() {
    let long = "a".repeat(90);
    let (events, _) = events(b"", vec![request(1, Priority::Foreground, &long)], 1);
    assert_eq!(story(&events), "1:long");
    let fits = "y".repeat(89);
    let mut continued = request(1, Priority::Foreground, &fits);
    if let WorkerCommand::Start(request) = &mut continued {
        request.continued = vec![TokenId::from(b'y')];
    }
    let (events, _) = self::events(b"", vec![continued], 1);
    assert_eq!(story(&events), "1:start 1:z 1:end");
}

/// A stop is masked where the path's constraint ended, and a continued path is beyond that.
#[test]
fn a_continued_path_may_stop_at_once() {
    let begins = request(1, Priority::Foreground, "xyz");
    let (events, _) = events(b"", vec![begins], 1);
    assert_eq!(story(&events), "1:start 1:{ 1:end");
    let mut continued = request(1, Priority::Foreground, "xy");
    if let WorkerCommand::Start(request) = &mut continued {
        request.continued = vec![TokenId::from(b'z')];
    }
    let (events, _) = self::events(b"", vec![continued], 1);
    assert_eq!(story(&events), "1:start 1:end");
}

#[test]
fn a_panic_in_a_shared_pass_fails_only_the_generation_that_caused_it() {
    let commands = vec![
        request(1, Priority::Speculative, "r"),
        request(2, Priority::Speculative, "q"),
        request(3, Priority::Speculative, "p"),
    ];
    let (events, _) = events(b"r", commands, 3);
    let events_of = |id: u64| -> String {
        let of = |event: &&GenerationEvent| event.id().0 == id;
        let events: Vec<_> = events.iter().filter(of).cloned().collect();
        story(&events)
    };
    // A bomb goes off once: the generation that has it is tried again alone, and continues.
    assert_eq!(
        events_of(1),
        "1:start 1:s 1:t 1:u 1:v 1:w 1:x 1:y 1:z 1:end"
    );
    assert_eq!(
        events_of(2),
        "2:start 2:r 2:s 2:t 2:u 2:v 2:w 2:x 2:y 2:z 2:end"
    );
    assert!(events_of(3).ends_with("3:z 3:end"), "{}", events_of(3));
}
