//! One push, one pop: the common case, and everything else.
//!
//! # Two paths
//!
//! The common case is a free home slot, a spare node, a race won, nothing to settle. It has code of its own
//! ([`Stack::push_in`], [`Stack::pop_in`]) that calls nothing: whatever else is the case, it leaves as its last step to a
//! function out of line, with the stay in the slot and what it has won so far. So it keeps nothing in memory for the
//! return from a call, which was half of its instructions: on x86-64 a push took 32 instead of 50 then, a pop 38 instead of 76.
//!
//! Where [`FAST_PATHS`] is not set, on microcontrollers, there are only the general functions, in line.

mod recent;
mod stay;

use self::recent::goes_on;
use crate::Stack;
use crate::backoff::Backoff;
use crate::error::{Outcome, PushErrorKind};
use crate::reclaim::{Domain, Guard, Permit, Reclaim};
use crate::stack::GuardOf;
use crate::sync::{FAST_PATHS, slow_path};
use crate::treiber::{Node, NodePtr};
use core::ptr::{self, NonNull};

pub(crate) use recent::Recent;
pub(crate) use stay::{Lent, Own, Stay};

impl<T, R: Reclaim, B: Backoff> Stack<T, R, B> {
    /// Pushes from within the slot that this context tries first; or from another one.
    #[inline(always)]
    pub(crate) fn push_anywhere<O: Outcome<T>>(&self, value: T) -> O {
        if FAST_PATHS {
            if let Some(guard) = self.domain.enter_home() {
                return self.push_in(Own(guard), value, None);
            }
        }
        self.push_elsewhere(value)
    }

    slow_path! {
        fn push_elsewhere<O: Outcome<T>>(&self, value: T) -> O {
            match self.domain.enter(Permit::Allocator) {
                Some(guard) => self.push_slowly(Own(guard), value, None),
                None => O::refused(PushErrorKind::NoSlot, value),
            }
        }
    }

    /// Pushes from within a slot. All that is not the common case goes to functions of its own, as the last step: so
    /// this one keeps nothing in memory for their return. A handle remembers something `recent`.
    #[inline(always)]
    pub(crate) fn push_in<'a, G: Stay<'a, T, R, B>, O: Outcome<T>>(
        &'a self,
        mut guard: G,
        value: T,
        recent: Option<&mut Recent<T>>,
    ) -> O {
        if FAST_PATHS {
            if let Some(node) = guard.spare() {
                return self.push_with(guard, node, value, recent);
            }
        }
        self.push_slowly(guard, value, recent)
    }

    /// Pushes with a node that is ours and has no value.
    #[inline(always)]
    fn push_with<'a, G: Stay<'a, T, R, B>, O: Outcome<T>>(
        &'a self,
        mut guard: G,
        node: NodePtr<T>,
        value: T,
        recent: Option<&mut Recent<T>>,
    ) -> O {
        // SAFETY: the node is ours and has no value.
        unsafe { Node::put(node, value) };
        let Some(recent) = recent else {
            if exchanges_first::<T, R, B>(&mut guard) {
                return self.push_exchanging(guard, node, None);
            }
            if !FAST_PATHS {
                return self.push_node(guard, node, Past::Nothing, None);
            }
            // Unchecked: the general path does the same, in more instructions.
            // SAFETY: the node is ours.
            if unsafe { self.head.try_push(self.head.top(), node, node) }.is_err() {
                return self.push_node(guard, node, Past::LostRace, None);
            }
            return pushed_in(guard);
        };
        self.push_recent(guard, node, recent)
    }

    slow_path! {
        /// Pushes from within a slot, with or without a spare node.
        fn push_slowly<'a, G: Stay<'a, T, R, B>, O: Outcome<T>>(
            &'a self,
            mut guard: G,
            value: T,
            mut recent: Option<&mut Recent<T>>,
        ) -> O {
            let retired = guard.retired();
            let top = recent.as_ref().map_or(ptr::null_mut(), |recent| recent.top(guard.kept()));
            let Some(node) = guard.node(Permit::Allocator) else {
                // Unchecked: if no memory is a panic, as without `std` it may be, the value is dropped outside of the slot;
                // where the suites run, the process ends.
                drop(guard);
                return O::refused(PushErrorKind::OutOfMemory, value);
            };
            if let Some(recent) = &mut recent {
                // To get one may have taken the hazard.
                // Unchecked: without this it takes its own node for one of others, and waits if it need not.
                if guard.kept().is_none() {
                    recent.base = top;
                }
                recent.balance.scanned(retired, guard.retired());
            }
            self.push_with(guard, node, value, recent)
        }
    }

    slow_path! {
        /// Pushes a node with a value through an exchange, or else to the list.
        fn push_exchanging<'a, G: Stay<'a, T, R, B>, O: Outcome<T>>(
            &'a self,
            mut guard: G,
            node: NodePtr<T>,
            recent: Option<&mut Recent<T>>,
        ) -> O {
            if !self.exchange_push(&mut guard, false, node) {
                return self.push_node(guard, node, Past::Exchange, recent);
            }
            pushed_slowly(guard, recent)
        }
    }

