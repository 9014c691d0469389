//! One context in its slot, for one operation: what pushes and pops have in common.

use super::{GuardOf, SharedList};
use crate::backoff::exchanger::{Alone, Visit};
use crate::backoff::{Attempt, Backoff};
use crate::layout::{FAST_PATHS, slow_path};
use crate::reclaim::{Reclaim, Search};
use crate::treiber::{Node, NodePtr};
use core::ops::Deref;

/// A context in its slot: claimed for one operation, which ends with [`Session::end`]; or, if it `STAYS`, lent by the handle that
/// keeps it. It is passed by value, and whether it stays is part of its type, so it is two references in registers. tuning.md,
/// "Code paths".
pub(super) struct Session<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, const STAYS: bool>(GuardOf<'a, T, R, B>);

impl<'a, T, R: Reclaim, B: Backoff, const STAYS: bool> Deref for Session<'a, T, R, B, STAYS> {
    type Target = GuardOf<'a, T, R, B>;

    #[inline(always)]
    fn deref(&self) -> &GuardOf<'a, T, R, B> {
        &self.0
    }
}

/// What an operation does next on its slow way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Tries the exchange.
    Try,
    /// Decides what to do about a lost race.
    LostRace,
    /// Stays away from the list, and looks for a partner meanwhile.
    StayAway,
}

impl<'a, T, R: Reclaim, B: Backoff, const STAYS: bool> Session<'a, T, R, B, STAYS> {
    /// A context in the slot of this guard.
    ///
    /// # Safety
    ///
    /// The slot was claimed for it. No copy of the guard is used after the session, unless it stays.
    #[inline(always)]
    pub(super) unsafe fn new(guard: GuardOf<'a, T, R, B>) -> Self {
        Self(guard)
    }

    /// What the operation protects is not needed any more.
    #[inline(always)]
    pub(super) fn release(&self) {
        // Whoever leaves the slot protects nothing any more; and what a handle has not pushed it must not keep (KEPT-1).
        // CHEAPER: whoever leaves the slot does the same then.
        if STAYS {
            R::unprotect(self.0);
        }
    }

    /// Ends the operation.
    #[inline(always)]
    pub(super) fn end(self) {
        if !STAYS {
            // SAFETY: the contract of `new`: no copy is used after this.
            unsafe { R::leave(self.0) };
        }
    }

    slow_path! {
        /// The end of a push that may have something to give back.
        pub(super) fn give_back_and_end(self) {
            R::give_back(self.0);
            self.end();
        }
    }

    /// Moves the value out of a node that a pop has won, and lets the node go.
    ///
    /// # Safety
    ///
    /// The caller has popped the node, which holds a value and came from the guard's stack.
    /// [`Heap::settle`](crate::reclaim::sealed::Heap::settle) has to follow, if something is due.
    #[inline(always)]
    pub(super) unsafe fn take_value(&self, node: NodePtr<T>) -> T {
        // SAFETY: the caller's contract.
        let value = unsafe { Node::take(node) };
        self.counters().pops(1);
        self.with_local(B::popped);
        // SAFETY: the caller's contract; the value is out.
        unsafe { R::retire(self.0, node) };
        value
    }
}

impl<T, R: Reclaim, B: Backoff> SharedList<T, R, B> {
    /// Claims a slot for one operation; and protects `node` with it, if there is one (GUARD-1).
    #[inline(always)]
    pub(super) fn enter(&self, search: Search, node: Option<NodePtr<T>>) -> Option<Session<'_, T, R, B, false>> {
        // SAFETY: the slot is claimed for this, and its guard is nowhere else.
        R::enter(&self.pool, search, node).map(|guard| unsafe { Session::new(guard) })
    }

    /// What the next operation from within a slot does first.
    #[inline(always)]
    pub(super) fn first_step(guard: GuardOf<'_, T, R, B>) -> Step {
        // CHEAPER: to try the list first in any case comes to the same.
        if FAST_PATHS && guard.with_local(|local| B::stays_away_first(local)) { Step::StayAway } else { Step::Try }
    }

    /// After one more lost race: what the operation does about it.
    #[inline(always)]
    pub(super) fn after_lost_race(&self, guard: GuardOf<'_, T, R, B>, attempt: &mut Attempt) -> Step {
        guard.counters().lost_races(1);
        let again = guard.with_local(|local| B::lost(&self.exchangers, local, attempt));
        if again { Step::Try } else { Step::StayAway }
    }

    /// Stays away from the list, and looks for a partner meanwhile, if there is a `visit` to pay (BACKOFF-1).
    #[inline(always)]
    pub(super) fn meet(
        &self,
        guard: GuardOf<'_, T, R, B>,
        attempt: &mut Attempt,
        visit: Option<&Visit<T>>,
    ) -> Result<Option<NodePtr<T>>, Alone> {
        let (home, counters) = (guard.neighbourhood(B::EXCHANGERS), guard.counters());
        guard.with_local(|local| B::meet(&self.exchangers, local, attempt, home, counters, visit))
    }
}
