//! From replacements that count UTF-16 code units to edits that count bytes.
//!
//! A replacement may begin or end between two surrogates. Then the half that stays is joined with
//! the text written beside it, so that the edit replaces whole characters.

use tabahead_text::{Document, Offset};

use super::{ByteEdit, Problem};
use crate::recording::Replacement;

/// Returns the edits of one change, checked: within the text, and in ascending order.
pub(super) fn byte_edits(
    before: &Document,
    replacements: &[Replacement],
) -> Result<Vec<ByteEdit>, Problem> {
    let mut edits: Vec<Units> = Vec::new();
    let mut last_end = 0;
    for Replacement { range, text } in replacements {
        if range.start < last_end || range.end < range.start {
            return Err(Problem::NotAscending {
                range: range.clone(),
                after: last_end,
            });
        }
        last_end = range.end;
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
            // Both touch the same character: the second decides about the half after the first.
            Some(last) if last.end > start.offset => {
                last.text.pop();
                last.text.extend(text);
                last.end = end.offset;
            }
            // Two lone halves that become neighbours form a character.
            Some(last) if last.end == start.offset && is_pair(&last.text, text) => {
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

/// An edit under construction.
struct Units {
    start: Offset,
    end: Offset,
    text: Vec<u16>,
}

/// Returns whether a character begins at the end of `one` and ends at the start of `other`.
fn is_pair(one: &[u16], other: &[u16]) -> bool {
    let (Some(&first), Some(&second)) = (one.last(), other.first()) else {
        return false;
    };
    char::decode_utf16([first, second])
        .next()
        .is_some_and(|c| c.is_ok())
        && (0xd800..0xdc00).contains(&first)
}

/// A place between two code units.
struct Boundary {
    /// Start of the character that holds it.
    offset: Offset,
    /// The surrogates on both sides, if it lies between two.
    halves: Option<[u16; 2]>,
}

impl Boundary {
    fn at(document: &Document, unit: usize) -> Option<Self> {
        let offset = document.offset_of_utf16_unit(unit)?;
        let halves = (document.utf16_unit_of(offset) < unit).then(|| {
            // The longest character has four bytes; a partial one after it does no harm.
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
    use proptest::prelude::*;
    use tabahead_text::Version;

    use super::*;

    #[track_caller]
    fn check(text: &str, replacements: &[(usize, usize, &[u16])], expected: &str) {
        let replacements: Vec<(usize, usize, Vec<u16>)> = replacements
            .iter()
            .map(|&(start, end, text)| (start, end, text.to_vec()))
            .collect();
        assert_eq!(check_units(text, &replacements), expected);
    }

    /// Returns the resulting text, and checks that replacing the units themselves gives the same.
    #[track_caller]
    fn check_units(text: &str, replacements: &[(usize, usize, Vec<u16>)]) -> String {
        let before = Document::new(text, Version(1));
        let mut units: Vec<u16> = text.encode_utf16().collect();
        for (start, end, text) in replacements.iter().rev() {
            units.splice(*start..*end, text.iter().copied());
        }
        let replacements: Vec<Replacement> = replacements
            .iter()
            .map(|(start, end, text)| Replacement {
                range: *start..*end,
                text: text.clone(),
            })
            .collect();
        let edits = byte_edits(&before, &replacements).expect("the replacements fit");
        let after = super::super::applied(&before, &edits).text();
        assert_eq!(after, String::from_utf16_lossy(&units));
        after
    }

    proptest! {
        #[test]
        fn edits_give_what_replaced_units_give(
            text in "[a😀\r\n]{0,8}",
            cuts in prop::collection::vec((0_usize..20, "[xé]{0,2}", 0_u8..4), 0..4),
        ) {
            let units = text.encode_utf16().count();
            let mut places: Vec<usize> = cuts.iter().map(|(at, _, _)| at % (units + 1)).collect();
            places.sort_unstable();
            let replacements: Vec<(usize, usize, Vec<u16>)> = places
                .chunks_exact(2)
                .zip(&cuts)
                .map(|(ends, (_, text, halves))| {
                    let mut units: Vec<u16> = Vec::new();
                    units.extend((halves & 1 != 0).then_some(0xde01));
                    units.extend(text.encode_utf16());
                    units.extend((halves & 2 != 0).then_some(0xd83d));
                    (ends[0], ends[1], units)
                })
                .collect();
            check_units(&text, &replacements);
        }
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
        check("ab", &[(0, 1, &[0xd83d]), (1, 2, &[0xde01])], "😁");
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
