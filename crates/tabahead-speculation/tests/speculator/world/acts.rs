//! What happens to documents: all kinds of events, each with its name.
//!
//! Each kind is counted in [`Counts::met`](super::Counts), so that one that no longer happens is
//! noticed.

use std::time::Duration;

use tabahead_speculation::{
    DocumentId, Input, RequestId, SelectedCompletion, SuggestionId, SuggestionReport,
};
use tabahead_text::{Document, Edit, Offset, PositionEncoding, Range, Version};

use super::{Asked, Checked, CutSettings, Open, World};

pub(super) const TEXTS: &[&str] = &[
    "let foo = bar(a, b);\nfoo(bar);\nint abc = 10;\n\nfn foo(a) {\n    let bar = a;\n    ab\n}\n\nbar(foo);\n",
    "let é = '😀';\r\nfoo(é);\r\n  bar('s);\r\n\r\nlet foo = é;\r\n",
    "  foo\n  bar\n  foo\n  ba",
    "foo(bar(a), {\n    \n});\nlet x = [a, b];\nret foo;\nret bar;\nint x1 = 21;\nint x2 = 22;\n",
    "",
];
const TYPED: &[&str] = &[
    "f", "o", "a", "b", "(", " ", "  ", ";", "=", "1", "let ", "foo", "'", "\n", "}", "x",
];
const MULTI_BYTE: &[&str] = &["é", "😀", "e\u{301}", "日本", "👩‍💻", "ß", "\u{a0}"];

/// Kinds of events, each with its weight in the random choice.
pub const KINDS: &[(&str, usize)] = &[
    ("the engine works", 26),
    ("the engine works until nothing is left", 8),
    ("typing along", 24),
    ("typing along without a request", 7),
    ("accepting all", 7),
    ("accepting a word", 10),
    ("accepting a line", 3),
    ("accepting a line without its end", 3),
    ("typing something", 6),
    ("typing beyond ASCII", 3),
    ("typing half of a pair", 3),
    ("enter", 3),
    ("backspace", 4),
    ("the cursor goes elsewhere", 3),
    ("the cursor is reported elsewhere", 2),
    ("the cursor rests", 4),
    ("a document gets the focus", 2),
    ("no document has the focus", 2),
    ("a request", 8),
    ("asking for several", 4),
    ("showing another one", 4),
    ("an edit elsewhere", 2),
    ("a cancelled request", 3),
    ("a burst", 2),
    ("a dismissal", 2),
    ("an undo", 3),
    ("several cursors", 2),
    ("a formatter", 2),
    ("a snippet", 2),
    ("a rename", 2),
    ("another language", 2),
    ("another document", 2),
    ("other settings", 2),
    ("a suggestion of another source", 2),
];

impl Open {
    /// Puts the cursor where an editor allows it: not between `\r` and `\n`.
    fn settle(&mut self) {
        let at = self.document.clamp(self.cursor);
        let line = self.document.line_range(self.document.line_of(at));
        self.cursor = at.min(line.end);
    }

    /// Saves the text and cursor for an undo.
    fn remember(&mut self) {
        if self.earlier.len() == 8 {
            self.earlier.remove(0);
        }
        self.earlier.push((self.document.clone(), self.cursor));
    }
}

impl World {
    pub(super) fn random_input(&mut self) -> Checked {
        self.now += Duration::from_millis(self.random.below(40) as u64);
        self.time_passes()?;
        let document = self.random.below(self.open.len());
        // A document that grows for ever tests nothing new.
        if self.open[document].document.len() > 600 {
            self.reopen(document)?;
        }
        let all = KINDS.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.random.below(all);
        let (kind, _) = KINDS
            .iter()
            .find(|(_, weight)| {
                let here = drawn < *weight;
                drawn = drawn.wrapping_sub(*weight);
                here
            })
            .expect("less than all was drawn");
        if self.happens(kind, document)? {
            *self.counts.met.entry(*kind).or_default() += 1;
        }
        Ok(())
    }

