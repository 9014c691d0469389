//! One push, one pop: the common case, and everything else.
//!
//! # Two paths
//!
//! The common case is a free home slot, a spare node, a race won, nothing to settle. It has code of its own
//! ([`Stack::push_in`], [`Stack::pop_in`]) that calls nothing: whatever else is the case, it leaves as its last step to a
//! function out of line, with the stay in the slot and what it has won so far. So it keeps nothing in memory for the
//! return from a call. tuning.md, "Code paths".
//!
//! Where [`FAST_PATHS`] is not set, on microcontrollers, there are only the general functions, in line.

mod kept;
mod source;
mod stay;

use crate::Stack;
use crate::backoff::exchanger::{Alone, Visit};
use crate::backoff::{Attempt, Backoff};
use crate::error::{Outcome, PushErrorKind};
use crate::layout::{FAST_PATHS, slow_path};
use crate::reclaim::{Domain, Guard, Permit, Reclaim};
use crate::stack::GuardOf;
use crate::treiber::{Node, NodePtr};
use core::mem;
use core::ptr::NonNull;

pub(crate) use kept::Kept;
pub(crate) use source::{Parked, Source, parked};
pub(crate) use stay::{Lent, Stay};

impl<T, R: Reclaim, B: Backoff> Stack<T, R, B> {
    /// Pushes from within the slot that this context tries first, or from another one.
    #[inline(always)]
    pub(crate) fn push_anywhere<O: Outcome<T>>(&self, value: impl Source<T>) -> O {
        if FAST_PATHS {
            if let Some(guard) = self.domain.enter_home() {
                return self.push_in(guard, value, None);
            }
        }
        self.push_elsewhere(value)
    }

    slow_path! {
        fn push_elsewhere<O: Outcome<T>>(&self, value: impl Source<T>) -> O {
            match self.domain.enter(Permit::Allocator) {
                Some(guard) => self.push_slowly(guard, value, None),
                None => O::refused(PushErrorKind::NoSlot, Self::SLOT_LAYOUT, value),
            }
        }
    }

    /// Pushes from within a slot; see "Two paths". A handle keeps what it pushes.
    #[inline(always)]
    pub(crate) fn push_in<'a, G: Stay<GuardOf<'a, T, R, B>>, O: Outcome<T>>(
        &'a self,
        mut guard: G,
        value: impl Source<T>,
        kept: Option<&mut Kept<T>>,
    ) -> O {
        if FAST_PATHS {
            if let Some(node) = guard.spare() {
                return self.push_with(guard, node, value, kept);
            }
        }
        self.push_slowly(guard, value, kept)
    }

    /// Pushes with a node (GUARD-2).
    #[inline(always)]
    fn push_with<'a, G: Stay<GuardOf<'a, T, R, B>>, O: Outcome<T>>(
        &'a self,
        mut guard: G,
        node: NodePtr<T>,
        value: impl Source<T>,
        kept: Option<&mut Kept<T>>,
    ) -> O {
        // SAFETY: GUARD-2: the node is ours and has no value.
        unsafe { value.put(node) };
        if exchanges_first::<T, R, B>(&mut guard) {
            return self.push_exchanging(guard, node);
        }
        if !FAST_PATHS {
            return self.push_node(guard, node, Past::Nothing);
        }
        // CHEAPER: the general path does the same, in more instructions.
        let top = self.head.top();
        let pushed = match kept {
            // SAFETY: the node is ours.
            None => unsafe { self.head.try_push(top, node, node) },
            // SAFETY: the node is ours.
            Some(kept) => unsafe { kept.push(&self.head, &mut *guard, node, top) },
        };
        if pushed.is_err() {
            return self.push_node(guard, node, Past::LostRace);
        }
        pushed_in::<T, R, B, O, G>(guard)
    }

