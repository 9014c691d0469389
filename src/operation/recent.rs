//! What a handle remembers, and how its operations begin with it.

use super::kept::Kept;
use super::stay::{Lent, Stay};
use super::{Past, exchanges_first, popped, pushed_in};
use crate::Stack;
use crate::backoff::Backoff;
use crate::backoff::balance::Balance;
use crate::error::Outcome;
use crate::layout::slow_path;
use crate::model;
use crate::reclaim::{Guard, Permit, Reclaim};
use crate::stack::GuardOf;

use crate::treiber::{Node, NodePtr};
use core::ptr::NonNull;

/// What a handle remembers of its last operations: so it knows whether others have come in between, and whether it has to wait
/// for them, see [`Balance`].
pub(crate) struct Recent<T> {
    /// So pushes and pops in turn leave it as it is, and the pop need not read the node's link. Together with spare nodes that
    /// are not counted that saves 0.6 ns of 11.5; each of the two alone saves 0.1 at most (medians of 8 samples).
    pub(super) kept: Kept<T>,
    /// The next operation begins with an exchange in the array; or, if it is a push, with one of the head, without a look.
    detour: bool,
    pub(super) balance: Balance,
}

impl<T> Recent<T> {
    pub(crate) const NOTHING: Self = Self { kept: Kept::NOTHING, detour: model::GUESSES, balance: Balance::NEW };

    /// Decides how the next operation begins.
    pub(super) fn prepare<'a, R: Reclaim + 'a, B: Backoff + 'a>(&mut self, guard: &mut GuardOf<'a, T, R, B>)
    where
        T: 'a,
    {
        self.detour = self.balance.guesses() || exchanges_first::<T, R, B>(guard);
    }
}

/// Whether an operation that lost a race goes on at once; only a handle's may, which remembers something `recent`.
pub(super) fn goes_on<T>(recent: &mut Option<&mut Recent<T>>, past: &mut Past) -> bool {
    let goes_on = recent.as_mut().is_some_and(|recent| match *past {
        Past::LostUnpaired => recent.balance.at_once(),
        past => recent.balance.goes_on(!past.is_lost_race()),
    });
    if goes_on && past.is_lost_race() {
        *past = Past::Nothing;
    }
    goes_on
}

impl<T, R: Reclaim, B: Backoff> Stack<T, R, B> {
    /// Pushes, through a handle, a node with a value.
    ///
    /// It leaves the node protected (contract 5), so that a pop which finds it on top has nothing to publish. In turn they make
    /// two read-modify-writes then, as the list alone does, and not three: pairs on 1, 2 and 8 threads take 0.84, 0.85 and 0.83
    /// of the time where each takes 8 ns (x86-64, 2 cores, medians of 15 samples).
    #[inline(always)]
    pub(super) fn push_recent<'a, G: Stay<GuardOf<'a, T, R, B>>, O: Outcome<T>>(
        &'a self,
        mut guard: G,
        node: NodePtr<T>,
        recent: &mut Recent<T>,
    ) -> O {
        if recent.detour {
            return self.push_detour(guard, node, recent);
        }
        let top = self.head.top();
        if !recent.kept.is_undisturbed(top, &*guard) {
            return self.push_above(guard, node, top, recent);
        }
        // SAFETY: the node is ours.
        if unsafe { recent.kept.push(&self.head, &mut *guard, node, top) }.is_err() {
            return self.push_node(guard, node, Past::LostRace, Some(recent));
        }
        pushed_in::<T, R, B, O, G>(guard)
    }

    slow_path! {
        /// Pushes, through a handle, a node with a value: through an exchange in the array; or to the list, perhaps without a look.
        fn push_detour<'a, G: Stay<GuardOf<'a, T, R, B>>, O: Outcome<T>>(
            &'a self,
            mut guard: G,
            node: NodePtr<T>,
            recent: &mut Recent<T>,
        ) -> O {
            if exchanges_first::<T, R, B>(&mut guard) {
                return self.push_exchanging(guard, node, Some(recent));
            }
            recent.detour = recent.balance.guesses();
            let top = if recent.detour { recent.kept.top(&*guard) } else { self.head.top() };
            // SAFETY: the node is ours.
            if let Err(top) = unsafe { recent.kept.push(&self.head, &mut *guard, node, top) } {
                return self.push_above(guard, node, top, recent);
            }
            pushed_in::<T, R, B, O, G>(guard)
        }
    }

