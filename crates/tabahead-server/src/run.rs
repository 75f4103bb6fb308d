//! Puts the parts together: the conversation with its front, the session, the parent.
//!
//! Nothing is decided here. When the lifeline ends, nothing more is read, the front goes, and with the
//! front the session; what is answered is written still.

use std::{
    io, panic,
    path::PathBuf,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use serde_json::Value;
use tabahead_backend::{Backend, LocalBackend};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use crate::{
    folders::Folders,
    lifeline::Lifeline,
    lsp::{Front, converse},
    recorder::Recorder,
    session::{Launch, SessionConfig, SessionLoop},
};

/// What a server is made of.
pub struct ServerConfig {
    /// The weights that the model `mini` stands for.
    pub embedded: &'static [u8],
    /// What a relative path of a model and `~` count from.
    pub folders: Folders,
    /// Settings from the file, below the editor's; `Value::Null` for none.
    pub file: Value,
    /// Settings from the command line, above the editor's; `Value::Null` for none.
    pub flags: Value,
    /// Where the figures are left for `tabahead stats`; `None` leaves none.
    pub stats_dir: Option<PathBuf>,
    /// The program's version, for the editor.
    pub version: &'static str,
    /// Who writes down what happens to documents; `None` for nobody.
    pub recorder: Option<Box<dyn Recorder>>,
}

/// How long a client may take to read the last answers.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves an editor on standard input and output until it says `exit`, goes away or dies; returns
/// the exit code. The caller must then end the process: a thread may still be reading input.
///
/// # Errors
/// When the threads of the server cannot be started.
pub fn run_stdio(config: ServerConfig) -> io::Result<i32> {
    keep_text_out_of_panics();
    threads_can_be_started()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let launch: Launch = Box::new(|settings, sink| -> Arc<dyn Backend> {
        Arc::new(LocalBackend::new(settings.clone(), sink))
    });
    let served = serve(config, launch, tokio::io::stdin(), tokio::io::stdout());
    let code = runtime.block_on(served);
    runtime.shutdown_background();
    Ok(code)
}

/// Starts as many threads as the server has at least, and ends them. The runtime panics where it can start none.
fn threads_can_be_started() -> io::Result<()> {
    // Two for tasks, two for the streams, one for files, one for the engine.
    const THREADS: usize = 6;
    let barrier = Arc::new(Barrier::new(THREADS + 1));
    for _ in 0..THREADS {
        let barrier = Arc::clone(&barrier);
        let started = thread::Builder::new().spawn(move || barrier.wait());
        // Those that wait end with the process.
        started.map_err(|error| io::Error::new(error.kind(), format!("no thread: {error}")))?;
    }
    barrier.wait();
    Ok(())
}

/// Serves an editor on any two streams.
pub(crate) async fn serve(
    config: ServerConfig,
    launch: Launch,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> i32 {
    let lifeline = Arc::new(Lifeline::new());
    let greeted = CancellationToken::new();
    let (session_inbox, inbox) = mpsc::unbounded_channel();
    let (notices, outbox) = mpsc::unbounded_channel();
    let version = config.version;
    let session = SessionLoop::new(
        SessionConfig {
            embedded: config.embedded,
            folders: config.folders,
            file: config.file,
            flags: config.flags,
            stats_dir: config.stats_dir,
            version,
            launch,
            recorder: config.recorder,
        },
        inbox,
        notices,
    );
    let session = tokio::spawn(session.run());

    let front = Front::new(
        version,
        session_inbox,
        Arc::clone(&lifeline),
        greeted.clone(),
    );
    let served = converse(input, output, front, outbox, greeted, &lifeline);
    let cut_off = async {
        lifeline.ended().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        () = served => {}
        () = cut_off => tracing::warn!("the editor does not read its last answers"),
        // Ends the lifeline and then waits for the others to follow.
        () = async { lifeline.watch_parent().await; std::future::pending().await } => {}
    }
    if let Err(error) = session.await {
        tracing::error!(panicked = error.is_panic(), "the session ended early");
    }
    lifeline.code()
}

/// The text of an [`EnvFilter`] for what a user asks to be logged: levels, and targets with levels, between commas. Our
/// own events only, because others put what they read into theirs, and so the user's text.
///
/// # Errors
/// One line when another program part is named.
///
/// [`EnvFilter`]: https://docs.rs/tracing-subscriber
pub fn log_directives(asked: &str) -> Result<String, String> {
    let mut directives = vec!["off".to_owned()];
    for directive in asked
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let is_level = |word: &str| {
            ["off", "error", "warn", "info", "debug", "trace"]
                .contains(&word.to_ascii_lowercase().as_str())
                || matches!(word, "0" | "1" | "2" | "3" | "4" | "5")
        };
        if is_level(directive) {
            directives.push(format!("tabahead={directive}"));
        } else if directive.starts_with("tabahead") {
            directives.push(directive.to_owned());
        } else {
            return Err(format!(
                "'{directive}' is not a log level; write error, warn, info, debug or trace, or one of these behind \
                 'tabahead_server=' or another part of tabahead"
            ));
        }
    }
    Ok(directives.join(","))
}

/// A panic's message may quote a buffer (`byte index 3 is not a char boundary; it is inside …`), so
/// only its place is told.
fn keep_text_out_of_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let place = place.as_deref().unwrap_or("an unknown place");
        tracing::error!(place, "panicked");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_our_own_events_can_be_asked_for() {
        for (asked, directives) in [
            ("warn", "off,tabahead=warn"),
            ("TRACE", "off,tabahead=TRACE"),
            ("5", "off,tabahead=5"),
            ("", "off"),
            (
                "info, tabahead_server=trace",
                "off,tabahead=info,tabahead_server=trace",
            ),
            ("tabahead[request]=trace", "off,tabahead[request]=trace"),
        ] {
            assert_eq!(log_directives(asked).as_deref(), Ok(directives));
        }
        for asked in [
            "tower_lsp::codec=trace",
            "tower_lsp",
            "info,tower_lsp=trace",
            "[request]=trace",
            "[{text}]=trace",
            "tokio=trace",
            "a=b=c",
            "verbose",
        ] {
            let line = log_directives(asked).expect_err("it is refused");
            assert!(line.contains("not a log level"), "{line}");
        }
    }
}
