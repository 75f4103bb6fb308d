//! The engine on the virtual clock: what is computed when, by the real scheduling function.
//!
//! A pass takes `fixed + row × tokens`, as `tabahead bench` measures it; everything else takes no
//! time. As on the real engine, one pass runs at a time and [`schedule`] chooses it. A pass is left
//! between two layers when more urgent work comes, and resumed later. A token that is already known
//! is not computed. The model's answers come from [`Answers`].

use std::{num::NonZeroUsize, time::Duration};

use tabahead_backend::schedule::{Candidate, Costs, precedence, schedule};
use tabahead_context::{GenerationEvent, GenerationId, GenerationRequest, Goal, Priority, TokenId};
use tabahead_speculation::Timestamp;

use super::known::{KnownTokens, PrefixNode};
use crate::{
    answers::{Answers, NextToken, StateKey},
    fresh::event_of,
};

/// Costs and size of the virtual engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineCosts {
    /// Time that a pass takes.
    pub pass: Costs,
    /// Number of layers of the model; a pass can be left after each.
    pub layers: u32,
    /// Number of tokens whose keys and values fit.
    pub kv_tokens: NonZeroUsize,
}

impl Default for EngineCosts {
    /// Returns the costs of the built-in model when it had four layers (v1), with 256 MiB of keys
    /// and values, as `tabahead bench` measured it on a 2-core Linux x86-64 virtual machine. They
    /// stay the same so that later figures can be compared with earlier ones.
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

/// Work that the engine has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Number of prompt tokens, and of tokens that probably spell the text that must be spelled.
    pub prefilled: u64,
    /// Number of tokens decoded one by one.
    pub decoded: u64,
    /// Time that the work took.
    pub busy: Duration,
}

/// The virtual engine.
pub(super) struct VirtualEngine {
    costs: EngineCosts,
    known: KnownTokens,
    generations: Vec<VirtualGeneration>,
    pass: Option<VirtualPass>,
    left: Vec<VirtualPass>,
    next_rank: u64,
    /// Work done while a request waited for it.
    urgent: Work,
    /// Work done before any request asked for it.
    ahead: Work,
}

/// A generation that is waiting or running.
struct VirtualGeneration {
    request: Box<GenerationRequest>,
    rank: u64,
    key: StateKey,
    /// Nodes of the prompt, then of the tokens so far.
    nodes: Vec<PrefixNode>,
    /// Place of the next token, counted from the stable boundary.
    place: usize,
    /// Tokens of the text that must be spelled, cut where the path leaves them.
    draft: Vec<TokenId>,
    /// Tokens that must be computed before the next token can be chosen.
    pending: Vec<(PrefixNode, TokenRole)>,
    /// Whether the last decoded token was computed only to choose the next one.
    charged: bool,
    /// Number of steps that lookahead still takes before the next token is known; `None` before the
    /// first step is planned.
    ahead: Option<u32>,
    /// Whether lookahead has already computed the next decoded token.
    spared: bool,
}

/// Role of a token in its generation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenRole {
    Prompt,
    /// The prompt's last token, whose logits are kept.
    Boundary,
    Draft,
    Decoded,
    /// A candidate for the next token, decoded to see how its line continues.
    Ahead,
}

/// A pass that is being computed, or was left.
struct VirtualPass {
    members: Vec<(GenerationId, usize)>,
    began: Timestamp,
    /// When the pass is finished or left.
    ends: Timestamp,
    /// Computing time that is left when the pass begins.
    remaining: Duration,
    /// Time per layer of the whole pass.
    layer: Duration,
    urgent: bool,
}

impl VirtualEngine {
    pub(super) fn new(costs: EngineCosts) -> Self {
        Self {
            known: KnownTokens::new(costs.kv_tokens),
            costs,
            generations: Vec::new(),
            pass: None,
            left: Vec::new(),
            next_rank: 0,
            urgent: Work::default(),
            ahead: Work::default(),
        }
    }

