//! Entry point for `benches/change.rs`: a message's path from its bytes to the session's inbox,
//! without streams and without waiting.

use std::sync::Arc;

use tabahead_session::Message;
use tabahead_text::Document;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{front::Front, methods::take, unicode::readable};
use crate::lifecycle::Lifecycle;

/// A front without a running session.
pub struct Intake {
    front: Front,
    inbox: mpsc::UnboundedReceiver<Message>,
}

impl Default for Intake {
    fn default() -> Self {
        let (session, inbox) = mpsc::unbounded_channel();
        let (lifecycle, greeted) = (Arc::new(Lifecycle::new()), CancellationToken::new());
        Self {
            front: Front::new("", session, lifecycle, greeted),
            inbox,
        }
    }
}

impl Intake {
    /// Handles the body of a message; returns the text that the session would receive, if any.
    pub fn take(&mut self, body: &[u8]) -> Option<Document> {
        let text = readable(body, self.front.encoding);
        drop(take(&mut self.front, &text));
        match self.inbox.try_recv().ok()? {
            Message::Opened { snapshot, .. } | Message::Changed { snapshot, .. } => Some(snapshot),
            _ => None,
        }
    }
}
