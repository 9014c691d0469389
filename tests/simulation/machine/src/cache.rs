//! Cache lines: who holds each, who waits for it, and what an access therefore costs.
//!
//! # States of a line
//!
//! | state | holders | exclusive | a read by another core | a write by another core |
//! |---|---|---|---|---|
//! | in memory | none | | makes it exclusive | makes it exclusive |
//! | exclusive | one | yes | shared by both | exclusive with the other |
//! | shared | several | no | one more holder | exclusive with the writer |
//!
//! An access that finds the line as it needs it is a hit. Every other one is a transfer: they are served one after the
//! other, first come, first served; the line changes hands when the service starts, but who held it keeps it until the
//! request has reached it: for some part of the way, which differs from one to the next. If it was always the same part,
//! cores could go on in step for ever, each with as many operations as fit into it, and nobody would lose a race.

use crate::costs::Machine;
use crate::random::Random;
use std::collections::VecDeque;

/// What an access does to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    ReadModifyWrite,
}

/// A set of at most 256 cores.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cores([u64; Self::MOST / 64]);

impl Cores {
    pub(crate) const MOST: usize = 256;

    fn one(core: usize) -> Self {
        let mut cores = Self::default();
        cores.add(core);
        cores
    }

    fn add(&mut self, core: usize) {
        self.0[core / 64] |= 1 << (core % 64);
    }

    fn has(&self, core: usize) -> bool {
        self.0[core / 64] >> (core % 64) & 1 != 0
    }

    fn without(mut self, core: usize) -> Self {
        self.0[core / 64] &= !(1 << (core % 64));
        self
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(index, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                word &= word.checked_sub(1)?;
                Some(index * 64 + bit)
            })
        })
    }
}

/// Who holds a line, and whether one alone does and may write.
#[derive(Clone, Copy, Default)]
struct Holders {
    cores: Cores,
    exclusive: bool,
}

impl Holders {
    fn permit(&self, core: usize, kind: Kind) -> bool {
        self.cores.has(core) && (self.exclusive || kind == Kind::Read)
    }
}

#[derive(Clone, Default)]
struct Line {
    now: Holders,
    /// Who held the line before the transfer under way, and until when these do not know of it.
    before: Holders,
    before_until: u64,
    /// When the transfer under way is over.
    busy_until: u64,
    queue: VecDeque<(usize, Kind)>,
}

/// How many transfers there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transfers {
    pub(crate) all: u64,
    /// Of these, from another cluster.
    pub(crate) far: u64,
}

/// What becomes of an access.
pub(crate) enum Outcome {
    /// Done, at this cost.
    Hit(u64),
    /// Done at this time.
    Done(u64),
    /// Queued. If a time is given, [`Cache::serve`] has to be called then.
    Queued(Option<u64>),
}

/// All lines.
pub(crate) struct Cache {
    machine: Machine,
    lines: Vec<Line>,
    random: Random,
    pub(crate) transfers: Transfers,
}

impl Cache {
    /// One transfer takes up to so much of its time more or less than another, as a part: cores and slices of the cache
    /// are not all equally far from each other. It also keeps the cores out of step.
    const VARIATION: u64 = 8;

    pub(crate) fn new(machine: Machine, seed: u64) -> Self {
        Self { machine, lines: Vec::new(), random: Random::new(seed), transfers: Transfers::default() }
    }

    fn extra(&self, kind: Kind) -> u64 {
        if kind == Kind::ReadModifyWrite { self.machine.costs.read_modify_write } else { 0 }
    }

    /// An access by `core` to a line at the time `now`.
    pub(crate) fn access(&mut self, core: usize, line: usize, kind: Kind, now: u64) -> Outcome {
        if line >= self.lines.len() {
            self.lines.resize_with(line + 1, Line::default);
        }
        let extra = self.extra(kind);
        let state = &mut self.lines[line];
        let holders = if now < state.before_until { &state.before } else { &state.now };
        if holders.permit(core, kind) {
            return Outcome::Hit(if kind == Kind::ReadModifyWrite { extra } else { self.machine.costs.hit });
        }
        if now < state.busy_until || !state.queue.is_empty() {
            state.queue.push_back((core, kind));
            return Outcome::Queued((state.queue.len() == 1).then_some(state.busy_until));
        }
        Outcome::Done(self.transfer(core, line, kind, now))
    }

    /// Serves the first in the queue of a line: the core, when its access is done, and when to serve the next, if there
    /// is one.
    pub(crate) fn serve(&mut self, line: usize, now: u64) -> (usize, u64, Option<u64>) {
        let (core, kind) = self.lines[line].queue.pop_front().expect("called only if somebody waits");
        let done = self.transfer(core, line, kind, now);
        let state = &self.lines[line];
        (core, done, (!state.queue.is_empty()).then_some(state.busy_until))
    }

    /// About `cycles`.
    fn varied(&mut self, cycles: u64) -> u64 {
        let spread = cycles / Self::VARIATION;
        cycles - spread + self.random.below(2 * spread + 1)
    }

    fn transfer(&mut self, core: usize, line: usize, kind: Kind, now: u64) -> u64 {
        let extra = self.extra(kind);
        let (machine, state) = (&self.machine, &self.lines[line]);
        let others = state.now.cores.without(core);
        let distances = others.iter().map(|other| machine.distance(other, core));
        // A reader takes the nearest copy, a writer waits until the farthest is given up.
        let distance = if kind == Kind::Read { distances.min() } else { distances.max() };
        let way = distance.unwrap_or(machine.costs.memory) + machine.costs.queue * state.queue.len() as u64;
        self.transfers.all += 1;
        self.transfers.far += u64::from(distance.is_some_and(|distance| distance > machine.costs.same_cluster));
        let way = self.varied(way);
        let kept = self.random.below(way + 1);
        let state = &mut self.lines[line];

        state.before = state.now;
        let shared = others != Cores::default() && !state.now.exclusive;
        if kind == Kind::Read {
            state.now.cores.add(core);
            state.now.exclusive = others == Cores::default();
        } else {
            state.now = Holders { cores: Cores::one(core), exclusive: true };
        }
        state.before_until = now + kept;
        let busy = if kind == Kind::Read && shared { self.machine.costs.shared_read } else { way + extra };
        state.busy_until = now + busy;
        now + way + extra
    }
}
