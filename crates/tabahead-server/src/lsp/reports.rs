//! What the client reports about the suggestions that it shows: accepted, in part or as a whole,
//! shown, dismissed.

use serde::Deserialize;
use tabahead_context::Suggestion;
use tabahead_speculation::{SuggestionId, SuggestionReport};

use super::{
    convert::ACCEPTED_COMMAND,
    front::Front,
    rpc::{FirstArgument, Scalar},
    tower::Error,
    types::{AboutDocument, WireDocument, WirePosition, WireRange},
};
use tabahead_session::Message;

/// `workspace/executeCommand`.
#[derive(Debug, Deserialize)]
pub(super) struct ExecuteCommand {
    command: String,
    #[serde(default)]
    arguments: FirstArgument,
}

pub(super) fn execute_command(front: &mut Front, params: ExecuteCommand) -> Result<(), Error> {
    if params.command != ACCEPTED_COMMAND {
        return Err(Error::invalid_params("unknown command"));
    }
    let suggestion = suggestion_of(params.arguments)?;
    front.send(Message::Reported(SuggestionReport::Accepted { suggestion }));
    Ok(())
}

/// `textDocument/didShowCompletion` and, with a length,
/// `textDocument/didPartiallyAcceptCompletion`, as Copilot's clients send them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AboutItem {
    item: ReportedItem,
    /// Accepted UTF-16 code units of the item's text, from its start.
    #[serde(default)]
    accepted_length: usize,
}

/// One of our items as the client sends it back; only its command identifies it.
#[derive(Debug, Deserialize)]
struct ReportedItem {
    command: ReportedCommand,
}

#[derive(Debug, Deserialize)]
struct ReportedCommand {
    #[serde(default)]
    arguments: FirstArgument,
}

pub(super) fn did_show_completion(front: &mut Front, params: AboutItem) -> Result<(), Error> {
    let suggestion = suggestion_of(params.item.command.arguments)?;
    front.send(Message::Reported(SuggestionReport::Displayed {
        suggestion,
    }));
    Ok(())
}

pub(super) fn did_partially_accept(front: &mut Front, params: AboutItem) -> Result<(), Error> {
    let suggestion = suggestion_of(params.item.command.arguments)?;
    let length = params.accepted_length;
    front.send(Message::Reported(SuggestionReport::AcceptedPart {
        suggestion,
        length,
    }));
    Ok(())
}

/// Returns the suggestion that the first argument of its command names.
fn suggestion_of(FirstArgument(first): FirstArgument) -> Result<SuggestionId, Error> {
    let id = match first {
        Scalar::Text(id) => id.parse().ok(),
        Scalar::Number(id) => u64::try_from(id).ok(),
        Scalar::Null | Scalar::Other => None,
    };
    id.map(SuggestionId)
        .ok_or_else(|| Error::invalid_params("the first argument must be a suggestion's id"))
}

/// `tabahead/didDismiss`.
pub(super) fn did_dismiss(front: &mut Front, params: AboutDocument) -> Result<(), Error> {
    if let Some(open) = front.documents.get(&params.text_document.uri) {
        let document = open.id;
        front.send(Message::Reported(SuggestionReport::Dismissed { document }));
    }
    Ok(())
}

/// `tabahead/didShow`: the editor shows a suggestion from another source.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DidShow {
    text_document: WireDocument,
    position: WirePosition,
    range: WireRange,
    insert_text: String,
}

pub(super) fn did_show(front: &mut Front, params: DidShow) -> Result<(), Error> {
    let Some(open) = front.in_step(&params.text_document.uri) else {
        return Ok(());
    };
    front.send(Message::Shown {
        document: open.id,
        snapshot: open.document.clone(),
        cursor: front.offset_of(&open.document, params.position),
        suggestion: Suggestion {
            range: front.range_of(&open.document, params.range),
            text: params.insert_text,
        },
    });
    Ok(())
}
