//! Histories of a stack's calls, and whether they are linearizable.
//!
//! A history says what several contexts called, when each call began and ended, and what it did. It is linearizable
//! (M. Herlihy, J. Wing, TOPLAS 1990) if its calls can be put in one order such that
//!
//! 1. a call that ended before another began comes before it, and
//! 2. a sequential stack, here a `Vec`, does in this order what the calls did.
//!
//! The search is J. Wing's and C. Gong's (*Testing and verifying concurrent objects*, JPDC 1993): it takes any call
//! that none of the others has to precede, and goes back where that leads nowhere; with G. Lowe's memory (*Testing for
//! linearizability*, CCPE 2017): the same calls in another order that left the same stack are not tried again.
//!
//! There are no threads here and no clock, and nothing but `std` is needed: whoever makes the calls, in whatever
//! schedule, numbers their beginnings and ends. So this file can be included by its path.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

/// A value on the stack. In one history each is pushed once.
pub type Value = u32;

/// What a call did to the stack, as far as the caller can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Pushed these at once; the last one is on top. A push of one value is one of these, too.
    Pushed(Vec<Value>),
    /// Popped this value, or found none.
    Popped(Option<Value>),
    /// Took all values at once, from the top down.
    Took(Vec<Value>),
    /// Saw whether there was no value.
    SawEmpty(bool),
    /// Did nothing: there was no node, or no slot.
    Refused,
}

impl Effect {
    /// What a push of one value did, which may have been refused.
    pub fn of_push<E>(value: Value, result: &Result<(), E>) -> Self {
        if result.is_ok() { Self::Pushed(vec![value]) } else { Self::Refused }
    }

    /// Does the same to a sequential stack, if that is possible.
    pub fn apply(&self, stack: &mut Vec<Value>) -> bool {
        match self {
            Self::Pushed(values) => stack.extend(values),
            Self::Popped(value) => return stack.pop() == *value,
            Self::Took(values) => {
                let same = stack.iter().rev().eq(values);
                stack.clear();
                return same;
            }
            Self::SawEmpty(empty) => return stack.is_empty() == *empty,
            Self::Refused => {}
        }
        true
    }

    /// Whether the stack was left as it was.
    fn only_looked(&self) -> bool {
        match self {
            Self::Pushed(values) | Self::Took(values) => values.is_empty(),
            Self::Popped(value) => value.is_none(),
            Self::SawEmpty(_) | Self::Refused => true,
        }
    }

    /// The effect, were this value not there.
    fn without(&self, value: Value) -> Self {
        let others = |values: &[Value]| values.iter().copied().filter(|&other| other != value).collect();
        match self {
            Self::Pushed(values) => Self::Pushed(others(values)),
            Self::Took(values) => Self::Took(others(values)),
            Self::Popped(popped) if *popped == Some(value) => Self::Refused,
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pushed(values) => write!(f, "pushed {values:?}"),
            Self::Popped(Some(value)) => write!(f, "popped {value}"),
            Self::Popped(None) => f.write_str("found nothing"),
            Self::Took(values) => write!(f, "took {values:?}"),
            Self::SawEmpty(true) => f.write_str("said yes"),
            Self::SawEmpty(false) => f.write_str("said no"),
            Self::Refused => f.write_str("refused"),
        }
    }
}

/// One call of one context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who called: the number of a thread, a core, an interrupt handler. One context's calls do not overlap.
    pub context: usize,
    /// What was called, for the reader.
    pub method: &'static str,
    /// When it began and ended. A call is before another if its end is less than the other's beginning.
    pub began: u64,
    pub ended: u64,
    pub effect: Effect,
}

/// The calls of several contexts on one stack, which was empty before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History(Vec<Call>);

impl History {
    /// The most calls of one history.
    const MOST: usize = u64::BITS as usize;

    /// A history of at most 64 calls, in any order.
    ///
    /// # Panics
    ///
    /// If there are more calls, or one ended before it began.
    pub fn new(mut calls: Vec<Call>) -> Self {
        assert!(calls.len() <= Self::MOST, "a history of {} calls", calls.len());
        assert!(calls.iter().all(|call| call.began <= call.ended), "a call ended before it began: {calls:?}");
        calls.sort_by_key(|call| call.began);
        Self(calls)
    }

    /// The calls, in the order in which they began.
    pub fn calls(&self) -> &[Call] {
        &self.0
    }

    /// How many pairs of calls were under way at the same time.
    pub fn overlaps(&self) -> usize {
        let pairs = self.0.iter().enumerate().map(|(at, first)| {
            let later = &self.0[at + 1..];
            later.iter().filter(|second| second.began <= first.ended).count()
        });
        pairs.sum()
    }

