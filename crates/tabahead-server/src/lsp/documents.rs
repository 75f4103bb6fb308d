//! The documents' texts: `didOpen`, `didChange`, `didClose`, and messages that may have been one of
//! them.
//!
//! **A document has the editor's text or is known not to.** A message that could not be read, but
//! may have been a change, puts its document out of step: the document gets no suggestions until
//! its full text is sent ([`lose_track`]).

use serde::{Deserialize, de::DeserializeOwned};
use tabahead_speculation::SuggestionReport;
use tabahead_text::{Document, Edit, Range, Version};

use super::{
    convert::file,
    focus::report_focus,
    front::{ClientDocument, Front},
    tower::Error,
    types::{AboutDocument, WireDocument, WireRange},
    wire::{AffectedDocuments, Call, affected_documents},
};
use tabahead_session::Message;

/// `textDocument/didOpen`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DidOpen {
    text_document: OpenedDocument,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenedDocument {
    uri: String,
    #[serde(default)]
    language_id: String,
    #[serde(default)]
    version: i32,
    text: String,
}

pub(super) fn did_open(front: &mut Front, call: &Call<'_>) -> Result<(), Error> {
    let DidOpen { text_document } = text_of(front, call)?;
    close(front, &text_document.uri);
    let id = front.next_document();
    let document = Document::new(&text_document.text, Version(text_document.version));
    front.send(Message::Opened {
        document: id,
        file: file(&text_document.uri, &text_document.language_id),
        snapshot: document.clone(),
    });
    let open = ClientDocument {
        id,
        language: text_document.language_id.as_str().into(),
        document,
        in_step: true,
    };
    let is_focused = front.focused.as_ref() == Some(&text_document.uri);
    front.documents.insert(text_document.uri, open);
    if is_focused {
        report_focus(front);
    }
    Ok(())
}

/// `textDocument/didChange`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DidChange {
    text_document: WireDocument,
    content_changes: Vec<Change>,
}

/// One change; a full text if there is no range.
#[derive(Debug, Deserialize)]
struct Change {
    #[serde(default)]
    range: Option<WireRange>,
    text: String,
}

pub(super) fn did_change(front: &mut Front, call: &Call<'_>) -> Result<(), Error> {
    let DidChange {
        text_document,
        content_changes,
    } = text_of(front, call)?;
    let Some(open) = front.documents.get_mut(&text_document.uri) else {
        tracing::warn!("a document changed that is not open");
        return Ok(());
    };
    // The order of arrival decides what the text is; the version only labels it.
    let version = text_document.version.map(Version);
    let version = version.unwrap_or(open.document.version());
    let replaces_all = content_changes.iter().any(|c| c.range.is_none());
    if !open.in_step && !replaces_all {
        return Ok(());
    }
    open.in_step = true;
    let edits: Vec<Edit> = content_changes
        .into_iter()
        .map(|Change { range, text }| Edit {
            range: range.map(Range::from),
            text,
        })
        .collect();
    open.document.apply(&edits, front.encoding, version);
    let message = Message::Changed {
        document: open.id,
        snapshot: open.document.clone(),
        edits,
        encoding: front.encoding,
    };
    front.send(message);
    Ok(())
}

pub(super) fn did_close(front: &mut Front, params: AboutDocument) -> Result<(), Error> {
    close(front, &params.text_document.uri);
    Ok(())
}

fn close(front: &mut Front, uri: &str) {
    if let Some(open) = front.documents.remove(uri) {
        front.send(Message::Closed { document: open.id });
    }
}

/// Reads the parameters of a text or a change. The documents that it names are out of step when it
/// cannot be read; a complete message that names no document concerns none.
fn text_of<T: DeserializeOwned>(front: &mut Front, call: &Call<'_>) -> Result<T, Error> {
    call.params().inspect_err(|_| {
        if let AffectedDocuments::Named(addresses) = affected_documents(call.body) {
            addresses.iter().for_each(|address| lose(front, address));
        }
    })
}

/// Handles a message that could not be read: every document that it may have changed is out of step
/// until its full text is sent.
pub(super) fn lose_track(front: &mut Front, text: &str) {
    let addresses = match affected_documents(text) {
        AffectedDocuments::None => return tracing::warn!("a message could not be read"),
        AffectedDocuments::Named(addresses) => addresses,
        AffectedDocuments::All => front.documents.keys().cloned().collect(),
    };
    addresses.iter().for_each(|address| lose(front, address));
}

fn lose(front: &mut Front, uri: &str) {
    if let Some(open) = front.documents.get_mut(uri) {
        tracing::warn!("a change could not be read: no suggestions until the next full text");
        open.in_step = false;
        let document = open.id;
        front.send(Message::Reported(SuggestionReport::Dismissed { document }));
    }
}
