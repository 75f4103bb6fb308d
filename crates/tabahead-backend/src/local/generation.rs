//! A generation on the engine's thread, from its request to its events; computes no pass.

use tabahead_context::{
    CanonicalMarks, GenerationEvent, GenerationFailure, GenerationRequest, Goal, PathEnd,
    PathToken, Segment, TokenId,
};
use tabahead_engine::{EngineError, SequenceRequest, Step};

use super::{compute::Compute, in_one_line};

/// A generation that is neither finished nor cancelled.
pub(super) struct Live<S> {
    pub(super) request: Box<GenerationRequest>,
    /// Order of the latest start or change of priority: it grows with each.
    pub(super) rank: u64,
    /// True once `Started` was reported.
    pub(super) started: bool,
    /// Tokens reported so far.
    pub(super) emitted: Vec<TokenId>,
    /// State in the engine; `None` before the first step and after the engine was rebuilt.
    pub(super) running: Option<RunningSequence<S>>,
    /// True if a pass shared with other generations panicked: compute this one alone.
    pub(super) alone: bool,
}

impl<S> Live<S> {
    /// Creates a generation for which nothing has been done yet.
    pub(super) fn new(request: Box<GenerationRequest>, rank: u64) -> Self {
        Self {
            request,
            rank,
            started: false,
            emitted: Vec::new(),
            running: None,
            alone: false,
        }
    }
}

pub(super) struct RunningSequence<S> {
    pub(super) sequence: S,
    pub(super) marks: CanonicalMarks,
}

/// The result of a step.
pub(super) enum StepResult {
    /// Continue with whatever is best now.
    Continue,
    /// The prompt is read, and that was the goal.
    Read,
    /// The generation is over and its sequence can be kept for later prompts.
    Ended(PathEnd),
    /// The generation could not begin, or could not continue.
    Refused(GenerationFailure),
}

/// Begins a generation.
pub(super) fn begin<C: Compute>(
    compute: &mut C,
    live: &mut Live<C::Sequence>,
    emit: &mut dyn FnMut(GenerationEvent),
) -> Result<StepResult, EngineError> {
    let prompt = prompt_tokens(compute, &live.request);
    let prompt_tokens = prompt.len();
    let known = [live.request.continued.as_slice(), &live.emitted].concat();
    match start(compute, &live.request, prompt, &known) {
        Ok(running) => live.running = Some(running),
        Err(EngineError::TooLong { .. }) => {
            return Ok(StepResult::Refused(GenerationFailure::TooLong));
        }
        Err(error) => return Err(error),
    }
    if !live.started {
        live.started = true;
        emit(GenerationEvent::Started {
            id: live.request.id,
            prompt_tokens,
            continued: known.len(),
        });
    }
    Ok(StepResult::Continue)
}

/// Chooses the next token of a generation and reports it, unless the goal was only to read the
/// prompt.
pub(super) fn choose<C: Compute>(
    compute: &mut C,
    live: &mut Live<C::Sequence>,
    emit: &mut dyn FnMut(GenerationEvent),
) -> Result<StepResult, EngineError> {
    let Some(running) = &mut live.running else {
        return Ok(StepResult::Continue);
    };
    if live.request.goal == Goal::Read {
        return Ok(StepResult::Read);
    }
    let step = match compute.choose(&mut running.sequence) {
        Ok(step) => step,
        // The prompt is at fault, not the engine.
        Err(error @ EngineError::Unspellable { .. }) => {
            let line = in_one_line(&error);
            return Ok(StepResult::Refused(GenerationFailure::Broken(line)));
        }
        Err(error) => return Err(error),
    };
    Ok(match step {
        Step::Prefilled { .. } | Step::Undecided => StepResult::Continue,
        Step::Token(token) => {
            let bytes = compute.token_bytes(token.id).to_vec();
            let canonical_until = running
                .marks
                .advance(&bytes, token.id, |text| compute.encode(text));
            live.emitted.push(token.id);
            if !token.characters.is_empty() {
                let characters = token.characters.iter().map(|(next, _)| *next).collect();
                let id = live.request.id;
                emit(GenerationEvent::Characters { id, characters });
            }
            emit(GenerationEvent::Token {
                id: live.request.id,
                token: PathToken {
                    id: token.id,
                    bytes,
                    log_prob: token.log_prob,
                    masked_stop: token.masked_stop,
                },
                canonical_until,
            });
            StepResult::Continue
        }
        Step::Stop { log_prob } => StepResult::Ended(PathEnd::Stop { log_prob }),
        Step::ContextFull => StepResult::Ended(PathEnd::ContextFull),
    })
}

/// Starts a sequence after the prompt and the path's tokens that are already known.
fn start<C: Compute>(
    compute: &mut C,
    request: &GenerationRequest,
    mut prompt: Vec<TokenId>,
    known: &[TokenId],
) -> Result<RunningSequence<C::Sequence>, EngineError> {
    let forced = request.prompt.forced.as_bytes();
    let mut marks = CanonicalMarks::new(
        compute.pre_tokenizer(),
        &request.tail,
        request.tail.len() - forced.len(),
    );
    let mut copy_source = request.copy_source.clone();
    if let Some(source) = &mut copy_source {
        let read = &request.tail[..request.tail.len() - forced.len()];
        source.before.push_str(read);
    }
    let mut spelled = 0;
    for token in known {
        let bytes = compute.token_bytes(*token).to_vec();
        spelled += bytes.len();
        marks.advance(&bytes, *token, |text| compute.encode(text));
    }
    prompt.extend_from_slice(known);
    // The draft is the canonical encoding, which probably spells the text; known tokens may end
    // within one of its tokens.
    let draft = match spelled {
        0 => compute.encode(&request.prompt.forced),
        _ => Vec::new(),
    };
    let sequence = compute.start(SequenceRequest {
        prompt,
        forced: forced.get(spelled..).unwrap_or_default().to_vec(),
        draft,
        // The stop is masked only where the cursor was when the path began.
        mask_first_stop: spelled <= forced.len(),
        // Whether the prompt fits must not depend on how much of the path is known.
        reserve: request.reserve.saturating_sub(known.len()),
        characters: request.characters,
        read_ahead: request.goal == Goal::Read,
        continued: known.len(),
        copy_source,
    })?;
    Ok(RunningSequence { sequence, marks })
}

/// Returns the tokens of a prompt; each stretch between markers is encoded as one segment.
pub(super) fn prompt_tokens(compute: &impl Compute, request: &GenerationRequest) -> Vec<TokenId> {
    // Only models whose file asks for this token have it.
    let mut tokens = Vec::from_iter(compute.begin_token());
    for segment in &request.prompt.segments {
        match segment {
            // A template uses only markers that the model has; otherwise the model was refused at
            // load.
            Segment::Marker(marker) => tokens.extend(compute.marker(*marker)),
            Segment::Text(text) => tokens.extend(compute.encode(text)),
        }
    }
    tokens
}
