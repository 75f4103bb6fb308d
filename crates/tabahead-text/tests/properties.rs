//! The rope document against a plain `String`, in all three encodings.

use proptest::prelude::*;
use tabahead_text::{Document, Edit, LineEnd, Offset, Position, PositionEncoding, Range, Version};

/// The model: it finds everything by walking over the characters.
struct Plain(String);

impl Plain {
    /// Returns the start and end of each line, the end without its line end.
    fn lines(&self) -> Vec<(usize, usize)> {
        let mut lines = Vec::new();
        let mut start = 0;
        let mut chars = self.0.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let end = match c {
                '\r' if chars.peek().is_some_and(|&(_, next)| next == '\n') => {
                    chars.next();
                    at + 2
                }
                '\r' | '\n' => at + 1,
                _ => continue,
            };
            lines.push((start, at));
            start = end;
        }
        lines.push((start, self.0.len()));
        lines
    }

    fn offset_of(&self, position: Position, encoding: PositionEncoding) -> usize {
        let lines = self.lines();
        let Some(&(start, end)) = lines.get(position.line as usize) else {
            return self.0.len();
        };
        let mut count = 0;
        for (at, c) in self.0[start..end].char_indices() {
            count += units(c, encoding);
            if count > position.character as usize {
                return start + at;
            }
        }
        end
    }

    fn position_of(&self, offset: usize, encoding: PositionEncoding) -> Position {
        let mut offset = offset.min(self.0.len());
        while !self.0.is_char_boundary(offset) {
            offset -= 1;
        }
        let lines = self.lines();
        let line = lines.iter().rposition(|&(start, _)| start <= offset);
        let line = line.expect("the first line starts at 0");
        let (start, end) = lines[line];
        let before = &self.0[start..offset.min(end)];
        Position {
            line: line as u32,
            character: before.chars().map(|c| units(c, encoding)).sum::<usize>() as u32,
        }
    }

    fn apply(&mut self, edit: &Edit, encoding: PositionEncoding) {
        match edit.range {
            None => self.0 = edit.text.clone(),
            Some(range) => {
                let (one, other) = (
                    self.unit_of(range.start, encoding),
                    self.unit_of(range.end, encoding),
                );
                let (start, end) = (one.min(other), one.max(other));
                self.0 = match encoding {
                    PositionEncoding::Utf8 => {
                        let mut bytes = self.0.clone().into_bytes();
                        bytes.splice(start..end, edit.text.bytes());
                        encoding.of_utf8(&bytes)
                    }
                    PositionEncoding::Utf16 => {
                        let mut units: Vec<u16> = self.0.encode_utf16().collect();
                        units.splice(start..end, edit.text.encode_utf16());
                        encoding.of_utf16(units)
                    }
                    PositionEncoding::Utf32 => {
                        let mut characters: Vec<char> = self.0.chars().collect();
                        characters.splice(start..end, edit.text.chars());
                        characters.into_iter().collect()
                    }
                };
            }
        }
    }
}

impl Plain {
    /// Returns the index of a position among all units of the text.
    fn unit_of(&self, position: Position, encoding: PositionEncoding) -> usize {
        let count = |text: &str| text.chars().map(|c| units(c, encoding)).sum::<usize>();
        let lines = self.lines();
        match lines.get(position.line as usize) {
            Some(&(start, end)) => {
                let longest = count(&self.0[start..end]);
                count(&self.0[..start]) + longest.min(position.character as usize)
            }
            None => count(&self.0),
        }
    }
}

fn units(c: char, encoding: PositionEncoding) -> usize {
    match encoding {
        PositionEncoding::Utf8 => c.len_utf8(),
        PositionEncoding::Utf16 => c.len_utf16(),
        PositionEncoding::Utf32 => 1,
    }
}

fn encodings() -> impl Strategy<Value = PositionEncoding> {
    prop::sample::select(vec![
        PositionEncoding::Utf8,
        PositionEncoding::Utf16,
        PositionEncoding::Utf32,
    ])
}

fn texts(pieces: usize) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "foo ", "é", "漢", "𝒷", "🦀", "\n", "\r\n", "\r", "\n\r", "\u{85}", "\u{2028}",
        "\u{b}",
    ]);
    // Some pieces are long enough that the rope splits its leaves, now and then inside a line end.
    let piece = prop_oneof![20 => piece.prop_map(String::from), 1 => Just("xé\r\n".repeat(300))];
    prop::collection::vec(piece, 0..pieces).prop_map(|pieces| pieces.concat())
}

