//! One pop: the common way, which calls nothing, and all other ways; see "Two ways" in [`push`](super::push).

use super::SharedList;
use super::seat::Seat;
use super::session::{Session, Step};
use crate::backoff::exchanger::Visit;
use crate::backoff::{Attempt, Backoff};
use crate::engine::Permit;
use crate::error::NoSlot;
use crate::layout::{FAST_PATHS, slow_path};
use crate::reclaim::{Reclaim, Search};
use crate::treiber::{Node, NodePtr};
use core::ptr::{self, NonNull};

impl<T, R: Reclaim, B: Backoff> SharedList<T, R, B> {
    /// Pops from within the slot that this context tries first, or from another one, for which it may wait.
    #[inline(always)]
    pub(super) fn pop_from_any_slot(&self) -> Option<T> {
        let top = NonNull::new(self.head.top())?;
        if FAST_PATHS {
            if let Some(session) = self.enter(Search::Home, Some(top)) {
                return self.pop_from_claimed(session, top);
            }
        }
        self.pop_from_other_slot(top)
    }

    /// Pops from within a slot that was claimed for it, whose hazard is `top`.
    #[inline(always)]
    fn pop_from_claimed(&self, session: Session<'_, T, R, B, false>, top: NodePtr<T>) -> Option<T> {
        let step = Self::first_step(*session);
        // CHEAPER: it only decides what is tried first, and in which code.
        if !FAST_PATHS || step == Step::StayAway {
            return self.pop_slowly(session, top.as_ptr(), step, Permit::All);
        }
        self.pop_from(session, top)
    }

    /// Pops without the allocator.
    pub(super) fn pop_without_waiting(&self) -> Result<Option<T>, NoSlot> {
        let Some(top) = NonNull::new(self.head.top()) else { return Ok(None) };
        let session = self.enter(Search::Free, Some(top)).ok_or(NoSlot)?;
        Ok(self.pop_slowly(session, top.as_ptr(), Step::Try, Permit::Nothing))
    }

    slow_path! {
        fn pop_from_other_slot(&self, mut top: NodePtr<T>) -> Option<T> {
            loop {
                if let Some(session) = self.enter(Search::Free, Some(top)) {
                    return self.pop_from_claimed(session, top);
                }
                B::relax();
                top = NonNull::new(self.head.top())?;
            }
        }
    }

