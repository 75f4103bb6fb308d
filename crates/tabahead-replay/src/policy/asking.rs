//! One question to the model: from a state to what is shown there. Every policy but ours is made of
//! such questions.

use tabahead_context::{
    ContextSettings, ContextWindow, Cut, CutSettings, DocumentName, GenerationEvent,
    GenerationFailure, GenerationId, GenerationRequest, Goal, ModelProfile, Path, PathEnd,
    Priority, Silence, Suggestion, cut,
};
use tabahead_speculation::{DocumentId, Input, RequestId, SpeculatorSettings};
use tabahead_text::{Document, Offset};

/// A text, a cursor in it and the document's name.
#[derive(Debug, Clone)]
pub struct DocumentState {
    /// The text.
    pub document: Document,
    /// The cursor.
    pub cursor: Offset,
    /// The document's name.
    pub name: DocumentName,
}

impl DocumentState {
    /// Returns the text before the cursor.
    pub(crate) fn before(&self) -> String {
        self.document.slice(Offset(0)..self.cursor)
    }

    /// Returns the text after the cursor.
    pub(crate) fn behind(&self) -> String {
        self.document
            .slice(self.cursor..Offset(self.document.len()))
    }

    /// Returns the state after a suggestion that was shown here is accepted.
    pub(crate) fn accepted(&self, suggestion: &Suggestion) -> Self {
        let (document, cursor) = suggestion.apply(&self.document);
        Self {
            document,
            cursor,
            name: self.name.clone(),
        }
    }
}

/// Result of a question: what to show, or why nothing is shown.
pub(crate) type QuestionResult = Result<Suggestion, Silence>;

/// Progress of a question.
pub(crate) enum Progress {
    /// More events are to come.
    Waits,
    /// The prompt was too long; this shorter request must be started instead.
    AskAgain(GenerationRequest),
    /// The question is decided; its generation is of no more use.
    Decided(QuestionResult),
    /// The model failed.
    Failed,
}

/// Asks questions with one model and one set of settings.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    context: ContextSettings,
    cut: CutSettings,
    profile: ModelProfile,
    asked: u64,
}

impl Asker {
    pub(crate) fn new(settings: &SpeculatorSettings, profile: &ModelProfile) -> Self {
        Self {
            context: settings.context.for_model(profile),
            cut: settings.cut.for_model(profile),
            profile: profile.clone(),
            asked: 0,
        }
    }

    /// Returns a question and the generation that answers it; if none is needed, its result as the
    /// error.
    pub(crate) fn ask(
        &mut self,
        state: DocumentState,
        priority: Priority,
    ) -> Result<(Asking, GenerationRequest), QuestionResult> {
        self.ask_shorter(state, priority, 0)
    }

    fn ask_shorter(
        &mut self,
        state: DocumentState,
        priority: Priority,
        attempt: u8,
    ) -> Result<(Asking, GenerationRequest), QuestionResult> {
        if self.context.budgets(attempt).is_none() {
            return Err(Err(Silence::TooLong));
        }
        let window = ContextWindow::new(
            &state.document,
            state.cursor,
            &state.name,
            self.profile.template.layout,
            &self.context,
            attempt,
        )
        .map_err(Err)?;
        self.asked += 1;
        let id = GenerationId(self.asked);
        let request = GenerationRequest {
            id,
            goal: Goal::Decode,
            prompt: self
                .profile
                .template
                .render(&window, self.profile.pre_tokenizer),
            tail: window.tail.clone(),
            continued: Vec::new(),
            priority,
            reserve: self.cut.max_tokens,
            characters: 0,
            copy_source: window.copy_source(&state.document),
        };
        let path = Path::new(window.tail.clone(), self.profile.pre_tokenizer);
        let asking = Asking {
            id,
            state,
            window,
            path,
            priority,
        };
        Ok((asking, request))
    }

    /// Handles an event of a question's generation.
    pub(crate) fn take(&mut self, asking: &mut Asking, event: GenerationEvent) -> Progress {
        match event {
            GenerationEvent::Started { prompt_tokens, .. } => asking.path.started(prompt_tokens),
            GenerationEvent::Token {
                token,
                canonical_until,
                ..
            } => asking.path.push(token, canonical_until),
            // Never asked for here.
            GenerationEvent::Characters { .. } | GenerationEvent::Read { .. } => {}
            GenerationEvent::Ended { end, .. } => asking.path.finish(end),
            GenerationEvent::Failed { failure, .. } => match failure {
                GenerationFailure::TooLong => {
                    let (state, attempt) = (asking.state.clone(), asking.window.attempt + 1);
                    return match self.ask_shorter(state, asking.priority, attempt) {
                        Ok((shorter, request)) => {
                            *asking = shorter;
                            Progress::AskAgain(request)
                        }
                        Err(shown) => Progress::Decided(shown),
                    };
                }
                GenerationFailure::Broken(_) => return Progress::Failed,
            },
        }
        let cut = cut(
            &asking.state.document,
            asking.state.cursor,
            &asking.state.name.language,
            &asking.window.left_out,
            &asking.path,
            asking.window.tail.len(),
            &self.cut,
        );
        match cut {
            Cut::Show(suggestion) => Progress::Decided(Ok(suggestion)),
            Cut::Silent(silence) => Progress::Decided(Err(silence)),
            Cut::NeedMore if asking.path.end() != PathEnd::Open => {
                Progress::Decided(Err(Silence::Undecided))
            }
            Cut::NeedMore => Progress::Waits,
        }
    }
}

/// A question that is being answered.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    /// The generation that answers it.
    pub(crate) id: GenerationId,
    /// The state that is asked about.
    pub(crate) state: DocumentState,
    /// The part of the state that the model sees.
    pub(crate) window: ContextWindow,
    path: Path,
    priority: Priority,
}

impl Asking {
    /// Returns what the model has said after the cursor so far.
    pub(crate) fn said(&self) -> &[u8] {
        &self.path.bytes()[self.path.origin()..]
    }

    /// Returns the number of tokens decoded so far.
    pub(crate) fn tokens(&self) -> u64 {
        self.path.tokens().len() as u64
    }
}

/// Returns whether, after `input`, the answer to `request` in `document` is no longer wanted.
pub(crate) fn overtakes(input: &Input, request: RequestId, document: DocumentId) -> bool {
    match input {
        Input::CompletionRequested { .. } | Input::Shown { .. } => true,
        Input::DocumentChanged {
            document: other, ..
        }
        | Input::DocumentClosed { document: other } => *other == document,
        Input::RequestCancelled { request: other } => *other == request,
        Input::Generation(_)
        | Input::Accepted { .. }
        | Input::AcceptedPart { .. }
        | Input::Displayed { .. }
        | Input::Dismissed { .. }
        | Input::Focused { .. }
        | Input::FocusLost
        | Input::CursorMoved { .. } => false,
    }
}

/// Returns whether this is the last event of a generation.
pub(crate) fn is_last(event: &GenerationEvent) -> bool {
    matches!(
        event,
        GenerationEvent::Read { .. }
            | GenerationEvent::Ended { .. }
            | GenerationEvent::Failed { .. }
    )
}
