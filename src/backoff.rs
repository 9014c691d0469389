//! The seam to the back-off: what an operation does after it lost the race for the head.
//!
//! # Contract
//!
//! [`sealed::Strategy::push`] either returns `false`, and the caller still owns the node; or `true`, and the
//! node with its value belongs to a concurrent pop. [`sealed::Strategy::pop`] returns a node with a value, which
//! the caller owns, or nothing. Both return after a bounded time, so in the end an operation is always back at
//! the list and nobody starves.

pub(crate) mod balance;
pub(crate) mod elimination;
pub(crate) mod exchanger;
pub(crate) mod patience;

use self::patience::Patience;
use crate::model::{self, limit};
use crate::stats::Counters;
use crate::sync::{Initial, initial, relax, spin_loop};
use crate::treiber::NodePtr;
use core::marker::PhantomData;
use spin::{RelaxStrategy, Spin};

pub use elimination::Elimination;

/// What an operation does.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Push,
    Pop,
}

/// How many steps one operation has waited, in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited(u16);

impl Waited {
    pub(crate) const NOTHING: Self = Self(0);

    /// Whether there was a wait before.
    pub(crate) fn any(self) -> bool {
        self.0 > 0
    }

    /// Waits `steps` more, but no more than `most` in all: how many that are.
    pub(crate) fn more(&mut self, steps: u16, most: u16) -> u16 {
        let steps = steps.min(most - self.0);
        self.0 += steps;
        steps
    }
}

/// A back-off: what an operation does after it lost a race. Its waits end after some steps, whether or not others go on, so a
/// context may wait beside those that it has preempted. Implemented by [`NoBackoff`], [`Exponential`] and
/// [`Elimination`]; sealed.
pub trait Backoff: sealed::Strategy {}

impl<B: sealed::Strategy> Backoff for B {}

pub mod sealed {
    //! The seam itself, out of the users' reach.

    use super::{Counters, Initial, NodePtr, Waited};

    /// What a slot keeps for its back-off.
    pub trait Local: Initial {
        /// The slot's owner has popped so many nodes more, and pushes too, if it is `mixed`.
        #[inline(always)]
        fn worked(&mut self, _nodes: usize, _mixed: bool) {}
    }

    impl Local for () {}

    /// A back-off strategy, as a name for its state.
    pub trait Strategy {
        /// What the operations on one stack share.
        type Shared<T>: Initial;
        /// What a slot keeps from one operation to the next.
        type Local: Local;

        /// After a push lost a race, which has `waited` before. `true` if a pop has taken the node.
        ///
        /// # Safety
        ///
        /// The caller owns the node, which holds a value; if this returns `true`, not any more.
        unsafe fn push<T>(
            shared: &Self::Shared<T>,
            local: &mut Self::Local,
            waited: &mut Waited,
            counters: &Counters,
            node: NodePtr<T>,
        ) -> bool;

        /// After a pop lost a race. A node with a value, if a push has given it.
        fn pop<T>(
            shared: &Self::Shared<T>,
            local: &mut Self::Local,
            waited: &mut Waited,
            counters: &Counters,
        ) -> Option<NodePtr<T>>;

        /// Whether the slot's next push or pop shall begin with [`Strategy::push`] or [`Strategy::pop`], as if it had lost a
        /// race already.
        #[inline(always)]
        fn exchanges_first(_: &Self::Local) -> bool {
            // CHEAPER: to wait before there is a lost race only takes time.
            false
        }

        /// After a push that nothing can be exchanged with lost a race.
        fn wait(local: &mut Self::Local, waited: &mut Waited);

        /// One step of waiting for somebody else.
        fn relax();
    }
}

/// No back-off: a lost race is followed by the next attempt at once.
///
/// The right choice on one core, where waiting can only cost, and where little contention is expected.
#[derive(Debug)]
pub enum NoBackoff {}

impl sealed::Strategy for NoBackoff {
    type Shared<T> = ();
    type Local = ();

    #[inline(always)]
    unsafe fn push<T>(_: &(), _: &mut (), _: &mut Waited, _: &Counters, _: NodePtr<T>) -> bool {
        Self::relax();
        false
    }

    #[inline(always)]
    fn pop<T>(_: &(), _: &mut (), _: &mut Waited, _: &Counters) -> Option<NodePtr<T>> {
        Self::relax();
        None
    }

    #[inline(always)]
    fn wait(_: &mut (), _: &mut Waited) {
        Self::relax();
    }

    #[inline(always)]
    fn relax() {
        // Nothing, but under loom, where others have to run.
        if cfg!(elimination_stack_loom) {
            spin_loop();
        }
    }
}

initial! { impl[] () = () }

/// Exponential back-off: waiting after each lost race, longer if it is lost again, or after many pops without one, shorter
/// once it is won; but see [`Handle`](crate::Handle). A wait is at most 512 steps long, and one call waits
/// [`MOST_STEPS`](Exponential::MOST_STEPS) in all at most, however often it loses.
///
/// `Relax` says what one step of waiting is: [`Spin`] is the processor's hint for spinning. A panic in it aborts.
pub struct Exponential<Relax = Spin>(PhantomData<Relax>);

impl<Relax> Exponential<Relax> {
    /// The most steps of waiting that one call takes in all, whatever happens; [`Stack::pop`](crate::Stack::pop) besides, if all
    /// slots are claimed, as many as it takes until one is free.
    pub const MOST_STEPS: u16 = limit(8192, model::MOST_STEPS);
}

impl<Relax: RelaxStrategy> sealed::Strategy for Exponential<Relax> {
    type Shared<T> = ();
    type Local = Patience;

    unsafe fn push<T>(_: &(), local: &mut Patience, waited: &mut Waited, _: &Counters, _: NodePtr<T>) -> bool {
        Self::wait(local, waited);
        false
    }

    fn pop<T>(_: &(), local: &mut Patience, waited: &mut Waited, _: &Counters) -> Option<NodePtr<T>> {
        Self::wait(local, waited);
        None
    }

    #[cold]
    fn wait(local: &mut Patience, waited: &mut Waited) {
        /// The longest wait. As nobody can end it early, it is shorter than one for an exchange. With 4096, simulated pairs on
        /// 64 cores rise from 32 to 50 operations per microsecond on one socket, and from 7 to 47 in clusters.
        const MOST: u16 = limit(512, model::RELAXES);
        relax_for::<Relax>(waited.more(local.lost(waited.any(), MOST), Self::MOST_STEPS));
    }

    #[inline]
    fn relax() {
        relax::<Relax>();
    }
}

/// As many steps of waiting.
pub(crate) fn relax_for<Relax: RelaxStrategy>(relaxes: u16) {
    for _ in 0..relaxes {
        relax::<Relax>();
    }
}
