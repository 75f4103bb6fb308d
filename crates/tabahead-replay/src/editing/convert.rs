//! From replacements that count UTF-16 code units to edits that count bytes.
//!
//! A replacement may begin or end between two surrogates. Then the half that stays is put together
//! with what is written beside it, so that the edit replaces whole characters.

use tabahead_text::{Document, Offset};

use super::{ByteEdit, Problem};
use crate::recording::Replacement;

/// The edits of one change, checked: in the text, one behind the other.
pub(super) fn byte_edits(
    before: &Document,
    replacements: &[Replacement],
) -> Result<Vec<ByteEdit>, Problem> {
    let mut edits: Vec<Units> = Vec::new();
    let mut behind = 0;
    for Replacement { range, text } in replacements {
        if range.start < behind || range.end < range.start {
            return Err(Problem::NotAscending {
                range: range.clone(),
                after: behind,
            });
        }
        behind = range.end;
        let (Some(start), Some(end)) = (
            Boundary::at(before, range.start),
            Boundary::at(before, range.end),
        ) else {
            return Err(Problem::OutOfRange {
                range: range.clone(),
                length: before.utf16_unit_of(Offset(before.len())),
            });
        };
        match edits.last_mut() {
            // Both touch the same character: the half behind the first is before the second.
            Some(last) if last.end > start.offset => {
                last.text.pop();
                last.text.extend(text);
                last.end = end.offset;
            }
            _ => {
                let mut units: Vec<u16> =
                    start.halves.map(|[first, _]| first).into_iter().collect();
                units.extend(text);
                edits.push(Units {
                    start: start.offset,
                    end: end.offset,
                    text: units,
                });
            }
        }
        if let (Some([first, second]), Some(last)) = (end.halves, edits.last_mut()) {
            last.text.push(second);
            let width = char::decode_utf16([first, second])
                .flatten()
                .map(char::len_utf8)
                .sum::<usize>();
            last.end = Offset(end.offset.0 + width);
        }
    }
    Ok(edits
        .into_iter()
        .map(|units| ByteEdit {
            range: units.start..units.end,
            text: String::from_utf16_lossy(&units.text),
        })
        .collect())
}

/// An edit in the making.
struct Units {
    start: Offset,
    end: Offset,
    text: Vec<u16>,
}

/// A place between two code units.
struct Boundary {
    /// The start of the character that holds it.
    offset: Offset,
    /// The surrogates on both sides, when it is between two.
    halves: Option<[u16; 2]>,
}

impl Boundary {
    fn at(document: &Document, unit: usize) -> Option<Self> {
        let offset = document.offset_of_utf16_unit(unit)?;
        let halves = (document.utf16_unit_of(offset) < unit).then(|| {
            // The longest character has four bytes; a cut one behind it does no harm.
            let text = document.slice(offset..Offset(offset.0 + 4));
            let mut units = [0; 2];
            if let Some(c) = text.chars().next() {
                c.encode_utf16(&mut units);
            }
            units
        });
        Some(Self { offset, halves })
    }
}

#[cfg(test)]
mod tests {
    use tabahead_text::Version;

    use super::*;

    #[track_caller]
    fn check(text: &str, replacements: &[(usize, usize, &[u16])], expected: &str) {
        let before = Document::new(text, Version(1));
        let replacements: Vec<Replacement> = replacements
            .iter()
            .map(|&(start, end, text)| Replacement {
                range: start..end,
                text: text.to_vec(),
            })
            .collect();
        let edits = byte_edits(&before, &replacements).expect("the replacements fit");
        assert_eq!(super::super::applied(&before, &edits).text(), expected);

        // The same on the units themselves.
        let mut units: Vec<u16> = text.encode_utf16().collect();
        for replacement in replacements.iter().rev() {
            units.splice(replacement.range.clone(), replacement.text.iter().copied());
        }
        assert_eq!(String::from_utf16_lossy(&units), expected);
    }

    const X: &[u16] = &[0x78];
    const Y: &[u16] = &[0x79];

    #[test]
    fn all_replacements_refer_to_the_text_before() {
        check("abcdef", &[(0, 1, X), (2, 3, &[]), (6, 6, Y)], "xbdefy");
    }

    #[test]
    fn a_replaced_half_joins_the_half_that_stays() {
        // U+1F600 is D83D DE00, U+1F601 is D83D DE01.
        check("a😀b", &[(2, 3, &[0xde01])], "a😁b");
        check("a😁b", &[(1, 2, &[0xd83d])], "a😁b");
        check("😀😀", &[(1, 3, &[0xde01, 0xd83d])], "😁😀");
        check("😀", &[(1, 1, &[0xde01, 0xd83d])], "😁😀");
        check("😀", &[(0, 1, &[0xd83d]), (1, 2, &[0xde01])], "😁");
    }

    #[test]
    fn a_half_without_its_other_half_is_one_replacement_character() {
        check("a😀b", &[(2, 3, &[])], "a\u{fffd}b");
        check("a😀b", &[(1, 2, X)], "ax\u{fffd}b");
        check("a😀b", &[(2, 2, X)], "a\u{fffd}x\u{fffd}b");
        check("😀", &[(0, 1, X), (1, 2, Y)], "xy");
        check("😀", &[(1, 1, X), (1, 1, Y)], "\u{fffd}xy\u{fffd}");
    }

    #[test]
    fn line_ends_may_be_split() {
        check("a\r\nb", &[(2, 2, X)], "a\rx\nb");
        check("a\r\nb", &[(2, 3, &[])], "a\rb");
        check("a\r\nb", &[(1, 2, &[])], "a\nb");
    }

    #[track_caller]
    fn check_problem(replacements: &[(usize, usize)], expected: Problem) {
        let before = Document::new("a😀", Version(1));
        let replacements: Vec<Replacement> = replacements
            .iter()
            .map(|&(start, end)| Replacement {
                range: start..end,
                text: Vec::new(),
            })
            .collect();
        assert_eq!(byte_edits(&before, &replacements), Err(expected));
    }

    #[test]
    fn replacements_must_fit() {
        let huge = usize::MAX;
        check_problem(
            &[(0, 4)],
            Problem::OutOfRange {
                range: 0..4,
                length: 3,
            },
        );
        check_problem(
            &[(huge, huge)],
            Problem::OutOfRange {
                range: huge..huge,
                length: 3,
            },
        );
        #[expect(clippy::reversed_empty_ranges, reason = "the problem is just that")]
        check_problem(
            &[(2, 1)],
            Problem::NotAscending {
                range: 2..1,
                after: 0,
            },
        );
        check_problem(
            &[(1, 2), (0, 1)],
            Problem::NotAscending {
                range: 0..1,
                after: 2,
            },
        );
    }
}