    /// Whether a sequential stack does the same when the calls are made one after the other as they began.
    pub fn is_legal_as_begun(&self) -> bool {
        let mut stack = Vec::new();
        self.0.iter().all(|call| call.effect.apply(&mut stack))
    }

    /// An order of the calls, as indices into [`History::calls`], that shows that the history is linearizable.
    ///
    /// # Errors
    ///
    /// The history is not linearizable.
    pub fn linearize(&self) -> Result<Vec<usize>, NotLinearizable> {
        let mut search = Search { calls: &self.0, seen: HashSet::new(), order: Vec::new(), longest: Vec::new() };
        if search.succeeds(0, &[]) {
            Ok(search.order)
        } else {
            let longest = search.longest;
            Err(NotLinearizable { history: self.clone(), longest })
        }
    }

    /// Less of a history that is not linearizable, which is not linearizable either.
    ///
    /// What is left out cannot be what makes the difference: without a call that only looked, or without all traces of
    /// one value, the order of a linearizable history remains good. But a value may be what `is_empty` saw.
    pub fn shortest(&self) -> Self {
        let mut shortest = self.clone();
        for call in self.0.iter().filter(|call| call.effect.only_looked()) {
            shortest.reduce(|calls| calls.retain(|other| other != call));
        }
        if shortest.0.iter().any(|call| call.effect == Effect::SawEmpty(false)) {
            return shortest;
        }
        for value in self.values() {
            shortest.reduce(|calls| {
                for call in calls.iter_mut() {
                    call.effect = call.effect.without(value);
                }
                calls.retain(|call| call.effect != Effect::Refused && call.effect != Effect::Pushed(Vec::new()));
            });
        }
        shortest
    }

    /// Changes the history, if it stays not linearizable.
    fn reduce(&mut self, change: impl FnOnce(&mut Vec<Call>)) {
        let mut changed = self.clone();
        change(&mut changed.0);
        if changed.linearize().is_err() {
            *self = changed;
        }
    }

    fn values(&self) -> BTreeSet<Value> {
        let values = self.0.iter().map(|call| match &call.effect {
            Effect::Pushed(values) | Effect::Took(values) => &values[..],
            Effect::Popped(value) => value.as_slice(),
            Effect::SawEmpty(_) | Effect::Refused => &[],
        });
        values.flatten().copied().collect()
    }
}

/// Each call on a line of its own, with a bar from its beginning to its end.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut moments: Vec<_> = self.0.iter().flat_map(|call| [call.began, call.ended]).collect();
        moments.sort_unstable();
        moments.dedup();
        for call in &self.0 {
            let bar = moments.iter().map(|moment| match moment {
                moment if !(call.began..=call.ended).contains(moment) => ' ',
                moment if *moment == call.began => '[',
                moment if *moment == call.ended => ']',
                _ => '-',
            });
            let bar: String = bar.collect();
            writeln!(f, "  context {}  {bar}  {}: {}", call.context, call.method, call.effect)?;
        }
        Ok(())
    }
}

/// A history for which there is no order.
#[derive(Clone, Debug)]
pub struct NotLinearizable {
    history: History,
    /// The most calls that could be put in order.
    longest: Vec<usize>,
}

impl fmt::Display for NotLinearizable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not linearizable, {} calls:\n{}", self.history.0.len(), self.history)?;
        writeln!(f, "this much of it could be put in order:")?;
        for &at in &self.longest {
            let call = &self.history.0[at];
            writeln!(f, "  context {}  {}: {}", call.context, call.method, call.effect)?;
        }
        write!(f, "and without what does not matter it is this:\n{}", self.history.shortest())
    }
}

/// A search for an order. The set of calls that have their place is a word, with one bit for each.
struct Search<'h> {
    calls: &'h [Call],
    /// Calls that had their place, and the stack after them: from there no order was found.
    seen: HashSet<(u64, Vec<Value>)>,
    order: Vec<usize>,
    longest: Vec<usize>,
}

impl Search<'_> {
    /// Whether the calls that are not among `placed` can follow on `stack`; if so, `order` says how.
    fn succeeds(&mut self, placed: u64, stack: &[Value]) -> bool {
        if self.order.len() > self.longest.len() {
            self.longest.clone_from(&self.order);
        }
        let left = |at: usize| placed & (1 << at) == 0;
        let calls = self.calls;
        let Some(first_end) = calls.iter().enumerate().filter(|(at, _)| left(*at)).map(|(_, call)| call.ended).min()
        else {
            return true;
        };
        for (at, call) in calls.iter().enumerate().filter(|(at, call)| left(*at) && call.began <= first_end) {
            let mut after = stack.to_vec();
            let placed = placed | 1 << at;
            if call.effect.apply(&mut after) && self.seen.insert((placed, after.clone())) {
                self.order.push(at);
                if self.succeeds(placed, &after) {
                    return true;
                }
                self.order.pop();
            }
        }
        false
    }
}