    slow_path! {
        /// Pushes, through a handle, a node with a value above what others have made the `top`.
        fn push_above<'a, G: Stay<GuardOf<'a, T, R, B>>, O: Outcome<T>>(
            &'a self,
            mut guard: G,
            node: NodePtr<T>,
            top: *mut Node<T>,
            recent: &mut Recent<T>,
        ) -> O {
            // SAFETY: the node is ours.
            if unsafe { recent.kept.push(&self.head, &mut *guard, node, top) }.is_err() {
                return self.push_node(guard, node, Past::LostRace, Some(recent));
            }
            recent.balance.interleaved(guard.retired());
            recent.prepare::<R, B>(&mut guard);
            pushed_in::<T, R, B, O, G>(guard)
        }
    }

    /// Pops through a handle.
    #[inline(always)]
    pub(crate) fn pop_recent<'a>(
        &'a self,
        mut guard: Lent<GuardOf<'a, T, R, B>>,
        recent: Option<&mut Recent<T>>,
    ) -> Option<T> {
        let Some(recent) = recent else {
            // Then there are only the general functions.
            let top = NonNull::new(self.head.top())?;
            guard.protect(top);
            return self.pop_slowly(guard, top, Past::Nothing, Permit::Allocator, None);
        };
        if recent.detour {
            return self.pop_detour(guard, recent);
        }
        self.pop_listed(guard, recent)
    }

    /// Pops, through a handle, from the list. It takes what it keeps for the top, without a look: the hazard is shown already, and if
    /// the guess is wrong, the exchange still brings the line for writing.
    #[inline(always)]
    fn pop_listed<'a>(&'a self, mut guard: Lent<GuardOf<'a, T, R, B>>, recent: &mut Recent<T>) -> Option<T> {
        match recent.kept.pop(&self.head, &*guard) {
            None => self.pop_other(guard, NonNull::new(self.head.top())?, recent),
            Some(Ok(node)) => {
                guard.release();
                Some(popped::<T, R, B, _>(guard, node, true))
            }
            Some(Err(top)) => self.pop_interleaved(guard, top, recent),
        }
    }

    /// Pops, through a handle that keeps nothing. Out of line, so that a pop is short enough to be in line where pushes and pops
    /// alternate: pairs take 0.2 to 0.3 ns less.
    #[inline(never)]
    fn pop_other<'a>(
        &'a self,
        mut guard: Lent<GuardOf<'a, T, R, B>>,
        top: NodePtr<T>,
        recent: &mut Recent<T>,
    ) -> Option<T> {
        guard.protect(top);
        self.pop_in(guard, top, Some(recent), Past::LostUnpaired)
    }

    slow_path! {
        /// Pops, through a handle, by an exchange in the array, if operations begin with one; or from the list.
        fn pop_detour<'a>(&'a self, mut guard: Lent<GuardOf<'a, T, R, B>>, recent: &mut Recent<T>) -> Option<T> {
            if exchanges_first::<T, R, B>(&mut guard) {
                return self.pop_exchanging(guard, Some(recent));
            }
            recent.detour = recent.balance.guesses();
            self.pop_listed(guard, recent)
        }
    }

    slow_path! {
        /// Pops from within a slot what others have made the `top`.
        fn pop_interleaved<'a>(
            &'a self,
            mut guard: Lent<GuardOf<'a, T, R, B>>,
            top: *mut Node<T>,
            recent: &mut Recent<T>,
        ) -> Option<T> {
            recent.balance.interleaved(guard.retired());
            recent.prepare::<R, B>(&mut guard);
            let Some(top) = NonNull::new(top) else {
                guard.release();
                return None;
            };
            guard.protect(top);
            self.pop_in(guard, top, Some(recent), Past::LostRace)
        }
    }
}
