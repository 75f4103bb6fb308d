//! One question to the model: from a state to what is shown there. What every policy but ours is
//! made of.

use tabahead_context::{
    ContextSettings, ContextWindow, Cut, CutSettings, DocumentName, GenerationEvent,
    GenerationFailure, GenerationId, GenerationRequest, Goal, ModelProfile, Path, PathEnd,
    Priority, Suggestion, cut,
};
use tabahead_speculation::{DocumentId, Input, RequestId, SpeculatorSettings};
use tabahead_text::{Document, Offset};

/// A text, a cursor in it and the document's name.
#[derive(Debug, Clone)]
pub struct State {
    /// The text.
    pub document: Document,
    /// Where the cursor is.
    pub cursor: Offset,
    /// The document's name.
    pub name: DocumentName,
}

impl State {
    /// The text before the cursor.
    pub(crate) fn before(&self) -> String {
        self.document.slice(Offset(0)..self.cursor)
    }

    /// The text behind the cursor.
    pub(crate) fn behind(&self) -> String {
        self.document
            .slice(self.cursor..Offset(self.document.len()))
    }

    /// The state after a suggestion that was shown here was accepted.
    pub(crate) fn accepted(&self, suggestion: &Suggestion) -> Self {
        let (document, cursor) = suggestion.apply(&self.document);
        Self {
            document,
            cursor,
            name: self.name.clone(),
        }
    }
}

/// What a question came to: what to show, or nothing and why.
pub(crate) type Shown = Result<Suggestion, &'static str>;

/// How far a question is.
pub(crate) enum Progress {
    /// More is to come.
    Waits,
    /// The prompt was too long: this shorter one must be asked.
    AskAgain(GenerationRequest),
    /// Decided: the generation is of no more use.
    Decided(Shown),
    /// The model failed.
    Failed,
}

/// What questions are asked with.
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

    /// A question, and the generation that answers it; what is known without, when there is none.
    pub(crate) fn ask(
        &mut self,
        state: State,
        priority: Priority,
    ) -> Result<(Asking, GenerationRequest), Shown> {
        self.ask_shorter(state, priority, 0)
    }

    fn ask_shorter(
        &mut self,
        state: State,
        priority: Priority,
        attempt: u8,
    ) -> Result<(Asking, GenerationRequest), Shown> {
        if self.context.budgets(attempt).is_none() {
            return Err(Err("too long for the model"));
        }
        let window = ContextWindow::new(
            &state.document,
            state.cursor,
            &state.name,
            self.profile.template.layout,
            &self.context,
            attempt,
        )
        .map_err(|silence| Err(silence.as_str()))?;
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

    /// Takes what the model reports about a question.
    pub(crate) fn take(&mut self, asking: &mut Asking, event: GenerationEvent) -> Progress {
        match event {
            GenerationEvent::Started { prompt_tokens, .. } => asking.path.started(prompt_tokens),
            GenerationEvent::Token {
                token,
                canonical_until,
                ..
            } => asking.path.push(token, canonical_until),
            // Nobody asks for them here.
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
            Cut::Silent(silence) => Progress::Decided(Err(silence.as_str())),
            Cut::NeedMore if asking.path.end() != PathEnd::Open => {
                Progress::Decided(Err("undecided"))
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
    /// What is asked about.
    pub(crate) state: State,
    /// What the model sees of it.
    pub(crate) window: ContextWindow,
    path: Path,
    priority: Priority,
}

impl Asking {
    /// What the model has said behind the cursor so far.
    pub(crate) fn said(&self) -> &[u8] {
        &self.path.bytes()[self.path.origin()..]
    }

    /// Tokens that were decoded so far.
    pub(crate) fn tokens(&self) -> u64 {
        self.path.tokens().len() as u64
    }
}

/// Whether nobody waits for a request in a document any more when this happens.
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

/// Whether a generation is over with this event.
pub(crate) fn is_last(event: &GenerationEvent) -> bool {
    matches!(
        event,
        GenerationEvent::Read { .. }
            | GenerationEvent::Ended { .. }
            | GenerationEvent::Failed { .. }
    )
}
