//! The workload of firmware that sleeps: the main loop pops, and between two interrupts it sleeps.
//!
//! In each round the timer interrupt comes once, after a time that differs, and pushes one value. So an interrupt that
//! goes unnoticed is never made up for by a later one: firmware that looks and then sleeps with interrupts enabled hangs
//! as soon as one comes in between.

use crate::console::println;
use crate::random::Random;
use crate::{Sleep, hart, heap};
use elimination_stack::{Backoff, Reclaim, Stack};
use portable_atomic::{AtomicU32, Ordering::Relaxed};

/// Rounds, each with one interrupt.
const ROUNDS: u32 = 20_000;
/// Nanoseconds to the interrupt: from before the first look at the stack until long after the processor sleeps. An
/// instruction takes 16.
const DELAYS: core::ops::Range<u32> = 500..6_000;
/// Steps of a few instructions that the main loop does between the request of an interrupt and the first look: about
/// half of the longest delay, so that there are as many interrupts before the look as after it.
const WORK: u32 = 60;

/// How the main loop goes to sleep after it has popped nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It looks again with interrupts masked, and sleeps in the same section.
    Masked,
    /// It just sleeps. This is wrong, and the image is there to hang: it shows that the workload notices the mistake.
    Careless,
}

/// The stack and all that the checks need.
pub struct Sleeper<R: Reclaim, B: Backoff> {
    stack: Stack<u32, R, B>,
    manner: Manner,
    /// The value that the interrupt is going to push. Only the main loop writes it.
    round: AtomicU32,
}

impl<R: Reclaim, B: Backoff> Sleeper<R, B> {
    /// An empty stack.
    pub const fn new(manner: Manner) -> Self {
        Self { stack: Stack::custom(), manner, round: AtomicU32::new(0) }
    }

    /// Runs all rounds; returns if each interrupt's value came out in its round.
    pub fn run<M: Sleep>(&self) {
        heap::init();
        self.stack.reserve(1 + Stack::<u32, R, B>::IDLE_NODES).expect("the heap is large enough");
        // Whoever waits for a hang has to know that the image has come this far.
        println!("started");
        let random = Random::new(1);
        let (mut sleeps, mut rescued) = (0, 0);
        for round in 1..=ROUNDS {
            self.round.store(round, Relaxed);
            M::arm(random.within(DELAYS));
            (0..WORK).for_each(|_| core::hint::spin_loop());
            let value = loop {
                if let Some(value) = self.stack.pop() {
                    break value;
                }
                match self.manner {
                    Manner::Careless => M::wait_for_interrupt(),
                    Manner::Masked => M::masked(|| {
                        if self.stack.is_empty() {
                            sleeps += 1;
                            M::wait_for_interrupt();
                        } else {
                            rescued += 1;
                        }
                    }),
                }
            };
            assert_eq!(value, round, "the value of another round");
        }
        M::disarm();
        assert!(self.stack.is_empty());
        assert_eq!(hart::interrupts(), ROUNDS, "an interrupt did not come exactly once");
        assert!(self.manner == Manner::Careless || rescued > 0, "no interrupt came between a pop and its sleep");
        println!(
            "ok: {} interrupts, {} sleeps, {} not begun because a value had come since the pop",
            ROUNDS, sleeps, rescued,
        );
    }

    /// The timer interrupt.
    pub fn interrupt<M: Sleep>(&self) {
        M::disarm();
        hart::handler(|| {
            self.stack.push_spare(self.round.load(Relaxed)).expect("a node is reserved and a slot is free");
        });
    }
}
