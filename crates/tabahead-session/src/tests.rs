//! Both kinds of session over a scripted backend, without any protocol.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tabahead_backend::{Backend, Script, ScriptedBackend};
use tabahead_context::{DocumentName, Layout, ModelProfile, Silence, State};
use tabahead_speculation::{Answer, DocumentId, Origin, RequestId, SuggestionId};
use tabahead_testkit::named;
use tabahead_text::{Document, Offset, Version};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot, watch,
    },
    time::Instant,
};

use crate::{
    EditorLayer, File, Folders, Location, Message, Notice, Session, SessionConfig, SessionLoop,
    Settings, StatusKind, SuggestionRequest, Trigger,
};

const DOCUMENT: DocumentId = DocumentId(1);

fn profile() -> ModelProfile {
    tabahead_testkit::profile("script", named(Layout::SuffixFirst), 100_000)
}

/// A running session, and what its editor's side holds.
struct Running {
    inbox: UnboundedSender<Message>,
    notices: UnboundedReceiver<Notice>,
    figures: watch::Receiver<Value>,
}

impl Running {
    /// Starts a session whose model always continues with `text`.
    fn start(text: &'static str) -> Self {
        Self::with_file(Ok(Value::Null), text)
    }

    /// Starts such a session with the settings of a file.
    fn with_file(file: Result<Value, String>, text: &'static str) -> Self {
        Self::with_backend(file, text, |_| {})
    }

    /// Starts such a session, and gives its backend to `launched`.
    fn with_backend(
        file: Result<Value, String>,
        text: &'static str,
        launched: impl Fn(Arc<ScriptedBackend>) + Send + 'static,
    ) -> Self {
        let (inbox, messages) = unbounded_channel();
        let (outbox, notices) = unbounded_channel();
        let (published, figures) = watch::channel(Value::Null);
        let config = SessionConfig {
            embedded: &[],
            folders: Folders::default(),
            file,
            flags: Value::Null,
            figures: Some(published),
            version: "0.0.0",
            pid: 7,
            launch: Box::new(move |_, sink| {
                let backend = ScriptedBackend::new(sink, |_| Script::Text(text.to_owned()));
                backend.load(Ok(profile()));
                let backend = Arc::new(backend);
                launched(Arc::clone(&backend));
                backend
            }),
            recorder: Ok(None),
        };
        tokio::spawn(SessionLoop::new(config, messages, outbox).run());
        Self {
            inbox,
            notices,
            figures,
        }
    }

    fn send(&self, message: Message) {
        self.inbox.send(message).expect("the session runs");
    }

    fn open(&self, path: &str, text: &str) {
        self.send(Message::Opened {
            document: DOCUMENT,
            file: File::new(Location::Disk, path, "rust"),
            snapshot: Document::new(text, Version(1)),
        });
    }

    async fn request(&self, text: &str) -> Answer {
        let (reply, answer) = oneshot::channel();
        let snapshot = Document::new(text, Version(1));
        let asked = SuggestionRequest {
            id: RequestId(1),
            document: DOCUMENT,
            cursor: Offset(snapshot.len()),
            snapshot,
            selected: None,
            trigger: Trigger::Automatic,
            came: Instant::now(),
        };
        self.send(Message::Requested { asked, reply });
        answer.await.expect("every request is answered")
    }

    async fn statuses(&mut self, count: usize) -> Vec<StatusKind> {
        let mut kinds = Vec::new();
        while kinds.len() < count {
            if let Some(Notice::Status(status)) = self.notices.recv().await {
                kinds.push(status.kind);
            }
        }
        kinds
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_needs_no_protocol() {
    let mut running = Running::start("f();\n");
    running.open("/w/a.rs", "let a = ");
    running.send(Message::Settings {
        layer: EditorLayer::Initial,
        value: json!({}),
    });
    let Answer::Suggestion { suggestion, .. } = running.request("let a = ").await else {
        panic!("something is shown");
    };
    assert_eq!(suggestion.text, "f();");
    assert_eq!(
        running.statuses(2).await,
        [StatusKind::Inactive, StatusKind::Normal]
    );
    let figures = running.figures.wait_for(|figures| figures["requests"] == 1);
    assert_eq!(figures.await.expect("published")["pid"], 7);
}

#[tokio::test(start_paused = true)]
async fn the_published_figures_show_the_end_of_a_generation_that_reports_none() {
    let (sender, launched) = std::sync::mpsc::channel();
    let mut running = Running::with_backend(Ok(Value::Null), "f();\n", move |backend| {
        backend.count_generations(1);
        sender.send(backend).expect("the test runs");
    });
    running.open("/w/a.rs", "let a = ");
    running.send(Message::Settings {
        layer: EditorLayer::Initial,
        value: json!({}),
    });
    running.request("let a = ").await;
    let mut published = async |count: u64| {
        let figures =
            (running.figures).wait_for(|figures| figures["generations"]["running"] == count);
        let waited = tokio::time::timeout(Duration::from_secs(60), figures).await;
        waited.expect("published").expect("the session runs");
    };
    published(1).await;
    let backend = launched.recv().expect("a backend was launched");
    backend.count_generations(0);
    published(0).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_rules_turn_off_reaches_no_model() {
    let running = Running::start("f();\n");
    running.send(Message::Settings {
        layer: EditorLayer::Initial,
        value: json!({}),
    });
    running.open("/w/.env", "A=");
    let silent = Answer::Silent {
        reason: Silence::Unsuitable,
        origin: None,
    };
    assert_eq!(running.request("A=").await, silent);
}

#[tokio::test(start_paused = true)]
async fn a_file_of_settings_that_cannot_be_read_turns_everything_off() {
    let why = "config.toml: line 2: no value after 'threads ='";
    let mut running = Running::with_file(Err(why.to_owned()), "f();\n");
    running.send(Message::Settings {
        layer: EditorLayer::Initial,
        value: json!({}),
    });
    running.open("/w/a.rs", "let a = ");
    let silent = Answer::Silent {
        reason: Silence::Unsuitable,
        origin: None,
    };
    assert_eq!(running.request("let a = ").await, silent);
    let problem = loop {
        if let Some(Notice::Problem(line)) = running.notices.recv().await {
            break line;
        }
    };
    assert_eq!(
        problem,
        format!("{why}; there are no suggestions until it is corrected and the server restarted")
    );
}

#[test]
fn everything_is_computed_ahead_once_a_session_in_this_process_has_settled() {
    let mut session = Session::new(Settings::default().speculator(), |sink| {
        let backend = ScriptedBackend::new(sink, |_| Script::Text("f();\ng();\n".to_owned()));
        backend.load(Ok(profile()));
        Box::new(backend) as Box<dyn Backend>
    })
    .expect("the model is ready");
    let state = State {
        document: Document::new("let a = ", Version(1)),
        cursor: Offset(8),
        name: DocumentName::new("a.rs", "rust"),
    };
    let Answer::Suggestion { id, suggestion, .. } = session.request(&state).answer else {
        panic!("something is shown");
    };
    assert_eq!((id, &*suggestion.text), (SuggestionId(1), "f();"));
    session.settle();
    assert_eq!(session.stats().running, 0);
    let prompts = session.counters();
    session.accepted(id);
    let next = session.request(&state.accepted(&suggestion)).answer;
    assert!(matches!(
        next.origin(),
        Some(Origin::Speculated | Origin::Exact)
    ));
    assert_eq!(session.counters(), prompts);
}
