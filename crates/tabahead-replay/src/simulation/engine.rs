//! The engine on the virtual clock: what is computed when, by the real scheduling function.
//!
//! A pass takes `fixed + row × tokens`, as `tabahead bench` measures it; everything else takes no time.
//! As on the real engine, one pass runs at a time, it is chosen by [`schedule`], it is left between two
//! layers when somebody more urgent comes and taken up again later, and a token that is already known
//! is not computed. What the model says comes from [`Answers`].

use std::{num::NonZeroUsize, time::Duration};

use tabahead_backend::schedule::{Candidate, Costs, precedence, schedule};
use tabahead_context::{GenerationEvent, GenerationId, GenerationRequest, Goal, Priority, TokenId};
use tabahead_speculation::Timestamp;

use super::known::{KnownTokens, Node};
use crate::{
    answers::{Answers, Said, StateKey},
    fresh::event_of,
};

/// What the virtual engine is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineCosts {
    /// What a pass takes.
    pub pass: Costs,
    /// Layers of the model: places where a pass can be left.
    pub layers: u32,
    /// Tokens whose keys and values fit.
    pub kv_tokens: NonZeroUsize,
}

impl Default for EngineCosts {
    /// The built-in model when it had four layers (v1), with 256 MiB of keys and values, as `tabahead bench`
    /// measured it on a 2-core Linux x86-64 virtual machine: later figures can be compared with earlier ones.
    fn default() -> Self {
        Self {
            pass: Costs {
                fixed: 0.28e-3,
                row: 0.030e-3,
            },
            layers: 4,
            kv_tokens: NonZeroUsize::new((256 << 20) / 2048).expect("not zero"),
        }
    }
}

/// What was computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Tokens of prompts, and those that probably spell what must be spelled.
    pub prefilled: u64,
    /// Tokens that were decoded one by one.
    pub decoded: u64,
    /// How long that took.
    pub busy: Duration,
}

/// The engine.
pub(super) struct Engine {
    costs: EngineCosts,
    known: KnownTokens,
    live: Vec<Live>,
    flight: Option<Flight>,
    left: Vec<Flight>,
    next_rank: u64,
    /// While somebody waited.
    urgent: Work,
    /// Before anybody asked.
    ahead: Work,
}

/// A generation that waits or runs.
struct Live {
    request: Box<GenerationRequest>,
    rank: u64,
    key: StateKey,
    /// Prompt, then the tokens so far.
    nodes: Vec<Node>,
    /// Place of the next token, counted from the stable boundary.
    place: usize,
    /// The tokens of what must be spelled, and how many of them are in `nodes` or pending.
    draft: Vec<TokenId>,
    /// What must be computed before the next token can be chosen.
    pending: Vec<(Node, Kind)>,
    /// Whether the last token decoded was computed for the next one alone.
    charged: bool,
    /// Steps that looking ahead still takes before the next token is known; `None` before that is asked.
    ahead: Option<u32>,
    /// Looking ahead has computed the next token decoded.
    spared: bool,
}

/// What a token is to its generation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prompt,
    /// The prompt's last one: what follows it is kept.
    Boundary,
    Draft,
    Decoded,
    /// A token that may come next, decoded to see how its line goes on.
    Ahead,
}

/// A pass that is computed.
struct Flight {
    members: Vec<(GenerationId, usize)>,
    began: Timestamp,
    /// When it is computed, or left.
    ends: Timestamp,
    /// What is still to be computed when it begins.
    remaining: Duration,
    /// Of the whole pass.
    layer: Duration,
    urgent: bool,
}

impl Engine {
    pub(super) fn new(costs: EngineCosts) -> Self {
        Self {
            known: KnownTokens::new(costs.kv_tokens),
            costs,
            live: Vec::new(),
            flight: None,
            left: Vec::new(),
            next_rank: 0,
            urgent: Work::default(),
            ahead: Work::default(),
        }
    }

    /// Queues a generation; what can be said of it without computing is said at once.
    pub(super) fn start(
        &mut self,
        now: Timestamp,
        request: GenerationRequest,
        answers: &mut Answers,
    ) -> Vec<GenerationEvent> {
        let id = request.id;
        let (key, beginning) = match answers.begin(&request) {
            Ok(begun) => begun,
            Err(failure) => return vec![GenerationEvent::Failed { id, failure }],
        };
        self.next_rank += 1;
        let mut node = Node::default();
        let mut follow = |token: &TokenId| {
            node = node.followed_by(*token);
            node
        };
        let mut nodes: Vec<Node> = beginning.prompt.iter().map(&mut follow).collect();
        nodes.extend(request.continued.iter().map(&mut follow));
        let known = self.known.known(&nodes);
        self.known.touch(&nodes[..known]);
        let mut live = Live {
            place: request.continued.len(),
            draft: match request.continued.is_empty() {
                true => beginning.draft.clone(),
                false => Vec::new(),
            },
            rank: self.next_rank,
            key,
            pending: Vec::new(),
            charged: false,
            ahead: None,
            spared: false,
            nodes,
            request: Box::new(request),
        };
        live.plan(known, beginning.prompt.len(), &self.known);
        let mut events = vec![GenerationEvent::Started {
            id,
            prompt_tokens: beginning.prompt.len(),
            continued: live.place,
        }];
        self.live.push(live);
        self.choose(answers, &mut events);
        self.decide(now);
        events
    }