    /// Queues a generation; returns the events that need no computing.
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
        let mut node = PrefixNode::default();
        let mut follow = |token: &TokenId| {
            node = node.followed_by(*token);
            node
        };
        let mut nodes: Vec<PrefixNode> = beginning.prompt.iter().map(&mut follow).collect();
        nodes.extend(request.continued.iter().map(&mut follow));
        let known = self.known.known(&nodes);
        self.known.touch(&nodes[..known]);
        let mut generation = VirtualGeneration {
            place: request.continued.len(),
            draft: if request.continued.is_empty() {
                beginning.draft.clone()
            } else {
                Vec::new()
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
        generation.plan(known, beginning.prompt.len(), &self.known);
        let mut events = vec![GenerationEvent::Started {
            id,
            prompt_tokens: beginning.prompt.len(),
            continued: generation.place,
        }];
        self.generations.push(generation);
        self.choose(answers, &mut events);
        self.decide(now);
        events
    }

    pub(super) fn prioritize(&mut self, now: Timestamp, id: GenerationId, priority: Priority) {
        self.next_rank += 1;
        if let Some(generation) = self
            .generations
            .iter_mut()
            .find(|generation| generation.request.id == id)
        {
            generation.request.priority = priority;
            generation.rank = self.next_rank;
        }
        self.decide(now);
    }

    /// Stops a generation; returns whether it was running.
    pub(super) fn cancel(&mut self, now: Timestamp, id: GenerationId) -> bool {
        let Some(at) = self
            .generations
            .iter()
            .position(|generation| generation.request.id == id)
        else {
            return false;
        };
        let generation = self.generations.remove(at);
        self.retire(&generation);
        let generations = &self.generations;
        self.left.retain(|pass| pass.is_needed(generations));
        self.decide(now);
        true
    }

    /// Returns when the current pass ends, if there is one.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.pass.as_ref().map(|pass| pass.ends)
    }

    /// Ends the pass that is due at `now`; returns the resulting events.
    pub(super) fn advance(
        &mut self,
        now: Timestamp,
        answers: &mut Answers,
    ) -> Vec<GenerationEvent> {
        let mut events = Vec::new();
        let Some(mut pass) = self.pass.take_if(|pass| pass.ends <= now) else {
            return events;
        };
        let computed = pass.ends.0.saturating_sub(pass.began.0);
        if pass.urgent {
            self.urgent.busy += computed
        } else {
            self.ahead.busy += computed
        }
        pass.remaining = pass.remaining.saturating_sub(computed);
        if !pass.remaining.is_zero() {
            if pass.is_needed(&self.generations) {
                self.left.push(pass);
            }
        } else {
            self.land(&pass);
            self.choose(answers, &mut events);
        }
        self.decide(now);
        events
    }

    /// Returns the work done while a request waited for it.
    pub(super) fn urgent_work(&self) -> Work {
        self.urgent
    }

    /// Returns the work done before any request asked for it.
    pub(super) fn work_ahead(&self) -> Work {
        self.ahead
    }

    fn land(&mut self, pass: &VirtualPass) {
        for &(id, tokens) in &pass.members {
            let Some(generation) = self
                .generations
                .iter_mut()
                .find(|generation| generation.request.id == id)
            else {
                continue;
            };
            let work = match generation.request.priority {
                Priority::Foreground => &mut self.urgent,
                Priority::Speculative => &mut self.ahead,
            };
            for (node, role) in generation.pending.drain(..tokens) {
                match role {
                    TokenRole::Ahead => {}
                    TokenRole::Prompt | TokenRole::Decoded => self.known.add(node),
                    TokenRole::Boundary | TokenRole::Draft => self.known.add_with_logits(node),
                }
                match role {
                    TokenRole::Prompt | TokenRole::Boundary | TokenRole::Draft => {
                        work.prefilled += 1;
                    }
                    TokenRole::Decoded | TokenRole::Ahead => work.decoded += 1,
                }
            }
        }
    }

    /// Chooses tokens for all generations with nothing left to compute first.
    fn choose(&mut self, answers: &mut Answers, events: &mut Vec<GenerationEvent>) {
        let mut at = 0;
        while let Some(generation) = self.generations.get_mut(at) {
            let id = generation.request.id;
            let mut ended = generation.request.goal == Goal::Read && generation.pending.is_empty();
            if ended {
                events.push(GenerationEvent::Read { id });
            }
            while generation.pending.is_empty() && !ended {
                let token = answers.token_at(&generation.request, generation.key, generation.place);
                if generation.looks_ahead(answers.steps(generation.key, generation.place)) {
                    break;
                }
                match &token {
                    NextToken::Token(token, _) => generation.follow(token.id, &mut self.known),
                    NextToken::End(_) | NextToken::Broken(_) => ended = true,
                }
                events.push(event_of(id, token));
            }
            if ended {
                let generation = self.generations.remove(at);
                self.retire(&generation);
            } else {
                at += 1;
            }
        }
    }

