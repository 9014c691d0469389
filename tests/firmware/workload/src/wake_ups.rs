//! The workload of harts that sleep while the work stack of `examples/work-stack` is empty.
//!
//! Hart 0 pushes one job after the other, and waits for each to come back by another such stack. So a wake-up that is lost
//! while all others sleep is never made up for: the image hangs.

use crate::console::println;
use crate::random::Random;
use crate::{hart, heap};
use work_stack::{Listen, WorkStack};

const JOBS: u32 = 20_000;
/// Nanoseconds from the end of one job to the next one: from before the worker looks until long after it sleeps. Where harts
/// take turns, an instruction takes 16.
const PAUSE: core::ops::Range<u32> = 100..8_000;

/// The jobs, and what came of them.
pub struct Workers<B> {
    harts: usize,
    jobs: WorkStack<u32, B>,
    done: WorkStack<u32, B>,
}

impl<B: Listen> Workers<B> {
    /// For a machine with so many harts.
    pub const fn new(harts: usize, bell: B) -> Self
    where
        B: Copy,
    {
        Self { harts, jobs: WorkStack::new(bell), done: WorkStack::new(bell) }
    }

    /// To be called on hart 0, before the others start.
    pub fn init(&self) {
        heap::init();
        // Whoever waits for a hang has to know that the image has come this far.
        println!("started");
    }

    /// The part of the hart that runs this. Hart 0 pauses for so many nanoseconds by `pause`.
    pub fn run(&self, pause: fn(u32)) {
        /// What a worker says when it leaves.
        const END: u32 = 0;
        if hart::number() != 0 {
            while let Some(job) = self.jobs.pop() {
                self.done.push(job);
            }
            self.done.push(END);
            return;
        }
        let random = Random::new(1);
        for job in 1..=JOBS {
            pause(random.within(PAUSE));
            self.jobs.push(job);
            assert_eq!(self.done.pop(), Some(job));
        }
        self.jobs.close();
        (1..self.harts).for_each(|_| assert_eq!(self.done.pop(), Some(END)));
        println!("ok: {JOBS} jobs one by one, with {} workers that sleep, and leave when it is closed", self.harts - 1);
    }
}
