//! A question to a model: what it sees of a state, and what it has answered so far.
//!
//! [`Question`] is a view with the path that answers it; the cache and the running generations keep
//! questions. [`FreshQuestion`] asks about one state as a fresh process does: with the largest
//! window that the engine accepts, until it is decided what is shown.

use tabahead_text::Document;

use crate::{
    Answering, Cut, CutSettings, GenerationEvent, GenerationFailure, GenerationId,
    GenerationRequest, Goal, ModelProfile, Path, PathEnd, Priority, QuestionSettings, Silence,
    State, Suggestion, View, cut,
};

/// A view of a state and the path that the model answers it with.
#[derive(Debug, Clone)]
pub struct Question {
    /// What the model sees where the path begins.
    pub view: View,
    /// The answer so far.
    pub path: Path,
    /// The likeliest characters after the tail, if the model was asked for them.
    pub characters: Option<Vec<char>>,
}

/// How a generation runs that answers a question, or continues to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenerationPlan {
    /// Id of the generation.
    pub id: GenerationId,
    /// How far it goes.
    pub goal: Goal,
    /// Who waits for it.
    pub priority: Priority,
    /// Number of the likeliest characters after the tail to report; 0 for none.
    pub characters: usize,
}

impl GenerationPlan {
    /// Returns the plan of a generation that decodes and reports no characters.
    pub fn decode(id: GenerationId, priority: Priority) -> Self {
        Self {
            id,
            goal: Goal::Decode,
            priority,
            characters: 0,
        }
    }
}

impl Question {
    /// Asks for a view, of which nothing is answered yet.
    pub fn new(view: View, profile: &ModelProfile) -> Self {
        Self {
            path: Path::new(view.window.tail.clone(), profile.pre_tokenizer),
            view,
            characters: None,
        }
    }

    /// Returns the request for a generation that goes on where the path ends. `document` is the text
    /// that the view is of.
    pub fn request(
        &self,
        plan: GenerationPlan,
        document: &Document,
        settings: &QuestionSettings,
    ) -> GenerationRequest {
        let window = &self.view.window;
        let QuestionSettings { profile, cut, .. } = settings;
        GenerationRequest {
            id: plan.id,
            goal: plan.goal,
            prompt: profile.template.render(window, profile.pre_tokenizer),
            tail: window.tail.clone(),
            continued: self.path.token_ids(),
            priority: plan.priority,
            reserve: cut.max_tokens,
            characters: plan.characters,
            copy_source: match plan.goal {
                Goal::Read => None,
                Goal::Decode => window.copy_source(document),
            },
        }
    }

    /// Takes an event of a generation that was requested for this question.
    ///
    /// # Errors
    /// Returns the failure that the event reports.
    pub fn take(&mut self, event: GenerationEvent) -> Result<(), GenerationFailure> {
        match event {
            GenerationEvent::Started { prompt_tokens, .. } => self.path.started(prompt_tokens),
            GenerationEvent::Characters { characters, .. } => self.characters = Some(characters),
            GenerationEvent::Token {
                token,
                canonical_until,
                ..
            } => self.path.push(token, canonical_until),
            GenerationEvent::Read { .. } => {}
            GenerationEvent::Ended { end, .. } => self.path.finish(end),
            GenerationEvent::Failed { failure, .. } => return Err(failure),
        }
        Ok(())
    }

    /// Returns whether the path answers what `view` sees.
    pub fn answers(&self, view: &View, settings: &QuestionSettings) -> Answering {
        if !self.view.has_base_of(view) {
            return Answering::No;
        }
        let QuestionSettings { profile, cut, .. } = settings;
        self.path.answers(
            &view.window.tail,
            profile.pre_tokenizer,
            profile.context_tokens,
            cut.max_tokens,
        )
    }

