//! The methods: the only list of what the server takes, and the way of a message to its handler.
//!
//! A row of [`METHODS`] leads to everything that belongs to a method: its handler is in the file of
//! its group, with the type of its parameters, which are read once, straight from the message.
//! Everything whose order matters happens before [`take`] returns: edits are applied, the snapshots
//! of requests are captured, cancels take effect. Only the future of an answer is returned.

use serde_json::Value;

use super::{
    configuration, documents, focus,
    front::Front,
    handshake, reports,
    rpc::{AnswerFuture, answered, respond},
    statistics, suggestions,
    tower::{Error, Id},
    wire::{Call, read_message},
};

/// A method of LSP, of Copilot's language server, or of ours.
struct Method {
    name: &'static str,
    phase: Phase,
    handler: Handler,
}

/// When a method is allowed. Otherwise tower-lsp refuses the message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// At any time.
    Any,
    /// After `initialize` and before `shutdown`.
    Running,
}

/// The kind of a method, and what handles its messages.
#[derive(Clone, Copy)]
enum Handler {
    /// A stage of the handshake: tower-lsp decides whether it is allowed.
    Stage(fn(&mut Front, &Call<'_>) -> Option<AnswerFuture>),
    /// A notification, or a request without a result. One that comes as a request is answered with
    /// `null`, or with the error.
    Notification(fn(&mut Front, &Call<'_>) -> Result<(), Error>),
    /// A request with a result. One that comes as a notification is ignored.
    Request(fn(&mut Front, Id, &Call<'_>) -> Result<AnswerFuture, Error>),
}

use Handler::{Notification, Request, Stage};

const METHODS: &[Method] = &[
    Method {
        name: "initialize",
        phase: Phase::Any,
        handler: Stage(handshake::initialize),
    },
    Method {
        name: "initialized",
        phase: Phase::Any,
        handler: Stage(handshake::initialized),
    },
    Method {
        name: "shutdown",
        phase: Phase::Any,
        handler: Stage(handshake::shutdown),
    },
    Method {
        name: "exit",
        phase: Phase::Any,
        handler: Stage(handshake::exit),
    },
    Method {
        name: "textDocument/didOpen",
        phase: Phase::Running,
        handler: Notification(documents::did_open),
    },
    Method {
        name: "textDocument/didChange",
        phase: Phase::Running,
        handler: Notification(documents::did_change),
    },
    Method {
        name: "textDocument/didClose",
        phase: Phase::Running,
        handler: Notification(|front, call| documents::did_close(front, call.params()?)),
    },
    Method {
        name: "textDocument/inlineCompletion",
        phase: Phase::Running,
        handler: Request(|front, id, call| {
            suggestions::inline_completion(front, id, call.params()?)
        }),
    },
    Method {
        name: "textDocument/completion",
        phase: Phase::Running,
        handler: Request(suggestions::completion),
    },
    Method {
        name: "$/cancelRequest",
        phase: Phase::Any,
        handler: Notification(|front, call| suggestions::cancel(front, call.params()?)),
    },
    Method {
        name: "workspace/executeCommand",
        phase: Phase::Running,
        handler: Notification(|front, call| reports::execute_command(front, call.params()?)),
    },
    Method {
        name: "textDocument/didShowCompletion",
        phase: Phase::Running,
        handler: Notification(|front, call| reports::did_show_completion(front, call.params()?)),
    },
    Method {
        name: "textDocument/didPartiallyAcceptCompletion",
        phase: Phase::Running,
        handler: Notification(|front, call| reports::did_partially_accept(front, call.params()?)),
    },
    Method {
        name: "tabahead/didDismiss",
        phase: Phase::Running,
        handler: Notification(|front, call| reports::did_dismiss(front, call.params()?)),
    },
    Method {
        name: "tabahead/didShow",
        phase: Phase::Running,
        handler: Notification(|front, call| reports::did_show(front, call.params()?)),
    },
    Method {
        name: "textDocument/didFocus",
        phase: Phase::Running,
        handler: Notification(|front, call| focus::did_focus(front, call.params()?)),
    },
    Method {
        name: "tabahead/didMoveCursor",
        phase: Phase::Running,
        handler: Notification(|front, call| focus::did_move_cursor(front, call.params()?)),
    },
    Method {
        name: "workspace/didChangeConfiguration",
        phase: Phase::Running,
        handler: Notification(configuration::did_change_configuration),
    },
    Method {
        name: "tabahead/stats",
        phase: Phase::Running,
        handler: Request(|front, id, _| Ok(statistics::stats(front, id))),
    },
];

/// Handles the body of a message; returns the future of the answer if the message wants one.
pub(super) fn take(front: &mut Front, body: &str) -> Option<AnswerFuture> {
    match read_message(body) {
        Ok(Some(call)) => dispatch(front, &call),
        Ok(None) => None,
        Err(invalid) => {
            documents::lose_track(front, body);
            Some(respond(invalid.id?, Err(invalid.error)))
        }
    }
}

/// Passes a request or a notification to the handler of its method.
fn dispatch(front: &mut Front, call: &Call<'_>) -> Option<AnswerFuture> {
    let not_found = |id| Some(respond(id, Err(Error::method_not_found())));
    if let Some(id) = &call.id
        && call.method.starts_with("$/")
    {
        // "If a server or client receives a request starting with `$/` it must error the request".
        return not_found(id.clone());
    }
    let is_running = front.handshake.is_running();
    match METHODS.iter().find(|method| method.name == call.method) {
        Some(method) if is_running || method.phase == Phase::Any => {
            handle(front, call, method.handler)
        }
        None if is_running => not_found(call.id.clone()?),
        _ => front.handshake.refuse(call.id.clone()).map(answered),
    }
}

fn handle(front: &mut Front, call: &Call<'_>, handler: Handler) -> Option<AnswerFuture> {
    match handler {
        Stage(handle) => handle(front, call),
        Notification(handle) => {
            let result = handle(front, call);
            if let (None, Err(error)) = (&call.id, &result) {
                tracing::warn!(
                    method = call.method,
                    code = error.code.code(),
                    "unreadable notification"
                );
            }
            Some(respond(call.id.clone()?, result.map(|()| Value::Null)))
        }
        Request(handle) => {
            let id = call.id.clone()?;
            let answer = handle(front, id.clone(), call);
            Some(answer.unwrap_or_else(|error| respond(id, Err(error))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::METHODS;

    #[test]
    fn a_method_is_listed_once_and_ours_are_described() {
        let described = include_str!("../../../../docs/protocol.md");
        for (row, method) in METHODS.iter().enumerate() {
            let name = method.name;
            assert!(
                METHODS[..row].iter().all(|earlier| earlier.name != name),
                "{name}"
            );
            assert!(
                !name.starts_with("tabahead/") || described.contains(name),
                "{name}"
            );
        }
    }
}
