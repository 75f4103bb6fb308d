//! When the server ends, and with which exit code.
//!
//! Three things end it: `exit`, the end of standard input, and the death of the process that
//! `initialize` named as the parent. The first of them decides the code.

use std::sync::OnceLock;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Ends the server once; shared by everything that may end it and everything that must stop then.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    ended: CancellationToken,
    code: OnceLock<i32>,
    parent: watch::Sender<Option<u32>>,
}

impl Lifecycle {
    pub(crate) fn new() -> Self {
        Self {
            ended: CancellationToken::new(),
            code: OnceLock::new(),
            parent: watch::Sender::new(None),
        }
    }

    /// Ends the server with exit code `code`; later calls have no effect.
    pub(crate) fn end(&self, code: i32) {
        self.code.get_or_init(|| code);
        self.ended.cancel();
    }

    /// Returns whether the server has been ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits until the server is ended.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Returns the exit code; 1 if none was set.
    pub(crate) fn code(&self) -> i32 {
        self.code.get().copied().unwrap_or(1)
    }

    /// Sets the process whose death ends the server. A process that is not visible from here, such
    /// as an editor outside our container, is not watched.
    pub(crate) fn set_parent(&self, pid: u32) {
        if process_runs(pid) {
            self.parent.send_replace(Some(pid));
        }
    }

    /// Ends the server when the parent is gone. Returns only then, or when the server ends
    /// otherwise.
    pub(crate) async fn watch_parent(&self) {
        let mut parent = self.parent.subscribe();
        let gone = async {
            let Ok(pid) = parent.wait_for(Option::is_some).await.map(|pid| *pid) else {
                return std::future::pending().await;
            };
            match pid {
                Some(pid) => death(pid).await,
                None => std::future::pending().await,
            }
            tracing::info!("the editor is gone");
            self.end(1);
        };
        tokio::select! {
            () = gone => {}
            () = self.ended() => {}
        }
    }
}

/// Returns whether a process runs. A zombie does not: only its exit code has not been collected
/// yet.
#[cfg(target_os = "linux")]
pub(crate) fn process_runs(pid: u32) -> bool {
    // The state follows the name, which is in parentheses and may itself contain parentheses.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        !matches!(state, Some('Z' | 'X') | None)
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn process_runs(_pid: u32) -> bool {
    true
}

/// Waits until a process has ended, without polling: the kernel reports it.
#[cfg(target_os = "linux")]
async fn death(pid: u32) {
    use rustix::{
        event::{PollFd, PollFlags, poll},
        process::{Pid, PidfdFlags, pidfd_open},
    };

    let process = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let (dead, death) = tokio::sync::oneshot::channel();
    if let Some(process) = process {
        // A dedicated thread that sleeps in `poll`: shutting down the runtime would wait for one of
        // its own threads.
        let watch = move || {
            let mut process = [PollFd::new(&process, PollFlags::IN)];
            while poll(&mut process, None).is_err_and(|error| error == rustix::io::Errno::INTR) {}
            let _ = dead.send(());
        };
        let name = "tabahead-parent".to_owned();
        if std::thread::Builder::new().name(name).spawn(watch).is_ok() && death.await.is_ok() {
            return;
        }
    }
    if process_runs(pid) {
        // Kernels before 5.3 have no pidfd; there the end of standard input ends the server.
        std::future::pending().await
    }
}

/// On other systems the end of standard input ends the server.
#[cfg(not(target_os = "linux"))]
async fn death(_pid: u32) {
    std::future::pending().await
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_until_it_has_ended_and_a_zombie_does_not() {
        assert!(process_runs(std::process::id()));
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("cat is everywhere");
        assert!(process_runs(child.id()));
        // `cat` closes its output as it ends, and is then a zombie until it is waited for.
        drop(child.stdin.take());
        let mut output = String::new();
        let mut stdout = child.stdout.take().expect("piped");
        std::io::Read::read_to_string(&mut stdout, &mut output).expect("readable");
        while process_runs(child.id()) {
            std::thread::yield_now();
        }
        child.wait().expect("it was ours");
        assert!(!process_runs(child.id()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_death_of_the_parent_ends_the_server() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("cat is everywhere");
        let lifecycle = Lifecycle::new();
        lifecycle.set_parent(child.id());
        child.kill().expect("it is ours");
        child.wait().expect("it was ours");
        lifecycle.watch_parent().await;
        lifecycle.ended().await;
        assert_eq!(lifecycle.code(), 1);
    }

    #[tokio::test]
    async fn a_parent_that_cannot_be_seen_is_not_watched() {
        let lifecycle = Lifecycle::new();
        lifecycle.set_parent(4_194_999);
        lifecycle.end(0);
        lifecycle.watch_parent().await;
        assert_eq!(lifecycle.code(), 0);
    }
}
