//! The suggestion that a fresh process would show at a state: empty caches, nothing computed ahead.

use tabahead_context::{
    Asker, ContextWindow, GenerationEvent, GenerationFailure, GenerationId, ModelProfile, Priority,
    Progress, Silence, State,
};
use tabahead_speculation::SpeculatorSettings;

use crate::{
    answers::{Answers, NextToken},
    policy::asking::{QuestionResult, asker},
};

/// Asks as a fresh process does.
pub(crate) struct FreshProcess(Asker);

impl FreshProcess {
    pub(crate) fn new(settings: &SpeculatorSettings, profile: &ModelProfile) -> Self {
        Self(asker(settings, profile))
    }

    /// Returns what the model sees at a state; `None` if the model is not asked.
    pub(crate) fn window(&mut self, state: &State, answers: &mut Answers) -> Option<ContextWindow> {
        let asked = self.0.ask(state.clone(), Priority::Foreground);
        let (mut asking, mut request) = asked.ok()?;
        while let Err(failure) = answers.begin(&request) {
            let id = request.id;
            let failed = GenerationEvent::Failed { id, failure };
            let Progress::AskAgain(shorter) = self.0.take(&mut asking, failed) else {
                return None;
            };
            request = shorter;
        }
        Some(asking.question.view.window)
    }

    /// Returns what is shown at a state, from the model's answer to that very state.
    pub(crate) fn shown(&mut self, state: &State, answers: &mut Answers) -> QuestionResult {
        let asked = self.0.ask(state.clone(), Priority::Foreground);
        let (mut asking, mut request) = asked?;
        loop {
            let id = request.id;
            let (key, mut event) = match answers.begin(&request) {
                Ok((key, beginning)) => (
                    Some(key),
                    GenerationEvent::Started {
                        id,
                        prompt_tokens: beginning.prompt.len(),
                        continued: 0,
                    },
                ),
                Err(failure) => (None, GenerationEvent::Failed { id, failure }),
            };
            let mut place = 0;
            request = loop {
                match (self.0.take(&mut asking, event), key) {
                    (Progress::Decided(decided), _) => return decided,
                    (Progress::AskAgain(shorter), _) => break shorter,
                    (Progress::Waits, Some(key)) => {
                        event = event_of(id, answers.token_at(&request, key, place));
                        place += 1;
                    }
                    (Progress::Waits, None) | (Progress::Failed(_), _) => {
                        return Err(Silence::Undecided);
                    }
                }
            };
        }
    }
}

/// Converts an answer to the event that a backend reports.
pub(crate) fn event_of(id: GenerationId, token: NextToken) -> GenerationEvent {
    match token {
        NextToken::Token(token, canonical_until) => GenerationEvent::Token {
            id,
            token,
            canonical_until,
        },
        NextToken::End(end) => GenerationEvent::Ended { id, end },
        NextToken::Broken(line) => GenerationEvent::Failed {
            id,
            failure: GenerationFailure::Broken(line),
        },
    }
}
