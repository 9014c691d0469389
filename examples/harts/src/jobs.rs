//! A stack whose harts sleep while it is empty. Copy these two types.
//!
//! | who waits | who pushes |
//! |---|---|
//! | masks its interrupts | |
//! | says that it sleeps | pushes |
//! | full fence | full fence |
//! | looks at the stack once more, sleeps if it is empty | looks who sleeps, calls one of them |
//!
//! With the fences at least one of the two sees what the other one did before its fence: so either the look finds the value, or
//! there is a call. With the mask a call that comes before the sleep stays pending, and `wfi` returns at once. Without it the
//! handler would run before the sleep, and nothing would end that.

use crate::clint;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst, fence};
use elimination_stack::{Elimination, Handle, OutOfMemory, PushError, Slots, Stack};

/// Four harts, each with its main loop and one level of interrupts; and as many exchangers as harts.
pub type Values = Stack<u32, Slots<8>, Elimination<4>>;

pub struct Jobs {
    values: Values,
    /// A bit for each hart that sleeps, or is about to. Who calls it takes the bit away, so the next one calls another hart.
    asleep: AtomicUsize,
}

impl Jobs {
    pub const fn new() -> Self {
        Self { values: Stack::custom(), asleep: AtomicUsize::new(0) }
    }

    /// Makes room for so many values that wait.
    pub fn reserve(&self, values: usize) -> Result<(), OutOfMemory> {
        self.values.reserve(values + Values::IDLE_NODES)
    }

    /// For a main loop.
    pub fn worker(&'static self) -> Worker {
        Worker { jobs: self, handle: self.values.handle() }
    }

    /// For interrupt handlers. (`call_one` is a loop of as many steps as there are harts.)
    pub fn push_spare(&self, value: u32) -> Result<(), PushError<u32>> {
        self.values.push_spare(value)?;
        self.call_one();
        Ok(())
    }

    /// Calls a hart that sleeps, if any does.
    fn call_one(&self) {
        fence(SeqCst);
        let mut asleep = self.asleep.load(Relaxed);
        while asleep != 0 {
            let hart = asleep.trailing_zeros();
            let bit = 1 << hart;
            if self.asleep.fetch_and(!bit, Relaxed) & bit != 0 {
                return clint::call(hart as usize);
            }
            asleep &= !bit;
        }
    }
}

/// What a main loop has: the fast path.
pub struct Worker {
    jobs: &'static Jobs,
    handle: Handle<'static, u32, Slots<8>, Elimination<4>>,
}

impl Worker {
    pub fn push(&mut self, value: u32) {
        self.handle.push(value);
        self.jobs.call_one();
    }

    /// The newest value, as soon as there is one.
    pub fn next(&mut self) -> u32 {
        let (jobs, this) = (self.jobs, 1 << clint::hart());
        loop {
            if let Some(value) = self.handle.pop() {
                return value;
            }
            riscv::interrupt::free(|| {
                jobs.asleep.fetch_or(this, Relaxed);
                fence(SeqCst);
                if jobs.values.is_empty() {
                    riscv::asm::wfi();
                }
                jobs.asleep.fetch_and(!this, Relaxed);
            });
            // The handlers of what is pending run here.
        }
    }
}