    /// Makes an event of this kind happen. Returns false if there is nothing it could happen to.
    fn happens(&mut self, kind: &str, document: usize) -> Result<bool, String> {
        let id = DocumentId(document as u64);
        self.open[document].settle();
        let needs_one = kind.starts_with("accepting") || kind.starts_with("typing along");
        if needs_one && !self.is_shown(document, kind)? {
            return Ok(false);
        }
        match kind {
            "the engine works" => {
                // Mostly a few tokens between two inputs, sometimes none.
                for _ in 0..self.random.below(12) {
                    self.engine_step()?;
                }
            }
            "the engine works until nothing is left" => self.wait()?,
            "typing along" => {
                self.type_along(document)?;
                self.request(document)?;
            }
            "typing along without a request" => self.type_along(document)?,
            "accepting all"
            | "accepting a word"
            | "accepting a line"
            | "accepting a line without its end" => return self.accept(document, kind),
            "typing something" | "typing beyond ASCII" => {
                let text = match kind {
                    "typing something" => *self.random.pick(TYPED),
                    _ => *self.random.pick(MULTI_BYTE),
                };
                self.type_text(document, text)?;
                self.request(document)?;
            }
            "typing half of a pair" => {
                let pair = *self.random.pick(&["()", "[]", "{}", "\"\"", "''"]);
                self.type_pair(document, pair)?;
                self.request(document)?;
            }
            "enter" => {
                self.enter(document)?;
                self.request(document)?;
            }
            "backspace" => {
                self.backspace(document)?;
                self.request(document)?;
            }
            "the cursor goes elsewhere" => {
                self.jump(document);
                self.request(document)?;
            }
            "the cursor is reported elsewhere" => {
                self.jump(document);
                self.cursor_moved(document)?;
            }
            "the cursor rests" => {
                if self.random.one_in(2) {
                    self.jump(document);
                }
                self.cursor_moved(document)?;
                self.now += Duration::from_millis(60 + self.random.below(200) as u64);
                self.time_passes()?;
                // The user may type on before everything is read.
                if self.random.one_in(2) {
                    let text = *self.random.pick(TYPED);
                    self.type_text(document, text)?;
                    self.request(document)?;
                }
            }
            "a document gets the focus" => {
                let (name, open) = (self.name(document), &self.open[document]);
                let (snapshot, cursor) = (open.document.clone(), open.cursor);
                let cursor = self.random.one_in(2).then_some(cursor);
                self.input(Input::Focused {
                    document: id,
                    snapshot,
                    cursor,
                    name,
                })?;
            }
            "no document has the focus" => self.input(Input::FocusLost)?,
            "a request" => self.request(document)?,
            "asking for several" => {
                let alternatives = 1 + self.random.below(4);
                self.request_several(document, alternatives)?;
            }
            "showing another one" => {
                self.request_several(document, 3)?;
                self.wait()?;
                let Some((suggestion, _)) = self.open[document].shown else {
                    return Ok(false);
                };
                self.report(SuggestionReport::Displayed { suggestion })?;
            }
            "an edit elsewhere" => self.edit_elsewhere(document)?,
            "a cancelled request" => {
                let Some(request) = self.open[document].latest else {
                    return Ok(false);
                };
                self.input(Input::RequestCancelled { request })?;
            }
            "a burst" => {
                // Several events in a row before anything is computed.
                self.type_along(document)?;
                if let Some(request) = self.open[document].latest {
                    self.input(Input::RequestCancelled { request })?;
                }
                self.request(document)?;
            }
            "a dismissal" => {
                self.open[document].shown = None;
                self.report(SuggestionReport::Dismissed { document: id })?;
            }
            "an undo" => return self.undo(document),
            "several cursors" => {
                self.type_at_several(document)?;
                self.request(document)?;
            }
            "a formatter" => {
                self.format(document)?;
                self.request(document)?;
            }
            "a snippet" => {
                self.expand_snippet(document)?;
                self.request(document)?;
            }
            "a rename" => {
                self.open[document].name.file_name = format!("{}.rs", self.random.below(4));
                // Most editors close one document and open the other.
                if !self.random.one_in(3) {
                    self.input(Input::DocumentClosed { document: id })?;
                    self.open[document].shown = None;
                    self.changed(document)?;
                }
                self.request(document)?;
            }
            "another language" => {
                let language = self.random.pick(&["c", "shellscript", ""]).to_string();
                self.open[document].name.language = language;
                self.request(document)?;
            }
            "another document" => self.reopen(document)?,
            "a suggestion of another source" => self.show_several_lines(document)?,
            "other settings" => {
                self.settings.cut = CutSettings {
                    max_tokens: 6 + self.random.below(12),
                    ..self.settings.cut.clone()
                };
                self.speculator.configure(self.settings.clone());
                self.take_effects()?;
            }
            other => return Err(format!("{other} is no act")),
        }
        Ok(true)
    }

