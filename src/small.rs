//! Engines for small machines: a fixed number of nodes, which lie in the stack itself, and no allocator.

mod fixed;
#[cfg(feature = "critical-section")]
mod masked;
mod nodes;
#[cfg(all(test, not(elimination_stack_loom)))]
mod tests;

use self::fixed::FixedStack;
#[cfg(feature = "critical-section")]
use self::masked::MaskedStack;
use self::nodes::{Chain, Link, NONE, Node, Number, Taken};
use crate::backoff::Backoff;
use crate::engine::sealed::{Engine, Inner};
use crate::engine::{Permit, drop_all};
use crate::error::{Left, NoSlot, PushErrorKind};
use crate::source::Source;
use crate::sync::{Initial, initial};
use core::marker::PhantomData;
use core::mem;

/// The engine for programs without an allocator: nodes for `CAP` values lie in the stack itself. Lock-free, as
/// [`Slots<N>`](crate::Slots), on targets with compare-exchange.
///
/// As long as at most `N` contexts are inside at once, a push is refused only if there are `CAP` values already, counting those
/// that a [`TakeAll`](crate::TakeAll) still holds, and those that a [`Stack::try_push_all`](crate::Stack::try_push_all) is about
/// to push: the nodes that slots hold back, at most `N` each, are in the type besides. With more contexts a call may find no
/// slot; then whatever begins with `try_`, and [`Stack::push_spare`](crate::Stack::push_spare), says so, and
/// [`Stack::pop`](crate::Stack::pop) and the iterator of [`Stack::take_all`](crate::Stack::take_all) wait.
///
/// A lost race is followed by the next attempt at once, whatever the back-off: of that only the step of waiting for a slot is
/// used. A [`Handle`](crate::Handle) keeps nothing, and is no faster than the stack.
///
/// `CAP` and `N` are at least 1, and `CAP + N * N` is at most 65535. A node has the size of a value and 2 bytes, as far as
/// alignment permits. A stack whose bits are all zero is empty.
///
/// ```
/// use elimination_stack::{Fixed, PushErrorKind, Stack};
///
/// static READINGS: Stack<u16, Fixed<64>> = Stack::custom();
///
/// for reading in 0..64 {
///     READINGS.try_push(reading).expect("there is room for 64");
/// }
/// assert_eq!(READINGS.pop(), Some(63));
/// ```
///
/// What needs an allocator does not exist:
///
/// ```compile_fail,E0599
/// use elimination_stack::{Fixed, Stack};
///
/// Stack::<u16, Fixed<64>>::custom().push(1);
/// ```
///
/// Nor do stacks without room, or without slots, or with more nodes than that:
///
/// ```compile_fail,E0080
/// use elimination_stack::{Fixed, Stack};
///
/// static NO_ROOM: Stack<u8, Fixed<0>> = Stack::custom();
/// ```
///
/// ```compile_fail,E0080
/// use elimination_stack::{Fixed, Stack};
///
/// static NO_SLOTS: Stack<u8, Fixed<64, 0>> = Stack::custom();
/// ```
///
/// ```compile_fail,E0080
/// use elimination_stack::{Fixed, Stack};
///
/// static MANY_NODES: Stack<u8, Fixed<65532, 2>> = Stack::custom();
/// ```
///
/// ```compile_fail,E0080
/// use elimination_stack::{Fixed, Stack};
///
/// static MANY_SLOTS: Stack<u8, Fixed<1, 256>> = Stack::custom();
/// ```
#[derive(Debug)]
pub enum Fixed<const CAP: usize, const N: usize = 2> {}

