//! What the editor receives without a request: the status, and problems, none of them twice in a row.

use tokio::sync::mpsc;

use crate::{
    message::{Notice, Status},
    settings::PRIVACY,
    suitability::Suitability,
};

/// The way to the editor, and what it received last.
pub(super) struct EditorNotices {
    outbox: mpsc::UnboundedSender<Notice>,
    status: Option<Status>,
    problem: Option<String>,
    /// Messages about the settings that were refused most recently.
    refused: Vec<String>,
}

impl EditorNotices {
    pub(super) fn new(outbox: mpsc::UnboundedSender<Notice>) -> Self {
        Self {
            outbox,
            status: None,
            problem: None,
            refused: Vec::new(),
        }
    }

    /// Shows a status, unless it is the one shown last.
    pub(super) fn show_status(&mut self, status: Status) {
        if self.status.as_ref() != Some(&status) {
            self.status = Some(status.clone());
            self.send(Notice::Status(status));
        }
    }

    /// Shows a problem, unless it is the one shown last.
    pub(super) fn report(&mut self, line: &str) {
        if self.problem.as_deref() != Some(line) {
            self.problem = Some(line.to_owned());
            self.report_again(line.to_owned());
        }
    }

    /// Shows a problem, even if it was shown before.
    pub(super) fn report_again(&self, line: String) {
        self.send(Notice::Problem(line));
    }

    /// Forgets which problem was shown last, so that it is shown if it comes again.
    pub(super) fn forget_problem(&mut self) {
        self.problem = None;
    }

    /// Shows which settings were refused, except those that the previous settings already had. All
    /// are one message, because an editor may show only the last one.
    pub(super) fn report_refused(&mut self, mut lines: Vec<String>, suitability: &Suitability) {
        /// Maximum number of settings in a message; users do not read more.
        const MOST: usize = 8;

        if lines.len() > MOST {
            let more = lines.split_off(MOST - 1).len();
            lines.push(format!("{more} more settings cannot be used"));
        }
        let mut new = Vec::new();
        for line in &lines {
            tracing::error!(line, "setting refused");
            if !self.refused.contains(line) {
                new.push(line.as_str());
            }
        }
        if !new.is_empty() {
            let is_rule = |line: &&str| PRIVACY.iter().any(|setting| line.contains(setting));
            let closed = if !suitability.is_closed() {
                "; every other setting holds"
            } else if new.iter().any(is_rule) {
                "; there are no suggestions until every rule can be read"
            } else {
                ""
            };
            self.report_again(format!("{}{closed}", new.join("; ")));
        }
        self.refused = lines;
    }

    fn send(&self, notice: Notice) {
        // The receiver is gone only when the server is ending.
        let _ = self.outbox.send(notice);
    }
}
