//! The logits after a text, computed from scratch, without an engine.

use crate::{
    EngineError, Model, TokenId,
    kept::{
        kv::{KvPrecision, Ledger},
        place::Place,
    },
    pass::{Pass, Span, forward::Processor},
    threads::Urgency,
};

impl Model {
    /// Returns the logits of all tokens after `tokens`, computed from scratch on the calling
    /// thread, with keys and values kept in full.
    ///
    /// # Errors
    /// `TooLong` when the tokens do not fit the context, `Model` when there are none or one is
    /// beyond the vocabulary.
    pub fn logits(&self, tokens: &[TokenId]) -> Result<Vec<f32>, EngineError> {
        self.logits_with(tokens, KvPrecision::Full)
    }

    /// Does the same as [`Model::logits`], with keys and values kept in this precision.
    pub(crate) fn logits_with(
        &self,
        tokens: &[TokenId],
        precision: KvPrecision,
    ) -> Result<Vec<f32>, EngineError> {
        /// Number of tokens computed together; more take more memory and are no faster.
        const CHUNK: usize = 256;

        self.check_ids(tokens)?;
        let context = self.info().context_tokens;
        if tokens.len() > context {
            return Err(EngineError::TooLong {
                tokens: tokens.len(),
                context,
            });
        }
        let mut processor = Processor::new(1, Urgency::Urgent);
        let (mut place, mut logits) = (Place::default(), Vec::new());
        for chunk in tokens.chunks(CHUNK) {
            let ledger = Ledger::default();
            let last = place.length() + chunk.len() == tokens.len();
            let wanted = usize::from(last);
            let span = Span::new(self, &ledger, precision, place, chunk.to_vec(), wanted);
            let mut pass = Pass::new(vec![span]);
            processor.run(self, &mut pass, &|| false);
            let span = pass.spans.swap_remove(0);
            (place, logits) = span.close();
        }
        Ok(logits.swap_remove(0))
    }
}