    /// Returns what is shown at a state that this question answers, or why nothing is; `None` if
    /// more tokens are needed. `view` is what the model sees there, and the last `demanded` bytes
    /// of its tail are not in the document.
    pub fn decide(
        &self,
        state: &State,
        view: &View,
        demanded: usize,
        settings: &CutSettings,
    ) -> Option<Result<Suggestion, Silence>> {
        let cut = cut(
            state,
            &view.window.left_out,
            &self.path,
            view.window.tail.len() - demanded,
            settings,
        );
        match cut {
            Cut::Show(suggestion) => Some(Ok(suggestion)),
            Cut::Silent(silence) => Some(Err(silence)),
            Cut::NeedMore if self.path.end() != PathEnd::Open => Some(Err(Silence::Undecided)),
            Cut::NeedMore => None,
        }
    }
}

/// A question about one state, asked as a fresh process asks it.
#[derive(Debug, Clone)]
pub struct FreshQuestion {
    /// The generation that answers it.
    pub id: GenerationId,
    /// The state.
    pub state: State,
    /// What the model sees there, and what it has answered.
    pub question: Question,
    priority: Priority,
}

/// Progress of a [`FreshQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// More events are to come.
    Waits,
    /// The prompt was too long: this shorter request must be started instead.
    AskAgain(GenerationRequest),
    /// It is decided what is shown, or why nothing is. The generation is of no more use.
    Decided(Result<Suggestion, Silence>),
    /// The model failed, with one line for the user.
    Failed(String),
}

/// Asks fresh questions with one model and one set of settings.
#[derive(Debug, Clone)]
pub struct Asker {
    settings: QuestionSettings,
    asked: u64,
}

impl Asker {
    /// Creates an asker whose first generation has the id 1.
    pub fn new(settings: QuestionSettings) -> Self {
        Self { settings, asked: 0 }
    }

    /// Returns the model and the settings.
    pub fn settings(&self) -> &QuestionSettings {
        &self.settings
    }

    /// Asks with other settings from now on.
    pub fn configure(&mut self, settings: QuestionSettings) {
        self.settings = settings;
    }

    /// Returns a question and the request for the generation that answers it.
    ///
    /// # Errors
    /// Returns the reason if the model is not asked at this state.
    pub fn ask(
        &mut self,
        state: State,
        priority: Priority,
    ) -> Result<(FreshQuestion, GenerationRequest), Silence> {
        let view = View::new(&state, &self.settings)?;
        Ok(self.ask_with(view, state, priority))
    }

    fn ask_with(
        &mut self,
        view: View,
        state: State,
        priority: Priority,
    ) -> (FreshQuestion, GenerationRequest) {
        self.asked += 1;
        let id = GenerationId(self.asked);
        let question = Question::new(view, &self.settings.profile);
        let plan = GenerationPlan::decode(id, priority);
        let request = question.request(plan, &state.document, &self.settings);
        let fresh = FreshQuestion {
            id,
            state,
            question,
            priority,
        };
        (fresh, request)
    }

    /// Takes an event of a question's generation.
    pub fn take(&mut self, fresh: &mut FreshQuestion, event: GenerationEvent) -> Progress {
        match fresh.question.take(event) {
            Ok(()) => {}
            Err(GenerationFailure::Broken(line)) => return Progress::Failed(line),
            Err(GenerationFailure::TooLong) => {
                let (state, priority) = (fresh.state.clone(), fresh.priority);
                return match fresh.question.view.shrunk(&state, &self.settings) {
                    Ok(view) => {
                        let request;
                        (*fresh, request) = self.ask_with(view, state, priority);
                        Progress::AskAgain(request)
                    }
                    Err(silence) => Progress::Decided(Err(silence)),
                };
            }
        }
        match fresh.decide(&self.settings.cut) {
            Some(decided) => Progress::Decided(decided),
            None => Progress::Waits,
        }
    }
}

impl FreshQuestion {
    /// Returns what these settings show of the answer so far; `None` if more tokens are needed.
    pub fn decide(&self, settings: &CutSettings) -> Option<Result<Suggestion, Silence>> {
        let question = &self.question;
        question.decide(&self.state, &question.view, 0, settings)
    }
}
