//! No policy: every request asks the model, and a question is given up when the user goes on.

use std::collections::VecDeque;

use tabahead_context::{Asker, FreshQuestion, ModelProfile, Priority, Progress, Silence, State};
use tabahead_speculation::{
    Answer, DocumentId, Effect, Input, Origin, RequestId, SpeculatorSettings, SuggestionId,
    Timestamp,
};

use super::{
    Policy,
    asking::{QuestionResult, asker, is_last, overtakes},
};

/// Asks the model on every request.
pub struct AskAlways {
    asker: Asker,
    waiting: Option<RunningRequest>,
    effects: VecDeque<Effect>,
    served: u64,
}

struct RunningRequest {
    request: RequestId,
    document: DocumentId,
    asking: FreshQuestion,
}

impl AskAlways {
    /// Creates the policy for a model.
    pub fn new(settings: &SpeculatorSettings, profile: &ModelProfile) -> Self {
        Self {
            asker: asker(settings, profile),
            waiting: None,
            effects: VecDeque::new(),
            served: 0,
        }
    }

    fn give_up(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.effects
                .push_back(Effect::CancelGeneration(waiting.asking.id));
            self.effects.push_back(Effect::Respond {
                request: waiting.request,
                answer: Answer::Superseded,
            });
        }
    }

    fn respond(&mut self, request: RequestId, shown: QuestionResult) {
        self.served += 1;
        self.effects.push_back(Effect::Respond {
            request,
            answer: answer(self.served, shown, Origin::Miss),
        });
    }
}

impl Policy for AskAlways {
    fn handle_input(&mut self, _now: Timestamp, input: Input) {
        let waiting = self.waiting.as_ref();
        if waiting.is_some_and(|w| overtakes(&input, w.request, w.document)) {
            self.give_up();
        }
        match input {
            Input::CompletionRequested {
                request,
                document,
                snapshot,
                cursor,
                name,
                ..
            } => {
                let state = State {
                    document: snapshot,
                    cursor,
                    name,
                };
                match self.asker.ask(state, Priority::Foreground) {
                    Ok((asking, generation)) => {
                        self.effects.push_back(Effect::StartGeneration(generation));
                        self.waiting = Some(RunningRequest {
                            request,
                            document,
                            asking,
                        });
                    }
                    Err(silence) => self.respond(request, Err(silence)),
                }
            }
            Input::Generation(event) => {
                let Some(waiting) = &mut self.waiting else {
                    return;
                };
                let (id, last) = (event.id(), is_last(&event));
                if id != waiting.asking.id {
                    return;
                }
                let request = waiting.request;
                let answer = match self.asker.take(&mut waiting.asking, event) {
                    Progress::Waits => return,
                    Progress::AskAgain(generation) => {
                        self.effects.push_back(Effect::StartGeneration(generation));
                        return;
                    }
                    Progress::Decided(decided) => decided,
                    Progress::Failed(_) => Err(Silence::Undecided),
                };
                self.waiting = None;
                if !last {
                    self.effects.push_back(Effect::CancelGeneration(id));
                }
                self.respond(request, answer);
            }
            _ => {}
        }
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn wasted_tokens(&self) -> u64 {
        0
    }
}

/// Converts the result of a question to an answer of the protocol.
pub(super) fn answer(id: u64, shown: QuestionResult, origin: Origin) -> Answer {
    match shown {
        Ok(suggestion) => Answer::Suggestion {
            id: SuggestionId(id),
            suggestion,
            origin,
            alternatives: Vec::new(),
        },
        Err(reason) => Answer::Silent {
            reason,
            origin: Some(origin),
        },
    }
}
