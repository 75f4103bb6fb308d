//! The order in which hypotheses are computed, over all documents.
//!
//! A pure function of what is known about each. Worth divided by cost belongs here, once both are
//! measured.

use std::cmp::Reverse;

use crate::DocumentId;

/// What decides the rank of a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RankInputs {
    /// Turn of the latest request in its document.
    pub turn: u64,
    pub document: DocumentId,
    /// Its level in the document's tree: 1 for what the user may reach next.
    pub level: usize,
}

/// Orders hypotheses: those of the document with the latest request first, and in a document those
/// that are reached first.
pub(crate) fn rank<T>(mut wanted: Vec<(RankInputs, T)>) -> impl Iterator<Item = T> {
    wanted.sort_by_key(|(inputs, _)| (Reverse((inputs.turn, inputs.document)), inputs.level));
    wanted.into_iter().map(|(_, wanted)| wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_document_comes_first_and_in_it_what_is_reached_first() {
        let wanted = [(1, 4, 1), (7, 2, 2), (7, 2, 1), (0, 9, 1), (0, 8, 1)];
        let inputs = wanted.map(|(turn, document, level)| {
            let document = DocumentId(document);
            let inputs = RankInputs {
                turn,
                document,
                level,
            };
            (inputs, (document.0, level))
        });
        let ranked: Vec<_> = rank(inputs.to_vec()).collect();
        assert_eq!(ranked, [(2, 1), (2, 2), (4, 1), (9, 1), (8, 1)]);
    }
}
