//! The door of `benches/change.rs`: what a message goes through from its bytes to the session's
//! inbox, without streams and without waiting.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use tabahead_text::Document;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tower_lsp::jsonrpc::{Request, Response};

use super::{front::Front, wire::check};
use crate::{lifeline::Lifeline, session::Message};

/// A front whose session nobody runs.
pub struct Intake {
    front: Front<Nobody>,
    inbox: mpsc::UnboundedReceiver<Message>,
}

impl Default for Intake {
    fn default() -> Self {
        let (session, inbox) = mpsc::unbounded_channel();
        let (lifeline, greeted) = (Arc::new(Lifeline::new()), CancellationToken::new());
        Self {
            front: Front::new(Nobody, session, lifeline, greeted),
            inbox,
        }
    }
}

impl Intake {
    /// Takes the body of a notification; the text that the session would be given, if any.
    ///
    /// # Panics
    /// When the body is no message.
    pub fn take(&mut self, body: &[u8]) -> Option<Document> {
        check(body).expect("a message");
        let request: Request = serde_json::from_slice(body).expect("a message");
        drop(self.front.call(request));
        match self.inbox.try_recv().ok()? {
            Message::Opened { snapshot, .. } | Message::Changed { snapshot, .. } => Some(snapshot),
            _ => None,
        }
    }
}

/// Stands behind the front, where tower-lsp's service stands.
struct Nobody;

impl Service<Request> for Nobody {
    type Response = Option<Response>;
    type Error = Infallible;
    type Future = Ready<Result<Option<Response>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request) -> Self::Future {
        ready(Ok(None))
    }
}
