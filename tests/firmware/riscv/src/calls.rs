//! Harts that share the work stack of `examples/work-stack`, and sleep while it is empty.
//!
//! Hart 0 pushes one job after the other, and waits for each to come back by another such stack. So a wake-up that is lost
//! while all others sleep is never made up for: the image hangs.

use crate::{MSIP, Ticking};
use riscv::register::{mie, mip};
use work_stack::{Bell, Listen, WorkStack};
use workload::console::println;
use workload::{Board, hart, heap, random::Random};

const JOBS: u32 = 20_000;
/// Nanoseconds from the end of one job to the next one: from before the worker looks until long after it sleeps. Where harts
/// take turns, an instruction takes 16.
const PAUSE: core::ops::Range<u32> = 100..8_000;

/// When a hart that was called takes the call back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// After the sleep that it ended.
    Careful,
    /// Before it sleeps. This is wrong, and the image is there to hang: it shows that the workload notices the mistake.
    Careless,
}

/// Software interrupts from one hart to all others. They are enabled, but masked: one that is pending ends `wfi`, or keeps it
/// from beginning, and no handler runs.
struct Calls {
    harts: usize,
    manner: Manner,
}

impl Bell for Calls {
    fn ring(&self) {
        // The push has to be complete before the call.
        riscv::asm::fence();
        for hart in 0..self.harts {
            // SAFETY: that hart's word.
            unsafe { MSIP.add(hart).write_volatile(1) };
        }
    }

    fn ring_all(&self) {
        self.ring();
    }
}

/// Takes back what this hart was called for.
fn take_back() {
    // SAFETY: this hart's word.
    unsafe { MSIP.add(hart::number()).write_volatile(0) };
    // Before it looks at the stack.
    riscv::asm::fence();
}

impl Listen for Calls {
    type Listener<'a> = ();

    fn listen(&self) {}

    fn wait(&self, (): ()) {
        if self.manner == Manner::Careless {
            take_back();
        }
        riscv::asm::wfi();
        if self.manner == Manner::Careful {
            take_back();
        }
    }
}

/// Sleeps for so many nanoseconds. The timer's interrupt stays masked, too.
fn pause(nanoseconds: u32) {
    Ticking::arm(nanoseconds);
    // SAFETY: it stays masked.
    unsafe { mie::set_mtimer() };
    while !mip::read().mtimer() {
        riscv::asm::wfi();
    }
    // SAFETY: as before.
    unsafe { mie::clear_mtimer() };
    Ticking::disarm();
}

/// The jobs, and what came of them.
pub struct Workers {
    harts: usize,
    jobs: WorkStack<u32, Calls>,
    done: WorkStack<u32, Calls>,
}

impl Workers {
    /// For a machine with so many harts.
    pub const fn new(harts: usize, manner: Manner) -> Self {
        let jobs = WorkStack::new(Calls { harts, manner });
        Self { harts, jobs, done: WorkStack::new(Calls { harts, manner }) }
    }

    /// To be called on hart 0, before the others start.
    pub fn init(&self) {
        heap::init();
        // Whoever waits for a hang has to know that the image has come this far.
        println!("started");
    }

    /// The part of the hart that runs this.
    pub fn run(&self) {
        /// What a worker says when it leaves.
        const END: u32 = 0;
        // SAFETY: software interrupts stay masked.
        unsafe { mie::set_msoft() };
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