    slow_path! {
        /// Pushes from within a slot, whether or not that has a spare node.
        fn push_slowly<'a, G: Stay<GuardOf<'a, T, R, B>>, O: Outcome<T>>(
            &'a self,
            mut guard: G,
            value: impl Source<T>,
            kept: Option<&mut Kept<T>>,
        ) -> O {
            let Some(node) = guard.node(Permit::Allocator) else {
                // UNTESTED: leaves the slot before the value may be dropped, which happens if no memory is a panic, as it may be
                // without `std`. Where the suites run, no memory ends the process.
                guard.end();
                return O::refused(PushErrorKind::OutOfMemory, Node::<T>::LAYOUT, value);
            };
            self.push_with(guard, node, value, kept)
        }
    }

    slow_path! {
        /// Pushes a node with a value through an exchange, or else to the list.
        fn push_exchanging<'a, G: Stay<GuardOf<'a, T, R, B>>, O: Outcome<T>>(
            &'a self,
            mut guard: G,
            node: NodePtr<T>,
        ) -> O {
            let mut attempt = Attempt::default();
            if !self.exchange_push(&mut guard, &mut attempt, node) {
                return self.push_node(guard, node, Past::Exchange(attempt));
            }
            pushed_slowly::<T, R, B, O, G>(guard)
        }
    }

