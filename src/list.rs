//! A stack whose nodes come from the allocator: a lock-free list, an engine that reclaims its nodes, and a back-off.

mod many;
mod pop;
mod push;
mod seat;
mod session;

use self::many::{Pending, Taken};
use self::seat::Seat;
use crate::backoff::{Backoff, sealed::Strategy};
use crate::engine::{self, Permit, drop_all, sealed::Inner};
use crate::error::{Left, NoSlot, PushErrorKind};
use crate::layout::Padded;
use crate::reclaim::pool::Pool;
use crate::reclaim::{Guard, Reclaim, sealed::Heap};
use crate::source::Source;
use crate::sync::initial;
use crate::treiber::{Head, Node};

type GuardOf<'a, T, R, B> = Guard<'a, T, R, <B as Strategy>::Local>;

impl<R: Heap> engine::sealed::Engine for R {
    type Inner<T, B: Backoff> = SharedList<T, R, B>;
}

/// The list, and what its operations share.
// In this order the words that are used most are at the shortest offsets, which saves instructions on microcontrollers.
#[repr(C)]
pub struct SharedList<T, R: Reclaim, B: Backoff> {
    // What every operation writes, on a cache line of its own.
    head: Padded<Head<T>>,
    pub(crate) pool: Pool<T, R, B::Local>,
    exchangers: B::Shared<T>,
}

initial! { impl[T, R: Reclaim, B: Backoff] SharedList<T, R, B> { head, pool, exchangers } }

impl<T, R: Reclaim, B: Backoff> Inner<T> for SharedList<T, R, B> {
    type Seat<'a>
        = Seat<'a, T, R, B>
    where
        Self: 'a;
    type Taken = Taken<T>;

    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.head.top().is_null()
    }

    #[inline(always)]
    fn push<'a, V: Source<T>, E>(
        &'a self,
        seat: Option<&mut Seat<'a, T, R, B>>,
        value: V,
        permit: Permit,
        refuse: impl FnOnce(PushErrorKind, V) -> E,
    ) -> Result<(), E> {
        match (seat, permit) {
            (None, Permit::All) => self.push_from_any_slot(value, refuse),
            (None, Permit::Nothing) => self.push_without_waiting(value, refuse),
            (Some(seat), Permit::All) => self.push_from(seat.session(), value, seat.kept.get_mut(), refuse),
            (Some(seat), Permit::Nothing) => self.push_from_seat_without_waiting(seat, value, refuse),
        }
    }

    #[inline(always)]
    fn pop<'a>(&'a self, seat: Option<&mut Seat<'a, T, R, B>>, permit: Permit) -> Result<Option<T>, NoSlot> {
        match (seat, permit) {
            (None, Permit::All) => Ok(self.pop_from_any_slot()),
            (None, Permit::Nothing) => self.pop_without_waiting(),
            (Some(seat), Permit::All) => Ok(self.pop_from_seat(seat)),
            (Some(seat), Permit::Nothing) => Ok(self.pop_protecting(seat.session(), Permit::Nothing)),
        }
    }

    fn pop_mut(&mut self) -> Option<T> {
        let node = self.head.0.pop_mut()?;
        // SAFETY: `&mut self`: the node is ours, holds a value, and nobody protects it.
        unsafe {
            let value = Node::take(node);
            Node::free(node);
            Some(value)
        }
    }

    fn push_all<'a, I: Iterator<Item = T>>(
        &'a self,
        seat: Option<&mut Seat<'a, T, R, B>>,
        values: I,
    ) -> Result<(), Left<I>> {
        let mut pending = Pending::new(self, seat.map(|seat| seat.guard));
        let added = pending.add_all(values);
        pending.push();
        added
    }

    fn detach(&self) -> Taken<T> {
        Taken::new(self.head.detach())
    }

    fn has_none(taken: &Taken<T>) -> bool {
        taken.is_empty()
    }

    #[inline]
    unsafe fn next<O>(&self, taken: &mut Taken<T>, action: impl Fn(*mut T) -> O) -> Option<O> {
        // SAFETY: the caller's contract.
        unsafe { self.next_taken(taken, action) }
    }

    fn sit(&self) -> Option<Seat<'_, T, R, B>> {
        self.pool.claim_to_stay().map(Seat::new)
    }

    unsafe fn stand<'a>(&'a self, seat: &mut Seat<'a, T, R, B>) {
        // SAFETY: the seat is not used any more, and with it its guard.
        unsafe { seat.guard.end_stay() };
    }
}

impl<T, R: Reclaim, B: Backoff> Drop for SharedList<T, R, B> {
    fn drop(&mut self) {
        let mut emptied = None;
        drop_all(|| {
            // After a panic in a value's `Drop`, too.
            if let Some(node) = emptied.take() {
                // SAFETY: `&mut self`: the node is ours, and nobody protects it.
                unsafe { Node::free(node) };
            }
            emptied = self.head.0.pop_mut();
            if let Some(node) = emptied {
                // SAFETY: the node is ours and holds a value.
                unsafe { Node::end_value(node, |value| value.drop_in_place()) };
            }
            emptied.is_some()
        });
    }
}