    /// Backs off, `again` or for the first time. `true` if a pop has taken the node, which is ours and has a value.
    #[inline(always)]
    fn exchange_push<'a>(&'a self, guard: &mut GuardOf<'a, T, R, B>, again: bool, node: NodePtr<T>) -> bool {
        // SAFETY: the node is ours and has a value.
        guard.with_local(|local, counters| unsafe { B::push(&self.exchangers, local, again, counters, node) })
    }

    slow_path! {
        /// Pushes a node with a value.
        fn push_node<'a, G: Stay<'a, T, R, B>, O: Outcome<T>>(
            &'a self,
            mut guard: G,
            node: NodePtr<T>,
            mut past: Past,
            mut recent: Option<&mut Recent<T>>,
        ) -> O {
            if recent.is_some() {
                // Unchecked: as in `pop_slowly`.
                guard.unprotect();
            }
            // Unchecked: one more try before the wait for the race that was lost only takes time.
            // SAFETY: the node is ours.
            while past.is_lost_race() || unsafe { self.head.try_push(self.head.top(), node, node) }.is_err() {
                guard.counters().lost_races(1);
                if goes_on(&mut recent, &mut past) {
                    continue;
                }
                if self.exchange_push(&mut guard, past == Past::Exchange, node) {
                    break;
                }
                past = Past::Exchange;
            }
            pushed_slowly(guard, recent)
        }
    }

    /// Pushes `node`, which has no value yet, and does not wait after a lost race.
    pub(crate) fn push_without_waiting<'a>(&'a self, guard: &GuardOf<'a, T, R, B>, node: NodePtr<T>, value: T) {
        // SAFETY: the node is ours and has no value.
        unsafe { Node::put(node, value) };
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
        let mut again = false;
        // SAFETY: the caller's contract.
        while unsafe { self.head.try_push(self.head.top(), first, last) }.is_err() {
            guard.counters().lost_races(1);
            guard.with_local(|local, _| B::wait(local, again));
            again = true;
        }
        guard.counters().pushes(count);
        guard.give_back();
    }

    /// Pops from within a slot, whose hazard is `top`; see [`Stack::push_in`].
    #[inline(always)]
    pub(crate) fn pop_in<'a, G: Stay<'a, T, R, B>>(
        &'a self,
        guard: G,
        top: NodePtr<T>,
        recent: Option<&mut Recent<T>>,
        past: Past,
    ) -> Option<T> {
        // SAFETY: `top` is protected, and was the top after that (contract 1).
        let Some(below) = self.head.is_top(top).then(|| unsafe { self.head.try_pop(top) }).and_then(Result::ok) else {
            return self.pop_slowly(guard, top, past, Permit::Allocator, recent);
        };
        if let Some(recent) = recent {
            recent.base = below;
        }
        Some(popped::<T, R, B, _>(guard, top, false))
    }

    slow_path! {
        /// Pops through an exchange; or else from the list, during a stay that is `protecting`. Until then it leaves alone
        /// what others look at, the head and the slot's hazard, so it takes no cache line from who works on the list.
        pub(crate) fn pop_exchanging<'a, G: Stay<'a, T, R, B>, P: Stay<'a, T, R, B>>(
            &'a self,
            mut guard: G,
            protecting: impl FnOnce(G) -> P,
            mut recent: Option<&mut Recent<T>>,
        ) -> Option<T> {
            if let Some(node) = self.exchange_pop(&mut guard, false) {
                if let Some(recent) = &mut recent {
                    recent.prepare::<R, B>(&mut guard);
                }
                return Some(finish_pop(guard, node, false, Permit::Allocator));
            }
            let mut guard = protecting(guard);
            let top = NonNull::new(self.head.top())?;
            guard.protect(top);
            self.pop_slowly(guard, top, Past::Exchange, Permit::Allocator, recent)
        }
    }

    /// Backs off, `again` or for the first time. A node that is ours and has a value, if a push has given one.
    #[inline(always)]
    fn exchange_pop<'a>(&'a self, guard: &mut GuardOf<'a, T, R, B>, again: bool) -> Option<NodePtr<T>> {
        guard.with_local(|local, counters| B::pop(&self.exchangers, local, again, counters))
    }

    slow_path! {
        /// Pops from within any slot.
        pub(crate) fn pop_elsewhere(&self, mut top: NodePtr<T>) -> Option<T> {
            loop {
                if let Some(guard) = self.domain.enter_protecting(top) {
                    return self.pop_slowly(Own(guard), top, Past::Nothing, Permit::Allocator, None);
                }
                B::relax();
                top = NonNull::new(self.head.top())?;
            }
        }
    }

    slow_path! {
        /// Pops from within a slot, whose hazard is `top`. Backs off if the allocator is permitted.
        pub(crate) fn pop_slowly<'a, G: Stay<'a, T, R, B>>(
            &'a self,
            mut guard: G,
            mut top: NodePtr<T>,
            mut past: Past,
            permit: Permit,
            mut recent: Option<&mut Recent<T>>,
        ) -> Option<T> {
            // Unchecked: one more try before the wait for the race that was lost only takes time.
            // SAFETY: `top` is protected, and was the top after that (contract 1).
            while past.is_lost_race() || !(self.head.is_top(top) && unsafe { self.head.try_pop(top) }.is_ok()) {
                guard.counters().lost_races(1);
                if !goes_on(&mut recent, &mut past) && permit == Permit::Allocator {
                    if FAST_PATHS {
                        // Who waits needs no node, and others' scans are quick if nobody protects any. Pairs through `Handle`
                        // with 2, 8 and 32 threads on 2 cores take 8.0, 10.0 and 12.8 ns, without this 9.2, 10.6 and 15.2.
                        // Unchecked: left as it is, the hazard costs time, but no more nodes than the bound says.
                        guard.unprotect();
                    }
                    if let Some(node) = self.exchange_pop(&mut guard, past == Past::Exchange) {
                        top = node;
                        break;
                    }
                    past = Past::Exchange;
                }
                top = NonNull::new(self.head.top())?;
                guard.protect(top);
            }
            if let Some(recent) = recent {
                recent.prepare::<R, B>(&mut guard);
            }
            Some(finish_pop(guard, top, false, permit))
        }
    }
}

