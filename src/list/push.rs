//! One push: the common way, which calls nothing, and all other ways.
//!
//! # Two ways
//!
//! The common way is a free home slot, a node at hand, a race won, nothing to give back. Whatever else is the case it leaves to a
//! function out of line as its last step, with the session and what it has won so far. So it keeps nothing in memory for the
//! return from a call. tuning.md, "Code paths".
//!
//! Where [`FAST_PATHS`] is not set, on microcontrollers, all of it is one function, in line.
//!
//! A push that may fail is told by its caller what to do then: `refuse` makes an error of why and the value.

use super::seat::{Kept, Seat};
use super::session::{Session, Step};
use super::{GuardOf, SharedList};
use crate::backoff::exchanger::Visit;
use crate::backoff::{Attempt, Backoff};
use crate::engine::Permit;
use crate::error::PushErrorKind;
use crate::layout::{FAST_PATHS, slow_path};
use crate::reclaim::{Reclaim, Search};
use crate::source::Source;
use crate::treiber::{Node, NodePtr};
use core::mem::ManuallyDrop;
use core::ptr;

impl<T, R: Reclaim, B: Backoff> SharedList<T, R, B> {
    /// Pushes from within the slot that this context tries first, or from another one.
    #[inline(always)]
    pub(super) fn push_from_any_slot<V: Source<T>, E>(
        &self,
        value: V,
        refuse: impl FnOnce(PushErrorKind, V) -> E,
    ) -> Result<(), E> {
        if FAST_PATHS {
            if let Some(session) = self.enter(Search::Home, None) {
                return self.push_from(session, value, None, refuse);
            }
        }
        self.push_from_other_slot(value, refuse)
    }

    slow_path! {
        fn push_from_other_slot<V: Source<T>, E>(
            &self,
            value: V,
            refuse: impl FnOnce(PushErrorKind, V) -> E,
        ) -> Result<(), E> {
            match self.enter(Search::Grow, None) {
                Some(session) => self.push_from(session, value, None, refuse),
                None => Err(refuse(PushErrorKind::NoSlot, value)),
            }
        }
    }

    /// Pushes from within a slot. A handle keeps what it pushes.
    #[inline(always)]
    pub(super) fn push_from<V: Source<T>, E, const STAYS: bool>(
        &self,
        session: Session<'_, T, R, B, STAYS>,
        value: V,
        mut kept: Option<&mut Kept<T>>,
        refuse: impl FnOnce(PushErrorKind, V) -> E,
    ) -> Result<(), E> {
        let step = Self::first_step(*session);
        // CHEAPER: it only decides what is tried first, and in which code.
        if !FAST_PATHS || step == Step::StayAway {
            return self.push_with_other_node(session, value, kept, step, refuse);
        }
        // CHEAPER: the slow way does the same with another node, in more instructions.
        let top = self.head.top();
        if let Some(node) = R::again(*session, top) {
            // Before the push: afterwards the value is in the list, and somebody else may have popped and dropped it.
            let value = ManuallyDrop::new(value);
            // SAFETY: GUARD-6: the node has no value; and if it is not pushed, it still has none.
            unsafe { Node::put_copy(node, &*value) };
            // SAFETY: GUARD-6: it is pushed above `top`.
            if unsafe { Kept::push(kept.as_deref_mut(), &self.head, *session, node, top) }.is_err() {
                // SAFETY: GUARD-6: its link is `top` still.
                unsafe { R::retire(*session, node) };
                let value = ManuallyDrop::into_inner(value);
                return self.push_with_other_node(session, value, kept, Step::LostRace, refuse);
            }
            Self::finish_push(session);
            return Ok(());
        }
        if let Some(node) = session.spare() {
            // SAFETY: GUARD-2: the node is ours and has no value.
            unsafe { Node::put(node, value) };
            self.push_node(session, node, top, kept);
            return Ok(());
        }
        self.push_with_other_node(session, value, kept, Step::Try, refuse)
    }

    slow_path! {
        /// Pushes from within a slot, with a node from wherever there is one, beginning with this step.
        fn push_with_other_node<V: Source<T>, E, const STAYS: bool>(
            &self,
            session: Session<'_, T, R, B, STAYS>,
            value: V,
            kept: Option<&mut Kept<T>>,
            step: Step,
            refuse: impl FnOnce(PushErrorKind, V) -> E,
        ) -> Result<(), E> {
            let Some(node) = session.node(Permit::All) else {
                // Leaves the slot before the value may be dropped, which happens if no memory is a panic, as it may be without
                // `std`.
                session.end();
                return Err(refuse(PushErrorKind::OutOfMemory, value));
            };
            // SAFETY: GUARD-2: the node is ours and has no value.
            unsafe { Node::put(node, value) };
            // CHEAPER: after a lost race to try again at once takes longer; and without the fast way a handle keeps nothing.
            if FAST_PATHS && step == Step::Try {
                self.push_node(session, node, self.head.top(), kept);
            } else {
                // CHEAPER: whoever stays away leaves the head alone.
                let top = if step == Step::StayAway { ptr::null_mut() } else { self.head.top() };
                self.push_slowly(session, node, top, step);
            }
            Ok(())
        }
    }

