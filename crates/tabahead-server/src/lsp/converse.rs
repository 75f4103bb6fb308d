//! The conversation with a client: messages come in, in order, and each goes to its handler at once;
//! answers and notices go out as they become available.
//!
//! Takes no decision. Reading never waits for an answer, and waits for a client that does not read
//! only when more than [`MOST_WAITING`] of its requests have no answer yet: so a cancel, `exit` and
//! the end of the input are always seen. The conversation ends with the lifecycle, and ends the
//! lifecycle when a stream ends.

use std::{io, sync::Arc};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use serde::Serialize;
use serde_json::json;
use tabahead_session::{Notice, Status, StatusKind};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;

use super::{
    documents::lose_track,
    front::Front,
    methods::take,
    rpc::AnswerFuture,
    tower::{Outgoing, Response},
    unicode::readable,
    wire::{Frame, read_frame},
};
use crate::lifecycle::Lifecycle;

/// Maximum number of requests that have no answer yet, or one that the client has not read. An
/// editor has a few; a client that never reads takes no more memory than these.
const MOST_WAITING: usize = 1 << 16;

/// An answer, ready or pending, and its permit from the semaphore of waiting answers.
struct PendingAnswer {
    answering: AnswerFuture,
    place: Option<OwnedSemaphorePermit>,
}

/// Talks to a client until the lifecycle or a stream ends. The front is dropped when reading ends.
pub(crate) async fn converse(
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
    front: Front,
    notices: mpsc::UnboundedReceiver<Notice>,
    greeted: CancellationToken,
    lifecycle: &Lifecycle,
) {
    let (sender, pending) = mpsc::unbounded_channel();
    let reading = async {
        tokio::select! {
            biased;
            () = lifecycle.ended() => {}
            result = read_messages(input, front, sender) => {
                if let Err(error) = result {
                    tracing::warn!(%error, "input broke off");
                }
            }
        }
        // An `exit` among the messages has already set the code.
        lifecycle.end(1);
    };
    let writing = async {
        if let Err(error) = write_messages(output, pending, notices, greeted).await {
            tracing::warn!(%error, "the editor does not read any more");
            lifecycle.end(1);
        }
    };
    tokio::join!(reading, writing);
}

async fn read_messages(
    input: impl AsyncRead + Unpin,
    mut front: Front,
    sender: mpsc::UnboundedSender<PendingAnswer>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(MOST_WAITING));
    let mut input = BufReader::new(input);
    let mut has_begun = false;
    while let Some(frame) = read_frame(&mut input).await? {
        has_begun = true;
        let encoding = front.encoding;
        let answering = match &frame {
            Frame::Body(body) => take(&mut front, &readable(body, encoding)),
            Frame::Broken(beginning) => {
                lose_track(&mut front, &readable(beginning, encoding));
                continue;
            }
        };
        // A notification has been handled by now.
        let Some(mut answering) = answering else {
            continue;
        };
        if let Some(response) = (&mut answering).now_or_never() {
            answering = Box::pin(std::future::ready(response));
        }
        let place = Arc::clone(&places).acquire_owned().await.ok();
        if sender.send(PendingAnswer { answering, place }).is_err() {
            break;
        }
    }
    if !has_begun {
        tracing::warn!("no editor is connected: standard input ended before the first message");
    }
    Ok(())
}

async fn write_messages(
    mut output: impl AsyncWrite + Unpin,
    mut pending: mpsc::UnboundedReceiver<PendingAnswer>,
    mut notices: mpsc::UnboundedReceiver<Notice>,
    greeted: CancellationToken,
) -> io::Result<()> {
    let mut answers = FuturesUnordered::new();
    let (mut reads, mut is_greeted) = (true, false);
    while reads || !answers.is_empty() {
        tokio::select! {
            biased;
            // A notice sent before an answer must be read before it.
            Some(notice) = notices.recv(), if reads && is_greeted => {
                write(&mut output, &on_the_wire(notice)).await?;
            }
            Some((response, place)) = answers.next() => {
                write(&mut output, &response).await?;
                drop::<Option<OwnedSemaphorePermit>>(place);
            }
            next = pending.recv(), if reads => match next {
                Some(PendingAnswer { answering, place }) => {
                    answers.push(answering.map(move |response: Response| (response, place)));
                }
                None => reads = false,
            },
            // "the server may send … window/showMessage" and the like only after `initialized`.
            () = greeted.cancelled(), if reads && !is_greeted => is_greeted = true,
        }
    }
    // Notices sent before the end are still written.
    while greeted.is_cancelled()
        && let Ok(notice) = notices.try_recv()
    {
        write(&mut output, &on_the_wire(notice)).await?;
    }
    Ok(())
}

async fn write(output: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_string(message)?;
    let frame = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    output.write_all(frame.as_bytes()).await?;
    output.flush().await
}

fn on_the_wire(notice: Notice) -> Outgoing {
    match notice {
        // In the shape of Copilot's `didChangeStatus`.
        Notice::Status(Status {
            kind,
            busy,
            message,
            percent,
        }) => {
            let kind = match kind {
                StatusKind::Normal => "Normal",
                StatusKind::Inactive => "Inactive",
                StatusKind::Error => "Error",
            };
            let mut params = json!({"kind": kind, "busy": busy, "message": message});
            if let Some(percent) = percent {
                params["percent"] = json!(percent);
            }
            Outgoing::build("tabahead/status").params(params).finish()
        }
        Notice::Problem(line) => {
            // 1 is `MessageType.Error`.
            let message = format!("tabahead: {line}");
            let params = json!({"type": 1, "message": message});
            Outgoing::build("window/showMessage")
                .params(params)
                .finish()
        }
    }
}
