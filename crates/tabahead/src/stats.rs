//! `tabahead stats`: shows what the user's running servers have answered, and how fast.
//!
//! Reads the figures that servers leave; contacts no server and changes nothing.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;
use console::style;
use serde_json::{Value, json};
use tabahead_server::{default_stats_dir, running_stats};

use crate::{args::StatsArgs, output};

/// Runs the command.
///
/// # Errors
/// When standard output is closed.
pub fn run(args: &StatsArgs) -> Result<ExitCode> {
    let servers = default_stats_dir().map_or_else(Vec::new, |folder| running_stats(&folder));
    if args.json {
        let servers: Vec<&Value> = servers.iter().map(|(_, figures)| figures).collect();
        output::json(&json!({"servers": servers}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = output::stdout();
    if servers.is_empty() {
        writeln!(
            out,
            "No server runs. An editor starts one with `tabahead lsp`; see `tabahead doctor`."
        )?;
    }
    for (pid, figures) in &servers {
        print(&mut out, *pid, figures)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl Write, pid: u32, figures: &Value) -> io::Result<()> {
    let count = |pointer: &str| {
        figures
            .pointer(pointer)
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let model = figures.pointer("/model/id").and_then(Value::as_str);
    writeln!(
        out,
        "{}  {}, {}, up {} s",
        style(format!("server {pid}")).bold(),
        output::plain(model.unwrap_or("no model yet")),
        output::counted(count("/documents"), "document", "documents"),
        count("/uptime_seconds")
    )?;
    let hit = |origin: &str| count(&format!("/hits/{origin}"));
    let known = hit("exact") + hit("typed_through") + hit("speculated");
    let all = known + hit("joined") + count("/misses");
    writeln!(
        out,
        "  {all} of {} answered, {} % at once: {} computed ahead, {} typed along, {} asked before",
        output::counted(count("/requests"), "request", "requests"),
        (100 * known + all / 2).checked_div(all).unwrap_or(0),
        hit("speculated"),
        hit("typed_through"),
        hit("exact"),
    )?;
    writeln!(
        out,
        "  of the others {} waited for the model, {} for what it was computing already",
        count("/misses"),
        hit("joined")
    )?;
    writeln!(
        out,
        "  not answered: {} replaced by a newer request, {} where nothing is suggested, {} failed",
        count("/superseded"),
        count("/silent"),
        count("/failed")
    )?;
    writeln!(
        out,
        "  computed ahead: {}, of which {} finished, {} were cancelled and {} used",
        output::counted(count("/speculations/started"), "suggestion", "suggestions"),
        count("/speculations/finished"),
        count("/speculations/cancelled"),
        count("/speculations/used")
    )?;
    writeln!(
        out,
        "  tokens: {} of {} of prompts computed, {} decoded, {} given by the text before the \
         cursor, {} computed in vain; {} a second",
        count("/tokens/prefilled"),
        count("/tokens/prompt"),
        count("/tokens/decoded"),
        count("/tokens/constrained"),
        count("/tokens/wasted"),
        count("/tokens/per_second")
    )?;
    for (origin, name) in [
        ("miss", "from the model"),
        ("joined", "in progress"),
        ("exact", "asked before"),
        ("typed_through", "typed along"),
        ("speculated", "computed ahead"),
    ] {
        let latency = |name: &str| {
            let figure = figures.pointer(&format!("/latency/{origin}/{name}"))?;
            figure.as_f64()
        };
        if let (Some(p50), Some(p99)) = (latency("p50_ms"), latency("p99_ms")) {
            writeln!(out, "  {name:<14} median {p50:>9.3} ms, p99 {p99:>9.3} ms")?;
        }
    }
    let saved = count("/saved_ms") as f64 / 1000.0;
    writeln!(out, "  waiting saved: {saved:.1} s")?;
    writeln!(
        out,
        "  memory: {} of answers, {} of keys and values",
        output::bytes(count("/cache/bytes")),
        output::bytes(count("/kv/bytes"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        let heads = [1, 2].map(|documents| {
            let mut out = Vec::new();
            let figures =
                json!({"documents": documents, "requests": documents, "misses": documents});
            print(&mut out, 7, &figures).expect("a vector takes everything");
            let out = console::strip_ansi_codes(&String::from_utf8_lossy(&out)).into_owned();
            let head: Vec<String> = out.lines().take(2).map(ToOwned::to_owned).collect();
            head.join("|")
        });
        assert_eq!(
            heads,
            [
                "server 7  no model yet, 1 document, up 0 s|  \
                 1 of 1 request answered, 0 % at once: 0 computed ahead, 0 typed along, 0 asked before",
                "server 7  no model yet, 2 documents, up 0 s|  \
                 2 of 2 requests answered, 0 % at once: 0 computed ahead, 0 typed along, 0 asked before",
            ]
        );
    }
}