    fn report(&mut self, report: SuggestionReport) -> Checked {
        self.input(Input::Reported(report))
    }

    fn cursor_moved(&mut self, document: usize) -> Checked {
        let (name, open) = (self.name(document), &self.open[document]);
        let (snapshot, cursor) = (open.document.clone(), open.cursor);
        self.input(Input::CursorMoved {
            document: DocumentId(document as u64),
            snapshot,
            cursor,
            name,
        })
    }

    fn type_along(&mut self, document: usize) -> Checked {
        let open = &self.open[document];
        let Some((_, suggestion)) = &open.shown else {
            let text = *self.random.pick(TYPED);
            return self.type_text(document, text);
        };
        let chars = 1 + self.random.below(3);
        let mut typed: String = suggestion.text.chars().take(chars).collect();
        if typed.ends_with('\r') && suggestion.text[typed.len()..].starts_with('\n') {
            typed.push('\n');
        }
        self.type_text(document, &typed)
    }

    /// Returns whether something is shown that this event can happen to. Half of the time, waits
    /// for a suggestion first.
    fn is_shown(&mut self, document: usize, kind: &str) -> Result<bool, String> {
        if kind.starts_with("accepting a line") {
            // The model suggests at most one line here.
            self.show_several_lines(document)?;
        } else if self.open[document].shown.is_none() && self.random.one_in(2) {
            self.request(document)?;
            self.wait()?;
        }
        Ok(self.open[document].shown.is_some())
    }

    fn show_several_lines(&mut self, document: usize) -> Checked {
        let line = *self.random.pick(&["foo", "  bar(a);", "}"]);
        let name = self.name(document);
        let open = &mut self.open[document];
        let line_end = open.document.line_end(open.cursor).as_str();
        let suggestion = tabahead_context::Suggestion {
            range: open.cursor..open.cursor,
            text: format!("let foo{line_end}{line}{line_end}ret"),
        };
        let (snapshot, cursor) = (open.document.clone(), open.cursor);
        // The Speculator picks its own id for the suggestion, so a report with this id is a report
        // of an unknown suggestion.
        open.shown = Some((SuggestionId(u64::MAX), suggestion.clone()));
        self.input(Input::Shown {
            document: DocumentId(document as u64),
            snapshot,
            cursor,
            name,
            suggestion,
        })
    }

