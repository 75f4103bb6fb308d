//! What the server says of itself: the answer to `initialize`.

use serde_json::{Value, json};
use tabahead_text::PositionEncoding;

use super::{convert::ACCEPTED_COMMAND, menu::Menu};

/// The answer to `initialize`.
pub(super) fn capabilities(version: &str, encoding: PositionEncoding, menu: Option<Menu>) -> Value {
    let encoding = match encoding {
        PositionEncoding::Utf8 => "utf-8",
        PositionEncoding::Utf16 => "utf-16",
        PositionEncoding::Utf32 => "utf-32",
    };
    // 2 stands for ranges.
    let mut capabilities = json!({
        "positionEncoding": encoding,
        "textDocumentSync": {"openClose": true, "change": 2},
        "inlineCompletionProvider": {},
        "executeCommandProvider": {"commands": [ACCEPTED_COMMAND]},
    });
    if menu.is_some() {
        // No trigger characters: a suggestion joins a menu that opens anyway.
        capabilities["completionProvider"] = json!({"resolveProvider": false});
    }
    json!({
        "capabilities": capabilities,
        "serverInfo": {"name": "tabahead", "version": version},
    })
}
