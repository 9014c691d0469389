//! One stack under test, and what is known of it.

use super::step::{Step, Through};
use super::value::{Value, Values};
use crate::common::{self, *};
use crate::ledger::Ledger;
use elimination_stack::TakeAll;

/// One stack, what it should hold, and how it was used.
pub struct Tested<'s, 'v, R: Engine, B: Backoff> {
    pub(super) stack: &'s Stack<Value<'v>, R, B>,
    pub(super) ledger: &'s Ledger,
    pub(super) values: &'v Values,
    /// The numbers of the values, the topmost last.
    pub(super) model: Vec<usize>,
    /// The stack's own calls.
    direct: Caller<'s, 'v, R, B>,
    pub(super) handles: Vec<Caller<'s, 'v, R, B>>,
    /// Handles that were lost, with their slots.
    pub(super) forgotten: usize,
    pub(super) taken: Vec<Taken<'s, 'v, R, B>>,
    pub(super) reserved: usize,
    /// The most values there were, and nodes that were let go, since surplus was given back.
    most_values: usize,
    surplus: usize,
}

/// The stack or a handle, whichever a step means.
pub(super) type Caller<'s, 'v, R, B> = common::Through<'s, Value<'v>, R, B>;

/// An iterator of `take_all` that may rest, and what is known of it.
pub(super) struct Taken<'s, 'v, R: Engine, B: Backoff> {
    pub(super) iterator: TakeAll<'s, Value<'v>, R, B>,
    /// The numbers of the values that it has yet to give, the next one last.
    pub(super) model: Vec<usize>,
    pub(super) given: usize,
}

impl<R: Engine, B: Backoff> Taken<'_, '_, R, B> {
    /// How many nodes it holds whose values it has given.
    pub(super) fn emptied(&self) -> usize {
        if self.model.is_empty() { 0 } else { self.given % R::TAKE_BATCH }
    }
}

impl<'s, 'v, R: Engine, B: Backoff> Tested<'s, 'v, R, B> {
    pub(super) const IDLE_NODES: usize = Stack::<Value<'v>, R, B>::IDLE_NODES;

    pub fn new(stack: &'s Stack<Value<'v>, R, B>, ledger: &'s Ledger, values: &'v Values) -> Self {
        Self {
            stack,
            ledger,
            values,
            model: Vec::new(),
            direct: Caller::new(stack, false),
            handles: Vec::new(),
            forgotten: 0,
            taken: Vec::new(),
            reserved: 0,
            most_values: 0,
            surplus: 0,
        }
    }

    /// Drops what borrows the stack. Returns what should be in it then.
    pub fn close(mut self) -> Vec<usize> {
        self.handles.clear();
        while !self.taken.is_empty() {
            self.take_drop(0);
        }
        self.model
    }

    /// Does any step for which one stack is enough, and checks what holds after each.
    pub fn apply(&mut self, step: Step) {
        match step {
            Step::Push(through) => self.push(through, self.values.make()),
            Step::TryPush(through, memory) => self.try_push(through, memory),
            Step::PushSpare(through) => self.push_spare(through),
            Step::PushAll(through, count) => self.push_all(through, count, false),
            Step::Extend(through, count) => self.push_all(through, count, true),
            Step::PushAllWhileOthers(through, count) => self.push_all_while_others(through, count),
            Step::PushAllPanics(through, count) => self.push_all_panics(through, count),
            Step::Pop(through) => self.pop(through).into_iter().for_each(Value::discard),
            Step::TryPop => self.try_pop(),
            Step::TakeAll => self.take_all(),
            Step::TakeNext(at, count) => self.take_next(at.into(), count),
            Step::TakeDrop(at) => self.take_drop(at.into()),
            Step::Open => self.open(),
            Step::TryOpen(memory) => self.try_open(memory),
            Step::Close(at) => self.close_handle(at.into()),
            Step::Forget(at) => self.forget(at.into()),
            Step::Reserve(nodes, memory) => self.reserve(nodes, memory),
            Step::ReserveIdle(more) => self.reserve_idle(more),
            Step::Reclaim => self.reclaim(),
            Step::Fragile => self.values.make_next_fragile(),
            Step::Move(_) | Step::End(_) => unreachable!("needs more than one stack"),
        }
    }

    /// What holds after each step.
    pub fn check(&mut self) {
        assert_eq!(self.stack.is_empty(), self.model.is_empty());
        self.most_values = self.most_values.max(self.len());
        self.ledger.assert_bound::<R, B>(self.most_values + self.surplus + self.emptied() + self.reserved);
        #[cfg(feature = "stats")]
        {
            let stats = self.stack.stats();
            assert_eq!(stats.pushes - stats.pops, self.len() + self.emptied());
        }
    }

    /// After a push or a pop that succeeded, other than those for interrupt handlers.
    pub(super) fn gave_surplus_back(&mut self) {
        self.most_values = self.len();
        self.surplus = 0;
    }

    /// After another call that let nodes go: they stay until the next one that gives surplus back.
    pub(super) fn left_surplus(&mut self, nodes: usize) {
        self.surplus += nodes;
    }

    /// How many values the stack and its iterators should hold.
    pub fn len(&self) -> usize {
        self.model.len() + self.taken.iter().map(|taken| taken.model.len()).sum::<usize>()
    }

    /// How many nodes without a value the iterators hold.
    pub(super) fn emptied(&self) -> usize {
        self.taken.iter().map(Taken::emptied).sum()
    }

    /// Slots that nobody has claimed.
    pub(super) fn free_slots(&self) -> usize {
        R::SLOTS + self.ledger.slots() - self.handles.len() - self.forgotten
    }

    /// Sees to it that a slot is free, for a call that would wait for one.
    pub(super) fn free_a_slot(&self) {
        if self.free_slots() == 0 {
            self.ledger.during(|| drop(self.stack.handle()));
        }
    }

    /// Whether enough is reserved for one value more.
    pub(super) fn is_reserved(&self, through: Through) -> bool {
        let inside = self.handles.len() + self.forgotten + usize::from(self.handle(through).is_none());
        inside <= R::SLOTS && self.len() + self.emptied() + 1 + Self::IDLE_NODES <= self.reserved
    }

    /// Which handle is meant, if not the stack.
    fn handle(&self, through: Through) -> Option<usize> {
        match through {
            Through::Handle(at) if !self.handles.is_empty() => Some(usize::from(at) % self.handles.len()),
            _ => None,
        }
    }

    pub(super) fn caller(&mut self, through: Through) -> &mut Caller<'s, 'v, R, B> {
        self.handle(through).map_or(&mut self.direct, |at| &mut self.handles[at])
    }

    /// Runs a call that keeps off the allocator on an engine for interrupt handlers.
    pub(super) fn without_allocator<O>(ledger: &Ledger, what: &str, call: impl FnOnce() -> O) -> O {
        if R::FOR_HANDLERS { ledger.no_calls(what, call) } else { ledger.during(call) }
    }

    /// Runs a call that may give nodes back, but does not allocate on an engine for interrupt handlers.
    pub(super) fn without_allocation<O>(ledger: &Ledger, what: &str, call: impl FnOnce() -> O) -> O {
        if R::FOR_HANDLERS { ledger.no_allocation(what, call) } else { ledger.during(call) }
    }
}