    pub(super) fn prioritize(&mut self, now: Timestamp, id: GenerationId, priority: Priority) {
        self.next_rank += 1;
        if let Some(live) = self.live.iter_mut().find(|live| live.request.id == id) {
            live.request.priority = priority;
            live.rank = self.next_rank;
        }
        self.decide(now);
    }

    /// Stops a generation; tells whether it was running.
    pub(super) fn cancel(&mut self, now: Timestamp, id: GenerationId) -> bool {
        let Some(at) = self.live.iter().position(|live| live.request.id == id) else {
            return false;
        };
        let live = self.live.remove(at);
        self.retire(&live);
        let live = &self.live;
        self.left.retain(|flight| flight.is_needed(live));
        self.decide(now);
        true
    }

    /// When something happens next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.flight.as_ref().map(|flight| flight.ends)
    }

    /// The pass ends that ends now.
    pub(super) fn advance(
        &mut self,
        now: Timestamp,
        answers: &mut Answers,
    ) -> Vec<GenerationEvent> {
        let mut events = Vec::new();
        let Some(mut flight) = self.flight.take_if(|flight| flight.ends <= now) else {
            return events;
        };
        let computed = flight.ends.0.saturating_sub(flight.began.0);
        match flight.urgent {
            true => self.urgent.busy += computed,
            false => self.ahead.busy += computed,
        }
        flight.remaining = flight.remaining.saturating_sub(computed);
        if !flight.remaining.is_zero() {
            if flight.is_needed(&self.live) {
                self.left.push(flight);
            }
        } else {
            self.land(&flight);
            self.choose(answers, &mut events);
        }
        self.decide(now);
        events
    }

    /// What was computed while somebody waited for it.
    pub(super) fn urgent_work(&self) -> Work {
        self.urgent
    }

    /// What was computed before anybody asked for it.
    pub(super) fn work_ahead(&self) -> Work {
        self.ahead
    }

    fn land(&mut self, flight: &Flight) {
        for &(id, tokens) in &flight.members {
            let Some(live) = self.live.iter_mut().find(|live| live.request.id == id) else {
                continue;
            };
            let work = match live.request.priority {
                Priority::Foreground => &mut self.urgent,
                Priority::Speculative => &mut self.ahead,
            };
            for (node, kind) in live.pending.drain(..tokens) {
                if kind != Kind::Ahead {
                    self.known
                        .add(node, matches!(kind, Kind::Boundary | Kind::Draft));
                }
                match kind {
                    Kind::Prompt | Kind::Boundary | Kind::Draft => work.prefilled += 1,
                    Kind::Decoded | Kind::Ahead => work.decoded += 1,
                }
            }
        }
    }

    /// Chooses tokens wherever nothing must be computed first.
    fn choose(&mut self, answers: &mut Answers, events: &mut Vec<GenerationEvent>) {
        let mut at = 0;
        while let Some(live) = self.live.get_mut(at) {
            let id = live.request.id;
            let mut ended = live.request.goal == Goal::Read && live.pending.is_empty();
            if ended {
                events.push(GenerationEvent::Read { id });
            }
            while live.pending.is_empty() && !ended {
                let said = answers.said(&live.request, live.key, live.place);
                if live.looks_ahead(answers.steps(live.key, live.place)) {
                    break;
                }
                match &said {
                    Said::Token(token, _) => live.follow(token.id, &mut self.known),
                    Said::End(_) | Said::Broken(_) => ended = true,
                }
                events.push(event_of(id, said));
            }
            if ended {
                let live = self.live.remove(at);
                self.retire(&live);
            } else {
                at += 1;
            }
        }
    }

    /// Keeps what a generation knows for later prompts.
    fn retire(&mut self, live: &Live) {
        let known = self.known.known(&live.nodes);
        self.known.touch(&live.nodes[..known]);
        if live.pending.is_empty()
            && let Some(&last) = live.nodes.last()
        {
            self.known.add(last, true);
        }
    }

    /// Begins a pass, or asks the one that runs to make room.
    fn decide(&mut self, now: Timestamp) {
        let leader = self
            .live
            .iter()
            .max_by_key(|live| precedence(live.request.priority, live.rank));
        if let Some(flight) = &mut self.flight {
            let given_up = !flight.is_needed(&self.live);
            let urgent = leader.filter(|live| live.request.priority == Priority::Foreground);
            match urgent {
                Some(leader) if !flight.has(leader.request.id) => flight.leave(now),
                Some(_) => {}
                None if given_up => flight.leave(now),
                None => {}
            }
            return;
        }
        let Some(leader) = leader else { return };
        let urgent = leader.request.priority == Priority::Foreground;
        let id = leader.request.id;
        if let Some(at) = self.left.iter().position(|flight| flight.has(id)) {
            let flight = self.left.swap_remove(at);
            self.flight = Some(flight.resumed(now, urgent));
            return;
        }
        let waiting: Vec<&Live> = self
            .live
            .iter()
            .filter(|live| self.left.iter().all(|flight| !flight.has(live.request.id)))
            .collect();
        let candidates: Vec<Candidate> = waiting.iter().map(|live| live.candidate()).collect();
        let parts = schedule(&candidates, self.costs.pass);
        let members: Vec<_> = parts
            .iter()
            .map(|part| (waiting[part.candidate].request.id, part.tokens))
            .collect();
        if members.is_empty() {
            return;
        }
        let rows: usize = parts.iter().map(|part| part.tokens).sum();
        let Costs { fixed, row } = self.costs.pass;
        let whole = Duration::from_secs_f64(fixed + row * rows as f64).max(Duration::from_nanos(1));
        self.flight = Some(Flight {
            members,
            began: now,
            ends: Timestamp(now.0 + whole),
            remaining: whole,
            layer: whole / self.costs.layers.max(1),
            urgent,
        });
    }
}