/// The engine for one core, and for cores without compare-exchange: nodes for `CAP` values lie in the stack itself, and each
/// push or pop is one critical section of a fixed number of instructions. So it is **not lock-free**. A `try_push_all` has one
/// for each value and one more, the iterator of a `take_all` one for each value.
///
/// What a critical section is, the final program says, by the crate [`critical-section`](https://docs.rs/critical-section). On
/// several cores it has to be one that spans them; one that masks the interrupts of its own core alone is not enough there.
/// Whoever wants to enter it waits for whoever is inside, on all calls.
///
/// A push is refused only if there are `CAP` values already, counting those that a [`TakeAll`](crate::TakeAll) still holds, and
/// those that a [`Stack::try_push_all`](crate::Stack::try_push_all) is about to push. A back-off has no meaning. A
/// [`Handle`](crate::Handle) keeps nothing, and is no faster than the stack.
///
/// `CAP` is at least 1 and at most 65535. A node has the size of a value and 2 bytes, as far as alignment permits; large values
/// take long to move in a critical section, so they go in as references or numbers. A stack whose bits are all zero is empty.
///
/// ```
/// # extern crate critical_section;
/// use elimination_stack::{Masked, NoBackoff, Stack};
///
/// static EVENTS: Stack<u16, Masked<64>, NoBackoff> = Stack::custom();
///
/// EVENTS.interrupt().push(7).expect("there is room for 64");
/// assert_eq!(EVENTS.pop(), Some(7));
/// ```
///
/// Other numbers of values do not compile:
///
/// ```compile_fail,E0080
/// use elimination_stack::{Masked, Stack};
///
/// static NO_ROOM: Stack<u8, Masked<0>> = Stack::custom();
/// ```
///
/// ```compile_fail,E0080
/// use elimination_stack::{Masked, Stack};
///
/// static MANY: Stack<u8, Masked<65536>> = Stack::custom();
/// ```
#[cfg(feature = "critical-section")]
#[cfg_attr(docsrs, doc(cfg(feature = "critical-section")))]
#[derive(Debug)]
pub enum Masked<const CAP: usize> {}

impl<const CAP: usize, const N: usize> Engine for Fixed<CAP, N> {
    type Inner<T, B: Backoff> = InPlace<FixedStack<T, CAP, N>, B>;
}

#[cfg(feature = "critical-section")]
impl<const CAP: usize> Engine for Masked<CAP> {
    type Inner<T, B: Backoff> = InPlace<MaskedStack<T, CAP>, B>;
}

/// A stack with its nodes in place, as either engine makes it. Dropping it leaks the values.
///
/// A number of a node, a chain or what was taken only ever comes back to the stack that it came from. Here nobody else has one
/// but a [`TakeAll`](crate::TakeAll), by the contract of [`Inner::next`].
pub trait Place: Initial {
    type Value;
    /// What links the nodes.
    type Link: Link;

    /// Whether there is no value, at the moment.
    fn is_empty(&self) -> bool;

    /// Pushes a value, or gives it back: if there is no node, or all slots are claimed.
    fn try_push<V: Source<Self::Value>>(&self, value: V) -> Result<(), (PushErrorKind, V)>;

    /// Pops the value on top, if there is one.
    fn try_pop(&self) -> Result<Option<Self::Value>, NoSlot>;

    /// Takes all values at once.
    fn detach(&self) -> Taken;

    /// The node of this number.
    fn node(&self, number: Number) -> &Node<Self::Value, Self::Link>;

    /// Lets a node without a value go that was taken out, if there is a slot for that.
    fn let_go(&self, number: Number) -> Result<(), NoSlot>;

    /// Gives `action` the next value of those that were taken, if there is one, where it is; `action` moves it out, or drops it.
    /// Each one's node needs a slot to go; if there is none, the next call needs one.
    ///
    /// # Safety
    ///
    /// They were taken from this stack, and what `action` gets is no value any more afterwards, even if it unwinds.
    unsafe fn next<O>(&self, taken: &mut Taken, action: impl Fn(*mut Self::Value) -> O) -> Result<Option<O>, NoSlot> {
        self.settle(taken)?;
        // SAFETY: the node is the caller's since it was detached, and has a value.
        let done = self.pass(taken).map(|node| unsafe { node.end_value(&action) });
        // If the node cannot go now, it does next time: the value can go now.
        _ = self.settle(taken);
        Ok(done)
    }

    /// Goes on to the next node, and notes that this one is to go, before its value goes, which may unwind.
    fn pass(&self, taken: &mut Taken) -> Option<&Node<Self::Value, Self::Link>> {
        let number = taken.first;
        if number == NONE {
            return None;
        }
        let node = self.node(number);
        taken.first = node.link.number();
        taken.emptied = number;
        Some(node)
    }

    /// Lets the node without a value go, if there is one, and a slot.
    fn settle(&self, taken: &mut Taken) -> Result<(), NoSlot> {
        if taken.emptied != NONE {
            self.let_go(taken.emptied)?;
            taken.emptied = NONE;
        }
        Ok(())
    }

    /// Takes a node for a value to come.
    fn take_node(&self) -> Result<Number, PushErrorKind>;

    /// Adds a value, in a node, on top of a chain of others.
    ///
    /// # Safety
    ///
    /// The nodes are this stack's; this one is the caller's, and has no value.
    unsafe fn add(&self, chain: &mut Chain, number: Number, value: Self::Value) {
        let node = self.node(number);
        // SAFETY: the caller's contract.
        unsafe { node.put(value) };
        node.link.lead_to(chain.first);
        if chain.first == NONE {
            chain.last = number;
        }
        chain.first = number;
    }