    fn accept(&mut self, document: usize, kind: &str) -> Result<bool, String> {
        let open = &mut self.open[document];
        let Some((id, suggestion)) = open.shown.take() else {
            return Ok(false);
        };
        let text = &suggestion.text;
        let until = |found: Option<(usize, char)>| found.map_or(text.len(), |(at, _)| at);
        let part = match kind {
            "accepting a word" => {
                let mut rest = text.char_indices().skip(1);
                until(rest.find(|(_, c)| !c.is_alphanumeric() && *c != '\n'))
            }
            "accepting a line" => text.find('\n').map_or(text.len(), |at| at + 1),
            "accepting a line without its end" => {
                let mut rest = text
                    .char_indices()
                    .skip_while(|(_, c)| matches!(c, '\r' | '\n'));
                until(rest.find(|(_, c)| matches!(c, '\r' | '\n')))
            }
            _ => text.len(),
        };
        let reported_first = self.random.one_in(3);
        if part < text.len() {
            let length = text[..part].encode_utf16().count();
            let report = SuggestionReport::AcceptedPart {
                suggestion: id,
                length,
            };
            let text = text[..part].to_string();
            if reported_first {
                self.report(report)?;
            }
            self.open[document].shown = Some((id, suggestion));
            self.type_text(document, &text)?;
            if !reported_first && self.random.one_in(2) {
                self.report(report)?;
            }
            return Ok(true);
        }
        if reported_first {
            self.report(SuggestionReport::Accepted { suggestion: id })?;
        }
        let (after, cursor) = suggestion.apply(&self.open[document].document);
        self.replace(document, suggestion.range.clone(), &suggestion.text)?;
        if !self.open[document].document.has_same_text(&after) {
            return Err(format!(
                "accepting {suggestion:?} gives {:?} and not {:?}",
                self.open[document].document.text(),
                after.text()
            ));
        }
        self.open[document].cursor = cursor;
        if !reported_first {
            self.report(SuggestionReport::Accepted { suggestion: id })?;
        }
        if self.random.one_in(6) {
            self.enter(document)?;
        }
        self.request(document)?;
        Ok(kind == "accepting all")
    }