    /// Keeps the tokens that a generation knows, for later prompts.
    fn retire(&mut self, generation: &VirtualGeneration) {
        let known = self.known.known(&generation.nodes);
        self.known.touch(&generation.nodes[..known]);
        if generation.pending.is_empty()
            && let Some(&last) = generation.nodes.last()
        {
            self.known.add_with_logits(last);
        }
    }

    /// Begins a pass, or makes the running one end early if more urgent work waits or nothing needs
    /// it.
    fn decide(&mut self, now: Timestamp) {
        let leader = self
            .generations
            .iter()
            .max_by_key(|generation| precedence(generation.request.priority, generation.rank));
        if let Some(pass) = &mut self.pass {
            let given_up = !pass.is_needed(&self.generations);
            let urgent =
                leader.filter(|generation| generation.request.priority == Priority::Foreground);
            match urgent {
                Some(leader) if !pass.has(leader.request.id) => pass.leave(now),
                Some(_) => {}
                None if given_up => pass.leave(now),
                None => {}
            }
            return;
        }
        let Some(leader) = leader else { return };
        let urgent = leader.request.priority == Priority::Foreground;
        let id = leader.request.id;
        if let Some(at) = self.left.iter().position(|pass| pass.has(id)) {
            let pass = self.left.swap_remove(at);
            self.pass = Some(pass.resumed(now, urgent));
            return;
        }
        let waiting: Vec<&VirtualGeneration> = self
            .generations
            .iter()
            .filter(|generation| {
                self.left
                    .iter()
                    .all(|pass| !pass.has(generation.request.id))
            })
            .collect();
        let candidates: Vec<Candidate> = waiting
            .iter()
            .map(|generation| generation.candidate())
            .collect();
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
        self.pass = Some(VirtualPass {
            members,
            began: now,
            ends: Timestamp(now.0 + whole),
            remaining: whole,
            layer: whole / self.costs.layers.max(1),
            urgent,
        });
    }
}

impl VirtualGeneration {
    /// Sets what must be computed, given that the first `known` nodes are known already.
    fn plan(&mut self, known: usize, prompt: usize, tree: &KnownTokens) {
        let last = self.nodes.len() - 1;
        let known = if known > last && !tree.has_logits(self.nodes[last]) {
            last
        } else {
            known
        };
        self.pending = (known..=last)
            .map(|at| {
                let role = match at {
                    _ if at + 1 == prompt => TokenRole::Boundary,
                    _ if at < prompt => TokenRole::Prompt,
                    _ => TokenRole::Decoded,
                };
                (self.nodes[at], role)
            })
            .collect();
        self.charged = matches!(self.pending.last(), Some((_, TokenRole::Decoded)));
        if !self.pending.is_empty() {
            self.pend_draft(0, tree);
        }
    }

    /// Adds the rest of the draft, from token `from` on, to the pending tokens.
    fn pend_draft(&mut self, from: usize, tree: &KnownTokens) {
        let mut node = self.nodes.last().copied().unwrap_or_default();
        for &token in self.draft.iter().skip(from) {
            node = node.followed_by(token);
            if !tree.has_logits(node) {
                self.pending.push((node, TokenRole::Draft));
            }
        }
    }

    /// Reports whether choosing the next token takes another step; `steps` is the number of steps
    /// in all.
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
        // The node does not matter: this token is never asked for again.
        self.pending.push((PrefixNode::default(), TokenRole::Ahead));
        true
    }

    /// Appends the chosen token and plans what must be computed next.
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
            tree.add(node);
        } else if !tree.has_logits(node) {
            let role = if drafted {
                TokenRole::Draft
            } else {
                TokenRole::Decoded
            };
            self.charged = !drafted;
            self.pending.push((node, role));
            self.pend_draft(self.place, tree);
        }
    }

    fn candidate(&self) -> Candidate {
        let of_prompt = |(_, role): &(PrefixNode, TokenRole)| {
            matches!(role, TokenRole::Prompt | TokenRole::Boundary)
        };
        Candidate {
            priority: self.request.priority,
            rank: self.rank,
            missing: self.pending.len(),
            prefills: self.pending.first().is_some_and(of_prompt),
            alone: false,
        }
    }
}

impl VirtualPass {
    fn has(&self, id: GenerationId) -> bool {
        self.members.iter().any(|(member, _)| *member == id)
    }

    fn is_needed(&self, generations: &[VirtualGeneration]) -> bool {
        generations
            .iter()
            .any(|generation| self.has(generation.request.id))
    }

    /// Ends the pass after the layer that is being computed.
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