    /// Pushes all values of a chain at once.
    ///
    /// # Safety
    ///
    /// The nodes are this stack's.
    unsafe fn link_chain(&self, chain: Chain);
}

/// A [`Place`] as the inside of a stack. Dropping it drops the values.
#[repr(transparent)]
pub struct InPlace<S: Place, B: Backoff>(S, PhantomData<B>);

initial! { impl[S: Place, B: Backoff] InPlace<S, B> { 0, 1 } }

impl<S: Place, B: Backoff> Drop for InPlace<S, B> {
    fn drop(&mut self) {
        let mut taken = self.0.detach();
        // The nodes end with the stack, so none of them needs a slot to go.
        drop_all(|| {
            let node = self.0.pass(&mut taken);
            // SAFETY: the node is ours since it was detached, and has a value; `pass` has gone on, in case this unwinds.
            node.map(|node| unsafe { node.end_value(|value| value.drop_in_place()) }).is_some()
        });
    }
}

impl<S: Place, B: Backoff> InPlace<S, B> {
    /// Tries again as long as all slots are claimed.
    #[inline(always)]
    fn wait_for_slot<O>(&self, mut action: impl FnMut(&S) -> Result<O, NoSlot>) -> O {
        loop {
            match action(&self.0) {
                Ok(done) => return done,
                Err(NoSlot) => B::relax(),
            }
        }
    }
}

impl<S: Place, B: Backoff> Inner<S::Value> for InPlace<S, B> {
    /// Nothing.
    type Seat<'a>
        = ()
    where
        Self: 'a;
    type Taken = Taken;

    #[inline]
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    fn push<V: Source<S::Value>, E>(
        &self,
        _: Option<&mut ()>,
        value: V,
        _: Permit,
        refuse: impl FnOnce(PushErrorKind, V) -> E,
    ) -> Result<(), E> {
        self.0.try_push(value).map_err(|(kind, value)| refuse(kind, value))
    }

    #[inline]
    fn pop(&self, _: Option<&mut ()>, permit: Permit) -> Result<Option<S::Value>, NoSlot> {
        match permit {
            Permit::All => Ok(self.wait_for_slot(S::try_pop)),
            Permit::Nothing => self.0.try_pop(),
        }
    }

    fn pop_mut(&mut self) -> Option<S::Value> {
        // Nobody else has a slot.
        self.wait_for_slot(S::try_pop)
    }

    fn push_all<I: Iterator<Item = S::Value>>(&self, _: Option<&mut ()>, mut values: I) -> Result<(), Left<I>> {
        let mut pending = Pending { stack: self, chain: Chain::EMPTY };
        let pushed = loop {
            let Some(value) = values.next() else {
                // Before they are pushed: that may unwind, and then none is.
                drop(values);
                break Ok(());
            };
            match self.0.take_node() {
                // SAFETY: the node is ours, has no value, and is this stack's, as are the chain's.
                Ok(node) => unsafe { self.0.add(&mut pending.chain, node, value) },
                Err(kind) => break Err((kind, value, values)),
            }
        };
        // SAFETY: the nodes are this stack's.
        unsafe { self.0.link_chain(mem::replace(&mut pending.chain, Chain::EMPTY)) };
        pushed
    }

    fn detach(&self) -> Taken {
        self.0.detach()
    }

    fn has_none(taken: &Taken) -> bool {
        taken.first == NONE
    }

    unsafe fn next<O>(&self, taken: &mut Taken, action: impl Fn(*mut S::Value) -> O) -> Option<O> {
        // SAFETY: the caller's contract.
        self.wait_for_slot(|stack| unsafe { stack.next(taken, &action) })
    }

    fn sit(&self) -> Option<()> {
        Some(())
    }

    unsafe fn stand(&self, (): &mut ()) {}
}

/// A chain of values that is not pushed yet. Dropping it drops the values.
struct Pending<'a, S: Place, B: Backoff> {
    stack: &'a InPlace<S, B>,
    chain: Chain,
}

impl<S: Place, B: Backoff> Drop for Pending<'_, S, B> {
    fn drop(&mut self) {
        let mut taken = Taken::from_first(self.chain.first);
        // SAFETY: the chain's nodes are this stack's. The value is dropped.
        drop_all(|| unsafe { self.stack.next(&mut taken, |value| value.drop_in_place()).is_some() });
    }
}