    /// Pops through a handle. It takes what it keeps for the top, without a look: the hazard is shown already, and if the guess
    /// is wrong, the exchange still brings the head's cache line for writing. Where code is short it keeps nothing.
    #[inline(always)]
    pub(super) fn pop_from_seat<'a>(&'a self, seat: &mut Seat<'a, T, R, B>) -> Option<T> {
        let session = seat.session();
        let Some(kept) = seat.kept.get() else { return self.pop_protecting(session, Permit::All) };
        if Self::first_step(*session) == Step::StayAway {
            return self.pop_slowly(session, ptr::null_mut(), Step::StayAway, Permit::All);
        }
        match kept.pop(&self.head, *session) {
            None => self.pop_other(session, NonNull::new(self.head.top())?),
            Some(Ok(node)) => Some(Self::finish_pop(session, node)),
            Some(Err(top)) => self.pop_interleaved(session, top),
        }
    }

    /// Pops through a handle that keeps nothing. Out of line, so that a pop is short enough to be in line where pushes and pops
    /// alternate. tuning.md, "Code paths".
    #[inline(never)]
    fn pop_other(&self, session: Session<'_, T, R, B, true>, top: NodePtr<T>) -> Option<T> {
        R::protect(*session, top);
        self.pop_from(session, top)
    }

    slow_path! {
        /// Pops through a handle, after the exchange has found another `top` than the node that is kept.
        fn pop_interleaved(&self, session: Session<'_, T, R, B, true>, top: *mut Node<T>) -> Option<T> {
            if let Some(top) = NonNull::new(top) {
                return self.pop_other(session, top);
            }
            session.release();
            None
        }
    }

    /// Pops from within a handle's slot, without a look at what is kept.
    #[inline(always)]
    pub(super) fn pop_protecting(&self, session: Session<'_, T, R, B, true>, permit: Permit) -> Option<T> {
        let top = NonNull::new(self.head.top())?;
        R::protect(*session, top);
        self.pop_slowly(session, top.as_ptr(), Step::Try, permit)
    }

    /// Pops from within a slot, whose hazard is `top`.
    #[inline(always)]
    fn pop_from<const STAYS: bool>(&self, session: Session<'_, T, R, B, STAYS>, top: NodePtr<T>) -> Option<T> {
        // SAFETY: the guard has published the hazard.
        match unsafe { self.head.try_pop(top.as_ptr()) } {
            Ok(node) => Some(Self::finish_pop(session, node)),
            Err(top) => self.pop_slowly(session, top, Step::LostRace, Permit::All),
        }
    }

    slow_path! {
        /// Pops from within a slot: what it protects, if it begins with [`Step::Try`], is `top`; after [`Step::LostRace`], `top`
        /// is what it has found instead. Backs off if the allocator is permitted.
        fn pop_slowly<const STAYS: bool>(
            &self,
            session: Session<'_, T, R, B, STAYS>,
            mut top: *mut Node<T>,
            mut step: Step,
            permit: Permit,
        ) -> Option<T> {
            let mut attempt = Attempt::default();
            let node = loop {
                if step == Step::Try {
                    // SAFETY: the guard has published the hazard.
                    match unsafe { self.head.try_pop(top) } {
                        Ok(node) => {
                            session.release();
                            break node;
                        }
                        Err(other) => top = other,
                    }
                    step = Step::LostRace;
                }
                // CHEAPER: who decides anew without a lost race counts one too many, and takes longer.
                if step == Step::LostRace {
                    if permit == Permit::Nothing {
                        session.counters().lost_races(1);
                    } else {
                        step = self.after_lost_race(*session, &mut attempt);
                    }
                    // CHEAPER: to take the hazard away in any case takes longer, since another one is shown below.
                    if FAST_PATHS && step == Step::StayAway {
                        // Whoever meets a push ends with that, and must not keep what it has not pushed (KEPT-1). Besides, who
                        // waits needs no node, and others' scans are quick if nobody protects any. tuning.md, "Scans and nodes".
                        R::unprotect(*session);
                    }
                }
                // CHEAPER: who looks for a partner without need takes longer.
                if step == Step::StayAway {
                    // Whoever begins here leaves the head and its hazard alone, so it takes no cache line from whoever works on
                    // the list, and what a handle keeps stays kept.
                    if let Ok(Some(node)) = self.meet(*session, &mut attempt, Some(&Visit::pop())) {
                        session.counters().eliminated_pops(1);
                        break node;
                    }
                    top = self.head.top_to_change();
                }
                let Some(found) = NonNull::new(top) else {
                    session.release();
                    session.end();
                    return None;
                };
                R::protect(*session, found);
                step = Step::Try;
            };
            Some(Self::finish_pop_slowly(session, node, permit))
        }
    }

    /// The end of a pop that has won `node` from the list, and needs its hazard no more.
    #[inline(always)]
    fn finish_pop<const STAYS: bool>(session: Session<'_, T, R, B, STAYS>, node: NodePtr<T>) -> T {
        session.release();
        if R::is_due(*session) {
            return Self::finish_pop_slowly(session, node, Permit::All);
        }
        // SAFETY: the node is ours, from this stack, and nothing is due.
        let value = unsafe { session.take_value(node) };
        session.end();
        value
    }

    slow_path! {
        /// The same, if something may be due, and wherever the node came from.
        fn finish_pop_slowly<const STAYS: bool>(
            session: Session<'_, T, R, B, STAYS>,
            node: NodePtr<T>,
            permit: Permit,
        ) -> T {
            // SAFETY: the node is ours, from this stack; what is due is settled.
            let value = unsafe { session.take_value(node) };
            R::settle(*session, permit);
            session.end();
            value
        }
    }
}
