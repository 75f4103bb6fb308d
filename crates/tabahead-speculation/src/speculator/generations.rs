//! Makes the running generations match the wanted ones: starts and cancels them, and changes their
//! priority.
//!
//! Decides nothing: `reconcile` decides what is wanted.

use tabahead_context::{GenerationId, GenerationRequest, Goal, PathEnd, Priority};
use tabahead_text::Document;

use super::{For, Need, Running, Speculator};
use crate::{Effect, known_path::KnownPath};

/// Starting point of a generation.
enum Begin {
    /// The prompt alone, to read it.
    Reading,
    /// A path in the document `text`, with the number of likeliest characters to report.
    Decoding { text: Document, characters: usize },
}

impl Speculator {
    /// Makes the running generations the first `in_flight` of those in `wanted`.
    pub(super) fn run_exactly(&mut self, wanted: Vec<(For, Need)>) {
        let mut keep: Vec<(GenerationId, For)> = Vec::new();
        let mut start: Vec<(For, KnownPath, Begin)> = Vec::new();
        for document in &self.attended {
            if let Some(open) = self.documents.get_mut(document) {
                open.request_waits_for.clear();
                open.chain_waits_for = None;
            }
        }
        for (waiting, need) in wanted {
            let full = keep.len() + start.len() >= self.settings.in_flight.max(1);
            let (known, begin) = match need {
                Need::Keep(id) => {
                    if keep.iter().any(|(kept, _)| *kept == id) {
                        self.note_wait(waiting, id);
                    } else if !full {
                        keep.push((id, waiting));
                        self.note_wait(waiting, id);
                    }
                    continue;
                }
                Need::Begin(view, text, characters) => {
                    let known = KnownPath::new(*view, waiting.priority(), &self.profile);
                    (known, Begin::Decoding { text, characters })
                }
                Need::Continue(known, text) => {
                    let characters = 0;
                    (*known, Begin::Decoding { text, characters })
                }
                Need::Read(view) => {
                    let known = KnownPath::new(*view, waiting.priority(), &self.profile);
                    (known, Begin::Reading)
                }
            };
            let wanted_already = start.iter().any(|(_, k, ..)| k.view.key == known.view.key);
            if !full && !wanted_already {
                start.push((waiting, known, begin));
            }
        }
        let idle: Vec<GenerationId> = self
            .running
            .keys()
            .filter(|id| keep.iter().all(|(kept, _)| kept != *id))
            .copied()
            .collect();
        for id in idle {
            self.stop(id);
        }
        for (id, waiting) in keep {
            self.prioritize(id, waiting);
        }
        for (waiting, known, begin) in start {
            self.start(waiting, known, begin);
        }
    }

    /// Removes a generation from the running ones, cancels it unless it has ended, and keeps its
    /// path.
    pub(super) fn stop(&mut self, id: GenerationId) {
        let Some(running) = self.running.remove(&id) else {
            return;
        };
        if running.known.path.end() == PathEnd::Open {
            self.effects.push_back(Effect::CancelGeneration(id));
            self.stats.reads_cancelled += u64::from(running.goal == Goal::Read);
            self.stats.speculations_cancelled += u64::from(running.speculation);
        } else {
            self.stats.speculations_finished += u64::from(running.speculation);
        }
        if !running.known.is_blank() {
            self.cache.keep(running.known);
        }
    }

    fn prioritize(&mut self, id: GenerationId, waiting: For) {
        let Some(running) = self.running.get_mut(&id) else {
            return;
        };
        let priority = waiting.priority();
        if priority == Priority::Speculative {
            running.known.goes_ahead();
        }
        if running.priority != priority {
            running.priority = priority;
            // A generation that answered a request and continues ahead of it is a speculation from
            // here on.
            let decodes = running.goal == Goal::Decode;
            if matches!(waiting, For::Hypothesis(_)) && decodes && !running.speculation {
                running.speculation = true;
                running.known.speculation_begins(id);
                self.stats.speculations_started += 1;
            }
            self.effects
                .push_back(Effect::PrioritizeGeneration(id, priority));
        }
    }

    /// Starts a generation.
    fn start(&mut self, waiting: For, mut known: KnownPath, begin: Begin) {
        self.generation += 1;
        let id = GenerationId(self.generation);
        let priority = waiting.priority();
        let (goal, characters) = match &begin {
            Begin::Reading => (Goal::Read, 0),
            Begin::Decoding { characters, .. } => (Goal::Decode, *characters),
        };
        let speculation = priority == Priority::Speculative && goal == Goal::Decode;
        self.stats.reads_started += u64::from(goal == Goal::Read);
        if speculation {
            known.speculation_begins(id);
            self.stats.speculations_started += 1;
        } else if let For::Request(document) = waiting
            && let Some(open) = self.documents.get_mut(&document)
            && let Some(request) = &mut open.request
        {
            request.started = true;
        }
        let window = &known.view.window;
        let template = &self.profile.template;
        self.effects
            .push_back(Effect::StartGeneration(GenerationRequest {
                id,
                goal,
                prompt: template.render(window, self.profile.pre_tokenizer),
                tail: window.tail.clone(),
                continued: known.path.token_ids(),
                priority,
                reserve: self.settings.cut.max_tokens,
                characters,
                copy_source: match &begin {
                    Begin::Reading => None,
                    Begin::Decoding { text, .. } => window.copy_source(text),
                },
            }));
        let running = Running {
            known,
            goal,
            priority,
            speculation,
            tells_characters: characters > 0,
        };
        self.running.insert(id, running);
        self.note_wait(waiting, id);
    }

    fn note_wait(&mut self, waiting: For, id: GenerationId) {
        match waiting {
            For::Request(document) => {
                if let Some(open) = self.documents.get_mut(&document) {
                    open.request_waits_for.push(id);
                }
            }
            For::Hypothesis(document) | For::Return(document) => {
                if let Some(open) = self.documents.get_mut(&document) {
                    open.chain_waits_for = Some(id);
                }
            }
            For::Reading => {}
        }
    }
}