slow_path! {
    /// The end of a push.
    fn pushed<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, O: Outcome<T>>(mut guard: impl Stay<'a, T, R, B>) -> O {
        guard.give_back();
        O::pushed()
    }
}

slow_path! {
    /// The end of a pop that has won `node`, from the list or from one of its pushes; it may have been `kept` (contract 5).
    fn finish_pop<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a>(
        mut guard: impl Stay<'a, T, R, B>,
        node: NodePtr<T>,
        kept: bool,
        permit: Permit,
    ) -> T {
        // SAFETY: the node is ours.
        let value = unsafe { take_value(&mut *guard, node, kept) };
        guard.settle(permit);
        value
    }
}

/// The end of a push that has left the common case.
#[inline(always)]
fn pushed_slowly<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, O: Outcome<T>>(
    mut guard: impl Stay<'a, T, R, B>,
    recent: Option<&mut Recent<T>>,
) -> O {
    guard.counters().pushes(1);
    if let Some(recent) = recent {
        recent.prepare::<R, B>(&mut guard);
    }
    pushed(guard)
}

/// The end of a push from within a slot.
#[inline(always)]
fn pushed_in<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, O: Outcome<T>>(guard: impl Stay<'a, T, R, B>) -> O {
    guard.counters().pushes(1);
    if guard.has_surplus() { pushed(guard) } else { O::pushed() }
}

/// The end of a pop that has won `node` from the list; it may have been `kept` (contract 5).
#[inline(always)]
fn popped<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, G: Stay<'a, T, R, B>>(
    mut guard: G,
    node: NodePtr<T>,
    kept: bool,
) -> T {
    if guard.is_due() {
        return finish_pop(guard, node, kept, Permit::Allocator);
    }
    // SAFETY: the node is ours, from this list; nothing is due.
    unsafe { take_value(&mut *guard, node, kept) }
}

/// What an operation has behind it when it comes to the general functions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    Nothing,
    /// A lost race for the head.
    LostRace,
    /// The same, of a pop through a handle whose last operation was no push: it tells nothing about what fits in.
    LostUnpaired,
    /// An exchange in vain.
    Exchange,
}

impl Past {
    fn is_lost_race(self) -> bool {
        matches!(self, Self::LostRace | Self::LostUnpaired)
    }
}

/// Whether the next operation from within a slot begins with an exchange, and leaves the list alone at first.
#[inline(always)]
pub(crate) fn exchanges_first<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a>(guard: &mut GuardOf<'a, T, R, B>) -> bool {
    // Unchecked: it only decides what is tried first.
    FAST_PATHS && guard.with_local(|local, _| B::exchanges_first(local))
}

/// Moves the value out of a node that a pop has won, and lets the node go.
///
/// # Safety
///
/// The caller owns the node, which holds a value and came from the guard's domain; then settles, if need be. If the node was
/// `kept`, then by the guard (contract 5), until now.
#[inline(always)]
pub(crate) unsafe fn take_value<T, L>(guard: &mut impl Guard<T, L>, node: NodePtr<T>, kept: bool) -> T {
    // SAFETY: the caller's contract.
    let value = unsafe { Node::take(node) };
    guard.counters().pops(1);
    // SAFETY: the caller's contract; the value is out.
    unsafe { guard.retire(node, kept) };
    value
}
