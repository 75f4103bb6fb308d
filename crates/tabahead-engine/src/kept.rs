//! What is kept of earlier sequences, and found again by the longest common beginning.
//!
//! Blocks are shared between sequences, so what two have in common is held once. The least
//! recently used sequence is forgotten first. Knows no model.

use std::sync::Arc;

use crate::{
    TokenId,
    kernels::KV_BLOCK,
    kv::{Block, Charge, Ledger},
};

/// Logits that several holders share.
#[derive(Debug, Clone)]
pub(crate) struct KeptLogits(Arc<(Vec<f32>, Charge)>);

impl KeptLogits {
    pub(crate) fn new(logits: Vec<f32>, ledger: &Ledger) -> Self {
        let charge = ledger.charge(logits.len() * size_of::<f32>());
        Self(Arc::new((logits, charge)))
    }

    pub(crate) fn values(&self) -> &[f32] {
        &self.0.0
    }
}

/// Sequences kept for later prompts.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    entries: Vec<Entry>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    tokens: Vec<TokenId>,
    blocks: Vec<Arc<Block>>,
    /// Logits by the number of tokens before them.
    logits: Vec<(usize, KeptLogits)>,
    used: u64,
}

impl Kept {
    /// The longest known beginning of a prompt, its blocks, and the logits after the whole prompt
    /// if they are known.
    pub(crate) fn find(
        &mut self,
        prompt: &[TokenId],
    ) -> (usize, Vec<Arc<Block>>, Option<KeptLogits>) {
        let best = self
            .entries
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                let common = common(&entry.tokens, prompt);
                (
                    common,
                    common == prompt.len() && entry.logits_after(common).is_some(),
                    index,
                )
            })
            .max();
        let Some((common, _, index)) = best.filter(|&(common, ..)| common > 0) else {
            return (0, Vec::new(), None);
        };
        let used = self.tick();
        let entry = &mut self.entries[index];
        entry.used = used;
        let blocks = entry.blocks[..common.div_ceil(KV_BLOCK)].to_vec();
        let logits = entry
            .logits_after(common)
            .filter(|_| common == prompt.len());
        (common, blocks, logits.cloned())
    }

    /// Keeps a sequence. One that begins it, or that it begins, becomes one with it.
    pub(crate) fn keep(
        &mut self,
        tokens: Vec<TokenId>,
        blocks: Vec<Arc<Block>>,
        logits: Vec<(usize, KeptLogits)>,
    ) {
        if tokens.is_empty() {
            return;
        }
        let used = self.tick();
        if let Some(entry) = self
            .entries
            .iter_mut()
            .find(|entry| entry.tokens.starts_with(&tokens))
        {
            entry.add_logits(logits);
            entry.used = used;
            return;
        }
        let mut kept = Entry {
            tokens,
            blocks,
            logits: Vec::new(),
            used,
        };
        kept.add_logits(logits);
        self.entries.retain_mut(|entry| {
            let begins = kept.tokens.starts_with(&entry.tokens);
            if begins {
                kept.add_logits(std::mem::take(&mut entry.logits));
            }
            !begins
        });
        self.entries.push(kept);
    }

    /// Forgets the least recently used sequence; false when there is none.
    pub(crate) fn forget_oldest(&mut self) -> bool {
        let oldest = (0..self.entries.len()).min_by_key(|&index| self.entries[index].used);
        oldest
            .map(|index| self.entries.swap_remove(index))
            .is_some()
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

impl Entry {
    fn logits_after(&self, count: usize) -> Option<&KeptLogits> {
        let mut found = self.logits.iter().filter(|(after, _)| *after == count);
        found.next().map(|(_, logits)| logits)
    }

    fn add_logits(&mut self, logits: Vec<(usize, KeptLogits)>) {
        for (after, logits) in logits {
            if self.logits_after(after).is_none() {
                self.logits.push((after, logits));
            }
        }
    }
}

fn common(left: &[TokenId], right: &[TokenId]) -> usize {
    left.iter()
        .zip(right)
        .take_while(|(left, right)| left == right)
        .count()
}
