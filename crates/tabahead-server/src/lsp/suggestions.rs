//! Requests for suggestions, inline and for the completion menu, and their cancels.
//!
//! **A superseded request is answered with `null`.** VS Code's client and Neovim's both take it as
//! "nothing to show" without a message to the user, and Neovim keeps what it shows already; an
//! error would be logged there on each keystroke, since Neovim sends a new request without
//! cancelling the previous one. A request that the client itself cancelled is answered with -32800,
//! as LSP requires.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::Value;
use tabahead_speculation::{Answer, SelectedCompletion};
use tokio::{sync::oneshot, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    convert::RequestPlace,
    front::Front,
    inline,
    rpc::{AnswerFuture, Scalar, respond},
    tower::{Error, Id, Response},
    types::{WireDocument, WirePosition, WireRange},
    wire::Call,
};
use tabahead_session::{Message, SuggestionRequest, Trigger};

/// `textDocument/inlineCompletion`, and the parts of `textDocument/completion` that are read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SuggestionParams {
    text_document: WireDocument,
    position: WirePosition,
    #[serde(default)]
    context: Option<SuggestionContext>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct SuggestionContext {
    /// 1 if the user asked, 2 if the editor asked automatically; for a completion menu, 1 is also
    /// typing.
    #[serde(default)]
    trigger_kind: Option<u32>,
    #[serde(default)]
    selected_completion_info: Option<SelectedCompletionInfo>,
}

/// The selected item of the popup menu, if any.
#[derive(Debug, Deserialize)]
struct SelectedCompletionInfo {
    range: WireRange,
    text: String,
}

pub(super) fn inline_completion(
    front: &mut Front,
    id: Id,
    params: SuggestionParams,
) -> Result<AnswerFuture, Error> {
    let context = params.context.as_ref();
    let trigger = match context.and_then(|context| context.trigger_kind) {
        Some(1) => Trigger::Invoked,
        _ => Trigger::Automatic,
    };
    let answer = ask(front, &id, params, trigger, inline::on_the_wire);
    Ok(answer.unwrap_or_else(|| respond(id, Ok(Value::Null))))
}

pub(super) fn completion(
    front: &mut Front,
    id: Id,
    call: &Call<'_>,
) -> Result<AnswerFuture, Error> {
    let menu = front.menu.ok_or_else(Error::method_not_found)?;
    let answer = ask(
        front,
        &id,
        call.params()?,
        Trigger::Menu,
        move |answer, place| menu.on_the_wire(answer, place),
    );
    Ok(answer.unwrap_or_else(|| respond(id, Ok(Value::Null))))
}

/// Captures the snapshot that the request must see, and asks the session; `present` builds the
/// result. Returns `None` when there is nothing to ask.
fn ask(
    front: &mut Front,
    id: &Id,
    params: SuggestionParams,
    trigger: Trigger,
    present: impl FnOnce(Answer, &RequestPlace) -> Value + Send + 'static,
) -> Option<AnswerFuture> {
    let open = front.current(&params.text_document)?;
    let place = RequestPlace {
        document: open.document.clone(),
        cursor: front.offset_of(&open.document, params.position),
        encoding: front.encoding,
        language: Arc::clone(&open.language),
    };
    let info = params.context.unwrap_or_default().selected_completion_info;
    let selected = info.map(|info| SelectedCompletion {
        range: front.range_of(&open.document, info.range),
        text: info.text,
    });
    if !selected.as_ref().is_none_or(|item| place.may_extend(item)) {
        return None;
    }
    let document = open.id;
    let request = front.next_request();
    let cancelled = CancellationToken::new();
    let known = (request, cancelled.clone());
    if lock(&front.pending).insert(id.clone(), known).is_some() {
        tracing::warn!("a request's id is used twice");
    }
    let (reply, answer) = oneshot::channel();
    let asked = SuggestionRequest {
        id: request,
        document,
        snapshot: place.document.clone(),
        cursor: place.cursor,
        selected,
        trigger,
        came: Instant::now(),
    };
    front.send(Message::Requested { asked, reply });
    let (id, pending) = (id.clone(), Arc::clone(&front.pending));
    let lifecycle = Arc::clone(&front.lifecycle);
    Some(Box::pin(async move {
        let result = tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(Error::request_cancelled()),
            answer = answer => match answer {
                Ok(answer) => Ok(present(answer, &place)),
                // The session dropped the request: it ended with the server, or there is nothing
                // to show.
                Err(_) if lifecycle.has_ended() => Err(Error::request_cancelled()),
                Err(_) => Ok(Value::Null),
            },
            () = lifecycle.ended() => Err(Error::request_cancelled()),
        };
        let mut pending = lock(&pending);
        if pending.get(&id).is_some_and(|(known, _)| *known == request) {
            pending.remove(&id);
        }
        drop(pending);
        Response::from_parts(id, result)
    }))
}

/// `$/cancelRequest`.
#[derive(Debug, Deserialize)]
pub(super) struct Cancel {
    id: Scalar,
}

/// Cancels a request if it still waits.
pub(super) fn cancel(front: &mut Front, params: Cancel) -> Result<(), Error> {
    let id = match params.id {
        Scalar::Number(number) => Id::Number(number),
        Scalar::Text(text) => Id::String(text),
        Scalar::Null | Scalar::Other => return Ok(()),
    };
    let waiting = lock(&front.pending).remove(&id);
    if let Some((request, cancelled)) = waiting {
        cancelled.cancel();
        front.send(Message::Cancelled { request });
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