    /// Called after each lost race. Whether to try again at once.
    #[inline(always)]
    fn lost<'a>(&'a self, guard: &mut GuardOf<'a, T, R, B>, attempt: &mut Attempt) -> bool {
        let popped = guard.retired();
        guard.with_local(|local, _| B::lost(&self.exchangers, local, attempt, popped))
    }

    /// Backs off with the node of a push, which is ours and has a value. `true` if a pop has taken it (BACKOFF-1).
    #[inline(always)]
    fn exchange_push<'a>(&'a self, guard: &mut GuardOf<'a, T, R, B>, attempt: &mut Attempt, node: NodePtr<T>) -> bool {
        // SAFETY: the node is ours and has a value.
        let taken = self.meet(guard, attempt, Some(&unsafe { Visit::push(node) })).is_ok();
        guard.counters().eliminated_pushes(taken.into());
        taken
    }

    #[inline(always)]
    fn meet<'a>(
        &'a self,
        guard: &mut GuardOf<'a, T, R, B>,
        attempt: &mut Attempt,
        visit: Option<&Visit<T>>,
    ) -> Result<Option<NodePtr<T>>, Alone> {
        let home = guard.neighbourhood(B::EXCHANGERS);
        guard.with_local(|local, counters| B::meet(&self.exchangers, local, attempt, home, counters, visit))
    }

    slow_path! {
        /// Pushes a node with a value.
        fn push_node<'a, G: Stay<GuardOf<'a, T, R, B>>, O: Outcome<T>>(
            &'a self,
            mut guard: G,
            node: NodePtr<T>,
            past: Past,
        ) -> O {
            let (mut attempt, mut lost) = past.unpack();
            let mut top = if lost { self.head.top() } else { self.head.top_to_change() };
            loop {
                // CHEAPER: one more try before the wait for a race that was lost only takes time.
                if !mem::take(&mut lost) {
                    // SAFETY: the node is ours.
                    match unsafe { self.head.try_push(top, node, node) } {
                        Ok(()) => break,
                        Err(other) => top = other,
                    }
                }
                guard.counters().lost_races(1);
                if !self.lost(&mut guard, &mut attempt) && self.exchange_push(&mut guard, &mut attempt, node) {
                    break;
                }
            }
            pushed_slowly::<T, R, B, O, G>(guard)
        }
    }

    /// Pushes `node`, which has no value yet, and does not wait after a lost race.
    pub(crate) fn push_without_waiting<'a>(
        &'a self,
        guard: &GuardOf<'a, T, R, B>,
        node: NodePtr<T>,
        value: impl Source<T>,
    ) {
        // SAFETY: GUARD-2: the node is ours and has no value.
        unsafe { value.put(node) };
        // SAFETY: the node is ours.
        while unsafe { self.head.try_push(self.head.top(), node, node) }.is_err() {
            guard.counters().lost_races(1);
        }
        guard.counters().pushes(1);
    }

    /// Pushes a chain of `count` nodes with values, from within a slot.
    ///
    /// # Safety
    ///
    /// The caller owns the nodes, which hold values.
    pub(crate) unsafe fn push_chain<'a>(
        &'a self,
        guard: &mut GuardOf<'a, T, R, B>,
        first: NodePtr<T>,
        last: NodePtr<T>,
        count: usize,
    ) {
        let mut attempt = Attempt::default();
        // SAFETY: the caller's contract.
        while unsafe { self.head.try_push(self.head.top(), first, last) }.is_err() {
            guard.counters().lost_races(1);
            if !self.lost(guard, &mut attempt) {
                _ = self.meet(guard, &mut attempt, None);
            }
        }
        guard.counters().pushes(count);
        guard.give_back();
    }

    /// Pops from within a slot, whose hazard is `top`; see "Two paths".
    #[inline(always)]
    pub(crate) fn pop_in<'a, G: Stay<GuardOf<'a, T, R, B>>>(&'a self, mut guard: G, top: NodePtr<T>) -> Option<T> {
        // SAFETY: the guard has published the hazard.
        let Ok(node) = (unsafe { self.head.try_pop(top) }) else {
            return self.pop_slowly(guard, top, Past::LostRace, Permit::Allocator);
        };
        guard.release();
        Some(popped::<T, R, B, _>(guard, node, false))
    }

    slow_path! {
        /// Pops through an exchange, or else from the list. Until then it leaves alone what others look at, the head and the
        /// slot's hazard, so it takes no cache line from whoever works on the list.
        pub(crate) fn pop_exchanging<'a, G: Stay<GuardOf<'a, T, R, B>>>(
            &'a self,
            mut guard: G,
        ) -> Option<T> {
            let mut attempt = Attempt::default();
            if let Some(node) = self.exchange_pop(&mut guard, &mut attempt) {
                // The hazard stays, so what a handle keeps stays kept.
                return Some(finish_pop::<T, R, B, G>(guard, node, false, Permit::Allocator));
            }
            let Some(top) = NonNull::new(self.head.top_to_change()) else {
                guard.release();
                guard.end();
                return None;
            };
            guard.protect(top);
            self.pop_slowly(guard, top, Past::Exchange(attempt), Permit::Allocator)
        }
    }

    /// Backs off. Returns a node that is ours and has a value, if a push has given one (BACKOFF-1).
    #[inline(always)]
    fn exchange_pop<'a>(&'a self, guard: &mut GuardOf<'a, T, R, B>, attempt: &mut Attempt) -> Option<NodePtr<T>> {
        let node = self.meet(guard, attempt, Some(&Visit::pop())).ok()??;
        guard.counters().eliminated_pops(1);
        Some(node)
    }

    slow_path! {
        /// Pops from within any slot.
        pub(crate) fn pop_elsewhere(&self, mut top: NodePtr<T>) -> Option<T> {
            loop {
                if let Some(guard) = self.domain.enter_protecting(top) {
                    return self.pop_slowly(guard, top, Past::Nothing, Permit::Allocator);
                }
                B::relax();
                top = NonNull::new(self.head.top())?;
            }
        }
    }

    slow_path! {
        /// Pops from within a slot, whose hazard is `top`. Backs off if the allocator is permitted.
        pub(crate) fn pop_slowly<'a, G: Stay<GuardOf<'a, T, R, B>>>(
            &'a self,
            mut guard: G,
            mut top: NodePtr<T>,
            past: Past,
            permit: Permit,
        ) -> Option<T> {
            let (mut attempt, mut lost) = past.unpack();
            let node = loop {
                // CHEAPER: one more try before the wait for a race that was lost only takes time.
                let mut next = if mem::take(&mut lost) {
                    self.head.top()
                } else {
                    // SAFETY: the guard has published the hazard.
                    match unsafe { self.head.try_pop(top) } {
                        Ok(node) => break node,
                        Err(other) => other,
                    }
                };
                guard.counters().lost_races(1);
                if permit == Permit::Allocator && !self.lost(&mut guard, &mut attempt) {
                    if FAST_PATHS {
                        // Whoever waits needs no node, and others' scans are quick if nobody protects any. tuning.md, "Scans and
                        // nodes".
                        // CHEAPER: left as it is, the hazard costs time, but no more nodes than the bound says.
                        guard.unprotect();
                    }
                    if let Some(node) = self.exchange_pop(&mut guard, &mut attempt) {
                        break node;
                    }
                    next = self.head.top_to_change();
                }
                let Some(next) = NonNull::new(next) else {
                    guard.release();
                    guard.end();
                    return None;
                };
                top = next;
                guard.protect(top);
            };
            guard.release();
            Some(finish_pop::<T, R, B, G>(guard, node, false, permit))
        }
    }
}

