//! The laws, over random input sequences: one response per request; a response only for the text
//! asked about; after a cancel no effect names the generation; in-flight at most the limit; the key
//! after edits is the key of the text; every answer is the one that a fresh process gives.
//!
//! `world.rs` checks them at every effect. This file decides how many runs there are, and checks
//! that every kind of event was met often enough and that breaking a rule on purpose is detected.

use crate::{
    engine::Fault,
    world::{Counts, World, acts::KINDS},
};

const INPUTS: usize = 400;

/// Returns the number of runs of `INPUTS` random inputs each.
fn runs() -> u64 {
    // `cargo xtask test --thorough` sets it.
    match std::env::var_os("TABAHEAD_THOROUGH") {
        Some(_) => 2_500,
        None => 250,
    }
}

#[test]
fn every_answer_is_the_fresh_answer_whatever_the_inputs() {
    let mut counts = Counts::default();
    for seed in 0..runs() {
        let mut world = World::new(seed, Fault::None);
        if let Err(violation) = world.run(INPUTS) {
            panic!("seed {seed}, {:?}: {violation}", world.settings);
        }
        counts.add(&world.counts);
    }
    println!("{counts:#?}");
    let often = [
        ("joins", counts.joins),
        ("exact hits", counts.exact),
        ("typed-through hits", counts.typed_through),
        ("speculated hits", counts.speculated),
        ("misses", counts.misses),
        ("evictions", counts.evictions),
        ("cancels", counts.cancels),
        ("multi-byte edits", counts.multi_byte_edits),
        ("prompts too long", counts.too_long),
        ("superseded requests", counts.superseded),
        ("alternatives", counts.alternatives),
    ];
    let kinds = KINDS.iter().map(|(kind, _)| {
        let met = counts.met.get(kind).copied();
        (*kind, met.unwrap_or_default())
    });
    for (what, count) in often.into_iter().chain(kinds) {
        assert!(count >= 800, "only {count} times {what}");
    }
    // A read-ahead needs the cursor to rest, and most inputs come in quick succession.
    assert!(counts.reads >= 200, "{} prompts read ahead", counts.reads);
    let taken_over = counts.taken_over;
    assert!(
        taken_over >= 10,
        "{taken_over} prompts that a request continued to read"
    );
}

/// Checks that an engine with this fault violates the law within its runs.
#[track_caller]
fn check_is_found(fault: Fault) {
    let violation = (0..runs()).find_map(|seed| World::new(seed, fault).run(INPUTS).err());
    let violation = violation.expect("the fault breaks a law");
    println!("{fault:?}: {violation}");
    assert!(violation.starts_with("not the fresh answer"), "{violation}");
}

#[test]
fn tokens_wrongly_called_canonical_break_the_law() {
    check_is_found(Fault::ForgetsCanonical);
}

#[test]
fn a_stop_masked_elsewhere_than_at_the_cursor_breaks_the_law() {
    check_is_found(Fault::MasksStopAfterCursor);
}

#[test]
fn a_prompt_that_is_not_healed_breaks_the_law() {
    check_is_found(Fault::SkipsHealing);
}
