//! Where the user is: the document with the focus, and the cursor in it.

use serde::Deserialize;

use super::{
    front::Front,
    tower::Error,
    types::{WireDocument, WirePosition},
};
use tabahead_session::Message;

/// `textDocument/didFocus`; without a document, none has the focus.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DidFocus {
    #[serde(default)]
    text_document: Option<WireDocument>,
}

pub(super) fn did_focus(front: &mut Front, params: DidFocus) -> Result<(), Error> {
    front.focused = params.text_document.map(|document| document.uri);
    report_focus(front);
    Ok(())
}

/// Reports to the session which of the open documents has the focus.
pub(super) fn report_focus(front: &Front) {
    let open = front.focused.as_ref();
    let open = open.and_then(|uri| front.documents.get(uri));
    let document = open.map(|open| open.id);
    front.send(Message::Focused { document });
}

/// `tabahead/didMoveCursor`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DidMoveCursor {
    text_document: WireDocument,
    position: WirePosition,
}

pub(super) fn did_move_cursor(front: &mut Front, params: DidMoveCursor) -> Result<(), Error> {
    // A client may hold back the change that moved its cursor: then the version is not ours.
    if let Some(open) = front.current(&params.text_document) {
        front.send(Message::CursorMoved {
            document: open.id,
            cursor: front.offset_of(&open.document, params.position),
        });
    }
    Ok(())
}