    /// Pushes a node with a value above `top`, or whatever the top is then.
    #[inline(always)]
    fn push_node<const STAYS: bool>(
        &self,
        session: Session<'_, T, R, B, STAYS>,
        node: NodePtr<T>,
        top: *mut Node<T>,
        kept: Option<&mut Kept<T>>,
    ) {
        // SAFETY: the node is ours.
        if let Err(top) = unsafe { Kept::push(kept, &self.head, *session, node, top) } {
            return self.push_slowly(session, node, top, Step::LostRace);
        }
        Self::finish_push(session);
    }

    /// The end of a push that has won its race.
    #[inline(always)]
    fn finish_push<const STAYS: bool>(session: Session<'_, T, R, B, STAYS>) {
        session.counters().pushes(1);
        // CHEAPER: `give_back` looks for itself, so a yes in vain only takes time.
        if R::has_surplus(*session) {
            return session.give_back_and_end();
        }
        session.end();
    }

    slow_path! {
        /// Pushes a node with a value above `top`, or whatever the top is then.
        fn push_slowly<const STAYS: bool>(
            &self,
            session: Session<'_, T, R, B, STAYS>,
            node: NodePtr<T>,
            mut top: *mut Node<T>,
            mut step: Step,
        ) {
            // SAFETY: the node is ours and has a value.
            let visit = unsafe { Visit::push(node) };
            let mut attempt = Attempt::default();
            loop {
                // CHEAPER: to try first in any case takes longer where others contend.
                if step == Step::Try {
                    // SAFETY: the node is ours.
                    match unsafe { self.head.try_push(top, node, node) } {
                        Ok(()) => break,
                        Err(other) => top = other,
                    }
                    step = Step::LostRace;
                }
                // CHEAPER: who decides anew without a lost race counts one too many, and takes longer.
                if step == Step::LostRace {
                    step = self.after_lost_race(*session, &mut attempt);
                }
                // CHEAPER: who looks for a partner without need takes longer.
                if step == Step::StayAway {
                    if self.meet(*session, &mut attempt, Some(&visit)).is_ok() {
                        session.counters().eliminated_pushes(1);
                        break;
                    }
                    top = self.head.top_to_change();
                    step = Step::Try;
                }
            }
            session.counters().pushes(1);
            session.give_back_and_end();
        }
    }

    /// Pushes without the allocator.
    pub(super) fn push_without_waiting<V: Source<T>, E>(
        &self,
        value: V,
        refuse: impl FnOnce(PushErrorKind, V) -> E,
    ) -> Result<(), E> {
        let Some(session) = self.enter(Search::Free, None) else {
            return Err(refuse(PushErrorKind::NoSlot, value));
        };
        if let Some(node) = session.node(Permit::Nothing) {
            self.push_at_once(*session, node, value);
            session.end();
            return Ok(());
        }
        // Leaves the slot first, so that this context never has two of the `N`: others who come meanwhile may find none.
        session.end();
        let Some((guard, node)) = self.pool.claim_with_spare() else {
            return Err(refuse(PushErrorKind::NoSpareNode, value));
        };
        self.push_at_once(guard, node, value);
        // SAFETY: it is not used any more.
        unsafe { R::leave(guard) };
        Ok(())
    }

    /// The same, through a handle.
    pub(super) fn push_from_seat_without_waiting<'a, V: Source<T>, E>(
        &'a self,
        seat: &mut Seat<'a, T, R, B>,
        value: V,
        refuse: impl FnOnce(PushErrorKind, V) -> E,
    ) -> Result<(), E> {
        match seat.guard.node(Permit::Nothing).or_else(|| seat.move_to_spare(self)) {
            Some(node) => {
                self.push_at_once(seat.guard, node, value);
                Ok(())
            }
            None => Err(refuse(PushErrorKind::NoSpareNode, value)),
        }
    }

    /// Pushes `node`, which has no value yet, and does not wait after a lost race.
    fn push_at_once(&self, guard: GuardOf<'_, T, R, B>, node: NodePtr<T>, value: impl Source<T>) {
        // SAFETY: GUARD-2: the node is ours and has no value.
        unsafe {
            Node::put(node, value);
            self.head.push(node, node, |top| {
                guard.counters().lost_races(1);
                top
            });
        }
        guard.counters().pushes(1);
    }

    /// Pushes a chain of `count` nodes with values, from within a slot.
    ///
    /// # Safety
    ///
    /// The caller owns the nodes, which hold values.
    pub(super) unsafe fn push_chain(
        &self,
        guard: GuardOf<'_, T, R, B>,
        first: NodePtr<T>,
        last: NodePtr<T>,
        count: usize,
    ) {
        let mut attempt = Attempt::default();
        let wait = |top| {
            // CHEAPER: to wait after each lost race, or after none, takes longer.
            if self.after_lost_race(guard, &mut attempt) != Step::StayAway {
                return top;
            }
            _ = self.meet(guard, &mut attempt, None);
            self.head.top_to_change()
        };
        // SAFETY: the caller's contract.
        unsafe { self.head.push(first, last, wait) };
        guard.counters().pushes(count);
        R::give_back(guard);
    }
}