fn positions() -> impl Strategy<Value = Position> {
    let small = (0..8u32, 0..12u32);
    let any = (any::<u32>(), any::<u32>());
    let deep = (0..700u32, 0..6u32);
    prop_oneof![6 => small, 2 => deep, 1 => any]
        .prop_map(|(line, character)| Position { line, character })
}

fn edits() -> impl Strategy<Value = Edit> {
    (
        prop::option::weighted(0.95, (positions(), positions())),
        texts(6),
    )
        .prop_map(|(range, text)| Edit {
            range: range.map(|(start, end)| Range { start, end }),
            text,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn units_of_utf_16_are_counted_over_the_whole_text(text in texts(20)) {
        let document = Document::new(&text, Version(0));
        let mut unit = 0;
        for (at, c) in text.char_indices() {
            for inside in 0..c.len_utf16() {
                prop_assert_eq!(document.offset_of_utf16_unit(unit + inside), Some(Offset(at)));
            }
            for inside in 0..c.len_utf8() {
                prop_assert_eq!(document.utf16_unit_of(Offset(at + inside)), unit);
            }
            unit += c.len_utf16();
        }
        prop_assert_eq!(document.offset_of_utf16_unit(unit), Some(Offset(text.len())));
        prop_assert_eq!(document.offset_of_utf16_unit(unit + 1), None);
        prop_assert_eq!(document.utf16_unit_of(Offset(text.len() + 1)), unit);
    }

    #[test]
    fn edits_do_what_they_do_to_a_string(
        text in texts(20),
        edits in prop::collection::vec(edits(), 1..8),
        encoding in encodings(),
        asked in prop::collection::vec(positions(), 8),
    ) {
        let mut plain = Plain(text.clone());
        let mut document = Document::new(&text, Version(0));
        for edit in &edits {
            plain.apply(edit, encoding);
        }
        document.apply(&edits, encoding, Version(1));
        prop_assert_eq!(document.text(), plain.0.as_str());
        prop_assert_eq!(document.len(), plain.0.len());

        let lines = plain.lines();
        prop_assert_eq!(document.line_count(), lines.len());
        for (line, &(start, end)) in lines.iter().enumerate() {
            prop_assert_eq!(document.line_range(line), Offset(start)..Offset(end));
        }
        for (line, &(start, end)) in lines.iter().enumerate() {
            let ended = if line + 1 < lines.len() || line == 0 { end } else { lines[line - 1].1 };
            let line_end = match &plain.0.as_bytes()[ended..] {
                [b'\r', b'\n', ..] => LineEnd::CrLf,
                [b'\r', ..] => LineEnd::Cr,
                _ => LineEnd::Lf,
            };
            prop_assert_eq!(document.line_end(Offset(start)), line_end);
        }
        for position in asked {
            prop_assert_eq!(
                document.offset_of(position, encoding),
                Offset(plain.offset_of(position, encoding))
            );
        }
    }

    #[test]
    fn offsets_and_positions_go_both_ways(text in texts(20), encoding in encodings(), offset in 0..4000usize) {
        let plain = Plain(text.clone());
        let document = Document::new(&text, Version(0));
        let position = document.position_of(Offset(offset), encoding);
        prop_assert_eq!(position, plain.position_of(offset, encoding));
        let back = document.offset_of(position, encoding);
        prop_assert!(back.0 <= offset);
        prop_assert_eq!(document.position_of(back, encoding), position);
    }

    #[test]
    fn a_replacement_is_undone_by_the_text_that_was_there(
        text in texts(20), inserted in texts(5), one in 0..1500usize, other in 0..1500usize,
    ) {
        let document = Document::new(&text, Version(3));
        let range = document.clamp(Offset(one.min(other)))..document.clamp(Offset(one.max(other)));
        let replaced = document.with_replaced(range.clone(), &inserted);
        let inserted_end = Offset(range.start.0 + inserted.len());
        prop_assert_eq!(replaced.slice(range.start..inserted_end), inserted);
        let undone = replaced.with_replaced(range.start..inserted_end, &document.slice(range));
        prop_assert_eq!(undone.text(), text.as_str());
        prop_assert_eq!(document.text(), text);
        prop_assert_eq!(undone.version(), Version(3));
    }
}
