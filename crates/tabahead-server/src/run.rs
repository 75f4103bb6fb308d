//! Puts the parts together: the conversation with its front, the session, the parent watch.
//!
//! Nothing is decided here. When the lifecycle ends, nothing more is read, the front is dropped and
//! the session ends with it; answers that are ready are still written.

use std::{
    error::Error,
    fmt, io, panic,
    path::PathBuf,
    process,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use serde_json::Value;
use tabahead_backend::{Backend, LocalBackend};
use tabahead_session::{Folders, Launch, Recorder, SessionConfig, SessionLoop};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    lifecycle::Lifecycle,
    lsp::{Front, converse},
    stats::StatsFile,
};

/// Everything that a server is built from.
pub struct ServerConfig {
    /// Weights of the model that the setting calls `mini`.
    pub embedded: &'static [u8],
    /// Base folders of `~` and of a model's relative path.
    pub folders: Folders,
    /// Settings from the file, overridden by the editor's; `Value::Null` for none. An error says why
    /// the file cannot be read; then nothing is suggested.
    pub file: Result<Value, String>,
    /// Settings from the command line, overriding the editor's; `Value::Null` for none.
    pub flags: Value,
    /// Folder in which the figures are left for `tabahead stats`; `None` leaves none.
    pub stats_dir: Option<PathBuf>,
    /// Version of the program, reported to the editor.
    pub version: &'static str,
    /// Recorder of what happens to documents; `None` records nothing. An error says why nothing is
    /// recorded although the user asked for it; the editor shows it.
    pub recorder: Result<Option<Box<dyn Recorder>>, String>,
}

/// How long a client may take to read the last answers.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves an editor on standard input and output until it sends `exit`, closes the streams or dies;
/// returns the exit code. The caller must then end the process: a thread may still be reading
/// input.
///
/// # Errors
///
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

/// Starts as many threads as the server needs at least, and ends them. The runtime panics when it
/// cannot start a thread; this check returns an error instead.
fn threads_can_be_started() -> io::Result<()> {
    // Two for tasks, two for the streams, one for files, one for the engine.
    const THREADS: usize = 6;
    let barrier = Arc::new(Barrier::new(THREADS + 1));
    for _ in 0..THREADS {
        let barrier = Arc::clone(&barrier);
        let started = thread::Builder::new().spawn(move || barrier.wait());
        // Threads that already wait at the barrier end with the process.
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
    let lifecycle = Arc::new(Lifecycle::new());
    let greeted = CancellationToken::new();
    let (session_inbox, inbox) = mpsc::unbounded_channel();
    let (notices, outbox) = mpsc::unbounded_channel();
    let version = config.version;
    let (figures, writing) = config
        .stats_dir
        .map(|stats_dir| {
            let (figures, newest) = watch::channel(Value::Null);
            let writing = tokio::spawn(StatsFile::new(&stats_dir).keep_written(newest));
            (figures, writing)
        })
        .unzip();
    let session = SessionLoop::new(
        SessionConfig {
            embedded: config.embedded,
            folders: config.folders,
            file: config.file,
            flags: config.flags,
            figures,
            version,
            pid: process::id(),
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
        Arc::clone(&lifecycle),
        greeted.clone(),
    );
    let served = converse(input, output, front, outbox, greeted, &lifecycle);
    let cut_off = async {
        lifecycle.ended().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        () = served => {}
        () = cut_off => tracing::warn!("the editor does not read its last answers"),
        // Ends the lifecycle, and then leaves it to the other branches to return.
        () = async { lifecycle.watch_parent().await; std::future::pending().await } => {}
    }
    if let Err(error) = session.await {
        tracing::error!(panicked = error.is_panic(), "the session ended early");
    }
    // The session has dropped the figures' sender, and with it the reason for the file.
    if let Some(writing) = writing
        && let Err(error) = writing.await
    {
        tracing::warn!(%error, "figures were not taken away");
    }
    lifecycle.code()
}

/// Builds the text of an [`EnvFilter`] from what the user asked to log: levels, and targets with
/// levels, separated by commas. Allows our own events only: other crates log what they read, and so
/// the user's text.
///
/// # Errors
///
/// When another target than our own is named.
///
/// [`EnvFilter`]: https://docs.rs/tracing-subscriber
pub fn log_directives(asked: &str) -> Result<String, UnknownLogLevel> {
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
            return Err(UnknownLogLevel(directive.to_owned()));
        }
    }
    Ok(directives.join(","))
}

/// What the user asked to log, which is no level of a part of tabahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLogLevel(String);

impl fmt::Display for UnknownLogLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(asked) = self;
        write!(
            formatter,
            "'{asked}' is not a log level; write error, warn, info, debug or trace, or one of these after \
             'tabahead_server=' or another part of tabahead"
        )
    }
}

impl Error for UnknownLogLevel {}

/// Logs only the place of a panic: its message may quote a buffer (`byte index 3 is not a char
/// boundary; it is inside …`).
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
            assert_eq!(log_directives(asked), Ok(directives.to_owned()));
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
            let line = log_directives(asked)
                .expect_err("it is refused")
                .to_string();
            assert!(line.contains("not a log level"), "{line}");
        }
    }
}
