//! The seam to the back-off: what an operation does after it lost the race for the head.
//!
//! # Contract
//!
//! [`sealed::Strategy::meet`] either fails, and the caller still owns the node of a push; or a concurrent operation of the other
//! kind has taken it, or has given one with a value, which the caller owns. It returns after a bounded time, so in the end an
//! operation is always back at the list and nobody starves.

pub(crate) mod elimination;
pub(crate) mod exchanger;
pub(crate) mod turns;

use self::exchanger::{Alone, Visit};
use self::turns::{Away, Turns};
use crate::model::{self, limit};
use crate::stats::Counters;
use crate::sync::{Initial, initial, relax, spin_loop};
use crate::treiber::NodePtr;
use core::marker::PhantomData;
use spin::{RelaxStrategy, Spin};

pub use elimination::Elimination;

/// What one operation has behind it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempt {
    /// Steps that it has waited, in all.
    waited: u16,
    /// Attempts that it makes without waiting, because it has just come back.
    insists: u8,
    /// Whether it has lost a race before.
    lost: bool,
}

impl Attempt {
    /// The most steps that an operation waits before it looks at the list again.
    const AT_A_TIME: u16 = limit(256, model::RELAXES);
    /// The most steps that it waits in all, whatever happens.
    const IN_ALL: u16 = limit(2048, model::MOST_STEPS);

    /// Has waited `steps` more, or fewer if that would be too many in all: how many.
    fn wait(&mut self, steps: u16) -> u16 {
        let steps = steps.min(Self::IN_ALL - self.waited);
        self.waited += steps;
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

    use super::{Alone, Attempt, Counters, Initial, NodePtr, Visit};

    /// What a slot keeps for its back-off.
    pub trait Local: Initial {
        /// So many of the nodes that the owner has popped are not counted by the slot any more.
        #[inline(always)]
        fn let_go(&mut self, _nodes: usize) {}

        /// An operation has found that others have worked on the list since the last one.
        #[inline(always)]
        fn found_others(&mut self) {}
    }

    impl Local for () {}

    /// A back-off strategy, as a name for its state.
    pub trait Strategy {
        /// What the operations on one stack share.
        type Shared<T>: Initial;
        /// What a slot keeps from one operation to the next.
        type Local: Local;
        /// Exchangers in which operations meet.
        const EXCHANGERS: usize = 1;

        /// After one more lost race: whether to try again at once. The slot counts so many nodes as `popped`.
        fn lost<T>(shared: &Self::Shared<T>, local: &mut Self::Local, attempt: &mut Attempt, popped: usize) -> bool;

        /// After that, if not: stays away from the list, and looks for a partner meanwhile. The slot and its neighbours begin at
        /// the exchanger `home`. `Ok` if there was one: for a pop, with the node of a push.
        fn meet<T>(
            shared: &Self::Shared<T>,
            local: &mut Self::Local,
            attempt: &mut Attempt,
            home: usize,
            counters: &Counters,
            visit: &Visit<T>,
        ) -> Result<Option<NodePtr<T>>, Alone>;

        /// Whether the slot's next push or pop shall begin with [`Strategy::meet`], as if it had lost a race already.
        #[inline(always)]
        fn exchanges_first(_: &Self::Local) -> bool {
            // CHEAPER: to wait before there is a lost race only takes time.
            false
        }

        /// After a push that nothing can be exchanged with lost a race.
        fn wait(local: &mut Self::Local, attempt: &mut Attempt);

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
    fn lost<T>(_: &(), _: &mut (), _: &mut Attempt, _: usize) -> bool {
        Self::relax();
        true
    }

    #[inline(always)]
    fn meet<T>(
        _: &(),
        _: &mut (),
        _: &mut Attempt,
        _: usize,
        _: &Counters,
        _: &Visit<T>,
    ) -> Result<Option<NodePtr<T>>, Alone> {
        Err(Alone::Withdrew)
    }

    #[inline(always)]
    fn wait(_: &mut (), _: &mut Attempt) {}

    #[inline(always)]
    fn relax() {
        // Nothing, but under loom, where others have to run.
        if cfg!(elimination_stack_loom) {
            spin_loop();
        }
    }
}

initial! { impl[] () = () }

/// Back-off in time: contexts that contend take turns. Who has lost a race stays away from the list for a while, and then insists;
/// the more contend, the longer. At most 256 steps of waiting at a time, and [`MOST_STEPS`](Exponential::MOST_STEPS) in one call,
/// however often it loses.
///
/// `Relax` says what one step of waiting is: [`Spin`] is the processor's hint for spinning. A panic in it aborts.
pub struct Exponential<Relax = Spin>(PhantomData<Relax>);

impl<Relax> Exponential<Relax> {
    /// The most steps of waiting that one call takes in all, whatever happens; [`Stack::pop`](crate::Stack::pop) besides, if all
    /// slots are claimed, as many as it takes until one is free.
    pub const MOST_STEPS: u16 = Attempt::IN_ALL;
}

impl<Relax: RelaxStrategy> sealed::Strategy for Exponential<Relax> {
    type Shared<T> = Away;
    type Local = Turns;

    #[cold]
    fn lost<T>(away: &Away, turns: &mut Turns, attempt: &mut Attempt, popped: usize) -> bool {
        turns.lost(away, attempt, popped)
    }

    fn meet<T>(
        _: &Away,
        turns: &mut Turns,
        attempt: &mut Attempt,
        _: usize,
        _: &Counters,
        _: &Visit<T>,
    ) -> Result<Option<NodePtr<T>>, Alone> {
        Self::wait(turns, attempt);
        Err(Alone::Withdrew)
    }

    #[cold]
    fn wait(turns: &mut Turns, attempt: &mut Attempt) {
        wait_alone::<Relax>(turns, attempt);
    }

    #[inline]
    fn relax() {
        relax::<Relax>();
    }
}

/// Stays away from the list for the rest of the time, or for as long as one may wait at a time; then that is over.
fn wait_alone<Relax: RelaxStrategy>(turns: &mut Turns, attempt: &mut Attempt) {
    relax_for::<Relax>(attempt.wait(turns.left().min(Attempt::AT_A_TIME)));
    turns.pass(turns.left(), attempt);
}

/// As many steps of waiting.
pub(crate) fn relax_for<Relax: RelaxStrategy>(relaxes: u16) {
    for _ in 0..relaxes {
        relax::<Relax>();
    }
}
