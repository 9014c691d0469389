//! The calls that need an allocator, on the engines that have one.

use crate::backoff::Backoff;
use crate::engine::{Permit, sealed::Inner};
use crate::error::{NoSlot, OutOfMemory, PushErrorKind};
use crate::reclaim::Reclaim;
use crate::reclaim::pool::Pool;
use crate::source::{Source, parked};
use crate::treiber::Node;
use crate::{Handle, Stack};
use ::alloc::alloc::handle_alloc_error;
use core::convert::Infallible;

impl<T, R: Reclaim, B: Backoff> Stack<T, R, B> {
    /// The most nodes that `N` slots and the depot hold back at once, for [`Stack::reserve`].
    ///
    /// A stack never has more nodes than its values, or, after calls for interrupt handlers and until the next push or
    /// pop of another kind that succeeds, the most values it ever had at once; plus `IDLE_NODES`, plus
    /// [`SLOT_NODES`](Stack::SLOT_NODES) for each slot beyond `N`, plus the reserved ones (also for a while those that were,
    /// after a [`Stack::reclaim`] while all slots were claimed). See [`TakeAll`](crate::TakeAll) for which values count, and
    /// [`Haphazard`](crate::Haphazard) for what it needs more of. On `Slots`, each slot may besides have two retired nodes more
    /// for each slot beyond `N`.
    pub const IDLE_NODES: usize = R::IDLE_NODES;

    /// The most nodes that each further slot beyond `N` holds back, besides those that wait because of such slots, see
    /// [`IDLE_NODES`](Stack::IDLE_NODES).
    pub const SLOT_NODES: usize = R::SLOT_NODES;

    /// Pushes a value.
    ///
    /// Allocates: when there is no spare node, or no free slot. Waits: no longer than its back-off. Lock-free: as the allocator.
    /// From an interrupt handler: only if the allocator permits it, see [`Stack::push_spare`].
    ///
    /// # Panics
    ///
    /// Without memory it does what `Box::new` does, see [`handle_alloc_error`].
    #[inline]
    pub fn push(&self, value: T) {
        let Ok(()) = parked!(value: T => self.inner.push(None, value, Permit::All, Self::never));
    }

    /// Pushes all values at once, with one compare-exchange for the whole chain; the last one is on top.
    ///
    /// If the iterator panics, no value has been pushed, and those that it has given are dropped. Nodes are got for as
    /// many values at a time as its `size_hint` says are to come, up to [`BATCH`](crate::Slots::BATCH).
    ///
    /// Allocates: for each value for which there is no spare node; when no slot is free. Waits: no longer than its back-off; but
    /// if all slots are claimed at its end and there is no memory for another, until one is free: where that may be for ever, as
    /// in [`Stack::pop`], call [`Stack::push_spare`] for each value. Lock-free: as the allocator and the iterator. From an
    /// interrupt handler: only if the allocator permits it.
    ///
    /// # Panics
    ///
    /// Without memory for a value it does what `Box::new` does, see [`handle_alloc_error`]; the values before that one were
    /// pushed.
    ///
    /// ```
    /// let stack = elimination_stack::Stack::new();
    /// stack.push_all([1, 2, 3]);
    /// assert_eq!(stack.pop(), Some(3));
    /// ```
    pub fn push_all<I: IntoIterator<Item = T>>(&self, values: I) {
        if let Err((kind, ..)) = self.inner.push_all(None, values.into_iter()) {
            Self::give_up(kind);
        }
    }