slow_path! {
    /// The end of a push.
    fn pushed<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, O: Outcome<T>, G: Stay<GuardOf<'a, T, R, B>>>(mut guard: G) -> O {
        guard.give_back();
        guard.end();
        O::pushed()
    }
}

slow_path! {
    /// The end of a pop that has won `node`, from the list or from a push that it has met, and needs its hazard no more. The node
    /// may have been `kept` (GUARD-5).
    fn finish_pop<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, G: Stay<GuardOf<'a, T, R, B>>>(
        mut guard: G,
        node: NodePtr<T>,
        kept: bool,
        permit: Permit,
    ) -> T {
        // SAFETY: the node is ours.
        let value = unsafe { take_value(&mut *guard, node, kept) };
        guard.settle(permit);
        guard.end();
        value
    }
}

/// The end of a push that has left the common case.
#[inline(always)]
fn pushed_slowly<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, O: Outcome<T>, G: Stay<GuardOf<'a, T, R, B>>>(
    guard: G,
) -> O {
    guard.counters().pushes(1);
    pushed::<T, R, B, O, G>(guard)
}

/// The end of a push from within a slot.
#[inline(always)]
fn pushed_in<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, O: Outcome<T>, G: Stay<GuardOf<'a, T, R, B>>>(guard: G) -> O {
    guard.counters().pushes(1);
    if guard.has_surplus() {
        return pushed::<T, R, B, O, G>(guard);
    }
    guard.end();
    O::pushed()
}

/// The end of a pop that has won `node` from the list, and needs its hazard no more. The node may have been `kept` (GUARD-5).
#[inline(always)]
fn popped<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, G: Stay<GuardOf<'a, T, R, B>>>(
    mut guard: G,
    node: NodePtr<T>,
    kept: bool,
) -> T {
    if guard.is_due() {
        return finish_pop::<T, R, B, G>(guard, node, kept, Permit::Allocator);
    }
    // SAFETY: the node is ours, from this list, and nothing is due.
    let value = unsafe { take_value(&mut *guard, node, kept) };
    guard.end();
    value
}

/// What an operation has done before it comes to the general functions.
#[derive(Clone, Copy)]
pub(crate) enum Past {
    Nothing,
    /// It has lost a race for the head, and not waited yet.
    LostRace,
    /// It has met nobody in an exchange, and waited.
    Exchange(Attempt),
}

impl Past {
    /// What it has waited, and whether it has lost a race for which it has not waited yet.
    fn unpack(self) -> (Attempt, bool) {
        match self {
            Self::Nothing => (Attempt::default(), false),
            Self::LostRace => (Attempt::default(), true),
            Self::Exchange(attempt) => (attempt, false),
        }
    }
}

/// Whether the next operation from within a slot begins with an exchange, and leaves the list alone at first.
#[inline(always)]
pub(crate) fn exchanges_first<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a>(guard: &mut GuardOf<'a, T, R, B>) -> bool {
    // CHEAPER: it only decides what is tried first.
    FAST_PATHS && guard.with_local(|local, _| B::exchanges_first(local))
}

/// Moves the value out of a node that a pop has won, and lets the node go.
///
/// # Safety
///
/// The caller owns the node, which holds a value and came from the guard's domain. If it was `kept`, the guard has pushed it and
/// kept it until the caller popped it (GUARD-5). [`Guard::settle`] has to follow, if something is due.
#[inline(always)]
pub(crate) unsafe fn take_value<T, L>(guard: &mut impl Guard<T, L>, node: NodePtr<T>, kept: bool) -> T {
    // SAFETY: the caller's contract.
    let value = unsafe { Node::take(node) };
    guard.counters().pops(1);
    // SAFETY: the caller's contract; the value is out.
    unsafe { guard.retire(node, kept) };
    value
}