impl Live {
    /// Sets what must be computed when `known` of the nodes are known already.
    fn plan(&mut self, known: usize, prompt: usize, tree: &KnownTokens) {
        let last = self.nodes.len() - 1;
        let known = match known > last && !tree.has_logits(self.nodes[last]) {
            true => last,
            false => known,
        };
        self.pending = (known..=last)
            .map(|at| {
                let kind = match at {
                    _ if at + 1 == prompt => Kind::Boundary,
                    _ if at < prompt => Kind::Prompt,
                    _ => Kind::Decoded,
                };
                (self.nodes[at], kind)
            })
            .collect();
        self.charged = matches!(self.pending.last(), Some((_, Kind::Decoded)));
        if !self.pending.is_empty() {
            self.pend_draft(0, tree);
        }
    }

    /// The rest of the draft is computed together with what is pending.
    fn pend_draft(&mut self, from: usize, tree: &KnownTokens) {
        let mut node = self.nodes.last().copied().unwrap_or_default();
        for &token in self.draft.iter().skip(from) {
            node = node.followed_by(token);
            if !tree.has_logits(node) {
                self.pending.push((node, Kind::Draft));
            }
        }
    }

    /// Whether the next token takes another step, of so many in all, to be chosen.
    fn looks_ahead(&mut self, steps: Option<u32>) -> bool {
        let left = self.ahead.get_or_insert_with(|| {
            self.spared = self.charged && steps == Some(0);
            let charged = u32::from(self.charged);
            steps.unwrap_or(charged).saturating_sub(charged)
        });
        if *left == 0 {
            (self.ahead, self.charged) = (None, false);
            return false;
        }
        *left -= 1;
        // Whichever it is: nobody asks for it again.
        self.pending.push((Node::default(), Kind::Ahead));
        true
    }

    /// The next token was chosen.
    fn follow(&mut self, token: TokenId, tree: &mut KnownTokens) {
        let last = self.nodes.last().copied().unwrap_or_default();
        let node = last.followed_by(token);
        let drafted = self.draft.get(self.place) == Some(&token);
        if !drafted {
            self.draft.truncate(self.place.min(self.draft.len()));
        }
        self.nodes.push(node);
        self.place += 1;
        if std::mem::take(&mut self.spared) {
            tree.add(node, false);
        } else if !tree.has_logits(node) {
            let kind = match drafted {
                true => Kind::Draft,
                false => Kind::Decoded,
            };
            self.charged = !drafted;
            self.pending.push((node, kind));
            self.pend_draft(self.place, tree);
        }
    }

    fn candidate(&self) -> Candidate {
        let of_prompt = |(_, kind): &(Node, Kind)| matches!(kind, Kind::Prompt | Kind::Boundary);
        Candidate {
            priority: self.request.priority,
            rank: self.rank,
            missing: self.pending.len(),
            prefills: self.pending.first().is_some_and(of_prompt),
            alone: false,
        }
    }
}

impl Flight {
    fn has(&self, id: GenerationId) -> bool {
        self.members.iter().any(|(member, _)| *member == id)
    }

    fn is_needed(&self, live: &[Live]) -> bool {
        live.iter().any(|live| self.has(live.request.id))
    }

    /// Ends behind the layer that is computed now.
    fn leave(&mut self, now: Timestamp) {
        let computed = now.0.saturating_sub(self.began.0).as_nanos();
        let layer = self.layer.as_nanos().max(1);
        let layers = computed.div_ceil(layer) as u64;
        let boundary = self.began.0 + Duration::from_nanos(layers * layer as u64);
        self.ends = self.ends.min(Timestamp(boundary));
    }

    fn resumed(self, now: Timestamp, urgent: bool) -> Self {
        Self {
            began: now,
            ends: Timestamp(now.0 + self.remaining),
            urgent,
            ..self
        }
    }
}