    /// A handle: keeps a slot claimed, so that its operations need not claim one. The fast path of a worker. There may be any
    /// number, but those in slots beyond `N` make scans longer while they live: these look at all slots up to the newest in use.
    ///
    /// Allocates: when no slot is free, or handles would leave none to others. Waits: never. Lock-free: as the allocator.
    /// From an interrupt handler: no.
    ///
    /// # Panics
    ///
    /// Without memory for a slot it does what `Box::new` does, see [`handle_alloc_error`].
    pub fn handle(&self) -> Handle<'_, T, R, B> {
        self.try_handle().unwrap_or_else(|NoSlot| Self::give_up(PushErrorKind::NoSlot))
    }

    /// Makes `nodes` spare nodes ahead of time, and keeps so many more in circulation instead of giving them back.
    ///
    /// After `reserve(n)`, a system whose values never exceed `n - Stack::IDLE_NODES` never allocates again (nor frees, if there
    /// was nothing in the stack before), and its [`push_spare`](Stack::push_spare) never refuses; on [`Slots<N>`](crate::Slots),
    /// with at most `N` contexts inside at once, not all of them handles (a call that finds each slot claimed in turn, since
    /// others come and go each time that it looks, may make a slot); and if there were more before, with what the further slots
    /// that these have left hold back besides, as [`IDLE_NODES`](Stack::IDLE_NODES) says. Reservations add up; [`Stack::reclaim`]
    /// ends them.
    ///
    /// Allocates: yes, `nodes` nodes. Waits: never. Lock-free: as the allocator. From an interrupt handler: no.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`]; then nothing was reserved.
    ///
    /// ```
    /// use elimination_stack::{OutOfMemory, Stack};
    ///
    /// let stack = Stack::<u32>::new();
    /// stack.reserve(10 + Stack::<u32>::IDLE_NODES)?;
    /// for value in 0..10 {
    ///     stack.push_spare(value).expect("a node is reserved for it");
    /// }
    /// assert_eq!(stack.reserve(usize::MAX), Err(OutOfMemory));
    /// # Ok::<(), OutOfMemory>(())
    /// ```
    pub fn reserve(&self, nodes: usize) -> Result<(), OutOfMemory> {
        R::reserve(&self.inner.pool, nodes)
    }

    /// Reserves nodes for so many values: [`Stack::reserve`] of these and of [`Stack::IDLE_NODES`], which are held back
    /// meanwhile.
    ///
    /// Allocates: yes. Waits: never. Lock-free: as the allocator. From an interrupt handler: no.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`]; then nothing was reserved.
    ///
    /// ```
    /// use elimination_stack::{NoBackoff, OutOfMemory, Slots, Stack};
    ///
    /// static EVENTS: Stack<u16, Slots<2>, NoBackoff> = Stack::custom();
    ///
    /// EVENTS.reserve_for(100)?;
    /// for event in 0..100 {
    ///     EVENTS.push_spare(event).expect("a node is reserved for it");
    /// }
    /// # Ok::<(), OutOfMemory>(())
    /// ```
    pub fn reserve_for(&self, values: usize) -> Result<(), OutOfMemory> {
        self.reserve(values.checked_add(Self::IDLE_NODES).ok_or(OutOfMemory)?)
    }

    /// Gives all spare nodes back to the allocator, reserved ones too, and all retired ones that nobody protects.
    /// Returns how many. Leaves alone what belongs to slots that are claimed, or to a [`TakeAll`](crate::TakeAll); and, if
    /// all slots are, the spare nodes that they share. Until it ends others find none of the shared nodes, and ask the allocator.
    ///
    /// Allocates: never on [`Slots`](crate::Slots). Frees: yes. Waits: never. Lock-free: as the allocator. From an interrupt
    /// handler: no.
    pub fn reclaim(&self) -> usize {
        R::reclaim(&self.inner.pool)
    }

    /// What the stack's counters say now.
    ///
    /// Allocates: never. Waits: never. Lock-free: yes. From an interrupt handler: yes.
    #[cfg(feature = "stats")]
    #[cfg_attr(docsrs, doc(cfg(feature = "stats")))]
    pub fn stats(&self) -> crate::Stats {
        self.inner.pool.stats()
    }

    /// What a push that must not fail does instead.
    #[cold]
    fn never<V: Source<T>>(kind: PushErrorKind, value: V) -> Infallible {
        // UNTESTED: dropped if no memory is a panic, as it may be without `std`. Where the suites run, no memory ends the
        // process.
        let _value = value.into_value();
        Self::give_up(kind)
    }

    /// Does what `Box::new` does without memory.
    #[cold]
    fn give_up(kind: PushErrorKind) -> ! {
        handle_alloc_error(match kind {
            PushErrorKind::NoSlot => Pool::<T, R, B::Local>::LAYOUT,
            _ => Node::<T>::LAYOUT,
        })
    }
}

impl<T, R: Reclaim, B: Backoff> Handle<'_, T, R, B> {
    /// As [`Stack::push`].
    ///
    /// # Panics
    ///
    /// Without memory it does what `Box::new` does.
    #[inline]
    pub fn push(&mut self, value: T) {
        let (inner, seat) = (&self.stack.inner, &mut self.seat);
        let Ok(()) = parked!(value: T => inner.push(Some(seat), value, Permit::All, Stack::<T, R, B>::never));
    }

    /// As [`Stack::push_all`].
    ///
    /// # Panics
    ///
    /// Without memory it does what `Box::new` does.
    pub fn push_all<I: IntoIterator<Item = T>>(&mut self, values: I) {
        if let Err((kind, ..)) = self.stack.inner.push_all(Some(&mut self.seat), values.into_iter()) {
            Stack::<T, R, B>::give_up(kind);
        }
    }
}

impl<T, R: Reclaim, B: Backoff> FromIterator<T> for Stack<T, R, B> {
    /// The last item is on top.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let stack = Self::custom();
        stack.push_all(values);
        stack
    }
}

impl<T, R: Reclaim, B: Backoff> Extend<T> for Stack<T, R, B> {
    /// As [`Stack::push_all`].
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        self.push_all(values);
    }
}

impl<T, R: Reclaim, B: Backoff> Extend<T> for &Stack<T, R, B> {
    /// As [`Stack::push_all`].
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        self.push_all(values);
    }
}

impl<T, R: Reclaim, B: Backoff> Extend<T> for Handle<'_, T, R, B> {
    /// As [`Handle::push_all`].
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        self.push_all(values);
    }
}