    /// Returns the line end of the cursor's line.
    fn line_end(&self, document: usize) -> &'static str {
        let open = &self.open[document];
        open.document.line_end(open.cursor).as_str()
    }

    /// Types a text at the cursor. What is shown stays as far as it agrees.
    fn type_text(&mut self, document: usize, text: &str) -> Checked {
        let text = match text {
            "\n" => self.line_end(document),
            text => text,
        };
        let open = &mut self.open[document];
        let at = open.cursor;
        let shown = open.shown.take();
        self.replace(document, at..at, text)?;
        let open = &mut self.open[document];
        open.cursor = Offset(at.0 + text.len());
        if let Some((id, suggestion)) = shown
            && suggestion.range.start == at
            && let Some(rest) = suggestion.text.strip_prefix(text)
            && !rest.is_empty()
        {
            let range = open.cursor..Offset(suggestion.range.end.0 + text.len());
            let text = rest.to_string();
            open.shown = Some((id, tabahead_context::Suggestion { range, text }));
        }
        Ok(())
    }

    /// Types an opening bracket or quote, which the editor closes after the cursor.
    fn type_pair(&mut self, document: usize, pair: &str) -> Checked {
        let at = self.open[document].cursor;
        self.open[document].shown = None;
        self.replace(document, at..at, pair)?;
        self.open[document].cursor = Offset(at.0 + 1);
        Ok(())
    }

    /// Presses Enter with the editor's indentation. Between two brackets, the closer goes on a line
    /// of its own.
    fn enter(&mut self, document: usize) -> Checked {
        let open = &self.open[document];
        let (text, at) = (&open.document, open.cursor);
        let line_end = text.line_end(at).as_str();
        let line = text.slice(text.line_range(text.line_of(at)).start..at);
        let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
        let deeper = if line.trim_end().ends_with(['{', '(', '[']) {
            *self.random.pick(&["    ", "\t"])
        } else {
            ""
        };
        let typed = format!("{line_end}{indent}{deeper}");
        let closes = (text.slice(at..Offset(at.0 + 1)).chars().next())
            .is_some_and(|c| matches!(c, '}' | ')' | ']'));
        if deeper.is_empty() || !closes {
            return self.type_text(document, &typed);
        }
        self.open[document].shown = None;
        self.replace(document, at..at, &format!("{typed}{line_end}{indent}"))?;
        self.open[document].cursor = Offset(at.0 + typed.len());
        Ok(())
    }

    fn backspace(&mut self, document: usize) -> Checked {
        let open = &mut self.open[document];
        open.shown = None;
        let end = open.cursor;
        let position = open.document.position_of(end, PositionEncoding::Utf32);
        let start = if position.character > 0 {
            open.document.clamp(Offset(end.0 - 1))
        } else if position.line > 0 {
            open.document.line_range(position.line as usize - 1).end
        } else {
            return Ok(());
        };
        self.replace(document, start..end, "")?;
        self.open[document].cursor = start;
        Ok(())
    }

    fn edit_elsewhere(&mut self, document: usize) -> Checked {
        let open = &mut self.open[document];
        open.shown = None;
        let line = self.random.below(open.document.line_count());
        let at = open.document.line_range(line).start;
        let is_before = at <= open.cursor;
        let text = format!("foo{}", open.document.line_end(at).as_str());
        self.replace(document, at..at, &text)?;
        if is_before {
            self.open[document].cursor.0 += text.len();
        }
        Ok(())
    }

    /// Restores the text from before one of the latest changes, and the cursor with it.
    fn undo(&mut self, document: usize) -> Result<bool, String> {
        let back = 1 + self.random.below(2);
        let open = &mut self.open[document];
        let Some(at) = open.earlier.len().checked_sub(back) else {
            return Ok(false);
        };
        let (text, cursor) = open.earlier.drain(at..).next().expect("it is there");
        self.become_text(document, &text.text())?;
        // An undo is not undone by the next undo.
        self.open[document].earlier.pop();
        self.open[document].cursor = cursor;
        self.request(document)?;
        Ok(true)
    }

    /// Types the same text at the cursor and at the ends of some lines.
    fn type_at_several(&mut self, document: usize) -> Checked {
        let text = *self.random.pick(TYPED);
        let open = &mut self.open[document];
        open.shown = None;
        let lines = open.document.line_count();
        let ends = (0..3).map(|_| open.document.line_range(self.random.below(lines)).end);
        let mut places: Vec<Offset> = ends.chain([open.cursor]).collect();
        places.sort_unstable();
        places.dedup();
        let before = places.iter().filter(|&&at| at <= open.cursor).count();
        let mut whole = open.document.text();
        for place in places.into_iter().rev() {
            whole.insert_str(place.0, text);
        }
        let cursor = Offset(open.cursor.0 + before * text.len());
        self.become_text(document, &whole)?;
        self.open[document].cursor = cursor;
        Ok(())
    }

    /// Changes the white space of the whole document, as one change or as a new text.
    fn format(&mut self, document: usize) -> Checked {
        let open = &mut self.open[document];
        open.shown = None;
        let text = open.document.text();
        let formatted = match self.random.below(3) {
            0 => text.replace("  ", " "),
            1 => text.replace(" = ", "="),
            _ => format!("foo;{}{text}", open.document.line_end(Offset(0)).as_str()),
        };
        if self.random.one_in(2) {
            self.become_text(document, &formatted)?;
        } else {
            open.remember();
            let version = Version(open.document.version().0 + 1);
            let edit = Edit {
                range: None,
                text: formatted,
            };
            open.document
                .apply(&[edit], PositionEncoding::Utf16, version);
            self.changed(document)?;
        }
        let open = &mut self.open[document];
        open.cursor = open.document.clamp(open.cursor);
        Ok(())
    }

    /// Replaces the word before the cursor with a few lines, and puts the cursor into them.
    fn expand_snippet(&mut self, document: usize) -> Checked {
        let open = &mut self.open[document];
        open.shown = None;
        let line = open.document.line_range(open.document.line_of(open.cursor));
        let before = open.document.slice(line.start..open.cursor);
        let word = before.len() - before.trim_end_matches(char::is_alphanumeric).len();
        let start = Offset(open.cursor.0 - word);
        let line_end = open.document.line_end(open.cursor).as_str();
        let text = format!("foo(a) {{{line_end}    {line_end}}}");
        let cursor = Offset(start.0 + text.len() - line_end.len() - 1);
        let end = open.cursor;
        self.replace(document, start..end, &text)?;
        self.open[document].cursor = cursor;
        Ok(())
    }

    pub(super) fn jump(&mut self, document: usize) {
        let open = &mut self.open[document];
        open.shown = None;
        let line = open
            .document
            .line_range(self.random.below(open.document.line_count()));
        let within = self.random.below(line.end.0 - line.start.0 + 1);
        open.cursor = match self.random.below(3) {
            0 => open.document.clamp(Offset(line.start.0 + within)),
            _ => line.end,
        };
    }

    fn reopen(&mut self, document: usize) -> Checked {
        let id = DocumentId(document as u64);
        self.input(Input::DocumentClosed { document: id })?;
        let text = *self.random.pick(TEXTS);
        let open = &mut self.open[document];
        open.document = Document::new(text, Version(0));
        open.earlier.clear();
        self.jump(document);
        self.changed(document)
    }

    /// Replaces a document's text, by one edit of the part that differs.
    fn become_text(&mut self, document: usize, text: &str) -> Checked {
        self.open[document].shown = None;
        let old = self.open[document].document.text();
        let same = |(a, b): &(char, char)| a == b;
        let front: usize = (old.chars().zip(text.chars()).take_while(same))
            .map(|(c, _)| c.len_utf8())
            .sum();
        let (old_rest, new_rest) = (&old[front..], &text[front..]);
        let back: usize = (old_rest.chars().rev().zip(new_rest.chars().rev()))
            .take_while(same)
            .map(|(c, _)| c.len_utf8())
            .sum();
        let range = Offset(front)..Offset(old.len() - back);
        let text = new_rest[..new_rest.len() - back].to_string();
        // To an editor, a line end is one character.
        let (range, text) = match (old[..range.start.0].ends_with('\r'), &text) {
            (true, _) => (Offset(range.start.0 - 1)..range.end, format!("\r{text}")),
            (false, _) => (range, text),
        };
        let (range, text) = if old[range.end.0..].starts_with('\n') {
            (range.start..Offset(range.end.0 + 1), text + "\n")
        } else {
            (range, text)
        };
        self.replace(document, range, &text)
    }

    /// Edits as an editor does, by positions in some encoding.
    fn replace(&mut self, document: usize, range: std::ops::Range<Offset>, text: &str) -> Checked {
        let encoding = *self.random.pick(&[
            PositionEncoding::Utf8,
            PositionEncoding::Utf16,
            PositionEncoding::Utf32,
        ]);
        let open = &mut self.open[document];
        if !text.is_ascii() || !open.document.slice(range.clone()).is_ascii() {
            self.counts.multi_byte_edits += 1;
        }
        let range = Range {
            start: open.document.position_of(range.start, encoding),
            end: open.document.position_of(range.end, encoding),
        };
        open.remember();
        let version = Version(open.document.version().0 + 1);
        let edit = Edit {
            range: Some(range),
            text: text.to_string(),
        };
        open.document.apply(&[edit], encoding, version);
        self.changed(document)
    }

    pub(super) fn changed(&mut self, document: usize) -> Checked {
        let snapshot = self.open[document].document.clone();
        let document = DocumentId(document as u64);
        self.input(Input::DocumentChanged { document, snapshot })
    }

    pub(super) fn request(&mut self, document: usize) -> Checked {
        self.request_several(document, 0)
    }

    fn request_several(&mut self, document: usize, alternatives: usize) -> Checked {
        if self.random.one_in(8) {
            return Ok(());
        }
        let open = &mut self.open[document];
        open.settle();
        open.shown = None;
        self.requests += 1;
        let request = RequestId(self.requests);
        open.latest = Some(request);
        let (snapshot, cursor) = (open.document.clone(), open.cursor);
        let selected = self.random.one_in(25).then(|| {
            self.counts.popup_items += 1;
            let back = self.random.below(3);
            let line = snapshot.line_range(snapshot.line_of(cursor)).start;
            SelectedCompletion {
                range: snapshot
                    .clamp(Offset(cursor.0.saturating_sub(back)))
                    .max(line)..cursor,
                text: self.random.pick(&["foo", "bar(", "é"]).to_string(),
            }
        });
        self.check_key(document)?;
        let asked = Asked {
            document,
            snapshot: snapshot.clone(),
            cursor,
            selected: selected.clone(),
            alternatives,
            name: self.name(document),
        };
        self.asked.insert(request, asked);
        let name = self.name(document);
        let document = DocumentId(document as u64);
        self.input(Input::CompletionRequested {
            request,
            document,
            snapshot,
            cursor,
            name,
            selected,
            alternatives,
        })
    }
}
