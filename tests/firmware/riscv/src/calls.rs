//! Software interrupts from hart to hart, as the bell of the work stack of `examples/work-stack`.

use crate::{MSIP, Ticking};
use riscv::register::{mie, mip};
use work_stack::{Bell, Listen};
use workload::{Board, hart};

/// Nanoseconds: more than it takes to go to sleep.
const TURN: u32 = 10_000;

/// When a hart that was called takes the call back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// After the sleep that it ended.
    Careful,
    /// Before it sleeps. This is wrong, and the image is there to hang: it shows that the workload notices the mistake.
    Careless,
}

/// Calls all harts. The interrupts are enabled, but masked: one that is pending ends `wfi`, or keeps it from beginning, and no
/// handler runs.
#[derive(Clone, Copy)]
pub struct Calls {
    /// How many there are.
    pub harts: usize,
    /// See there.
    pub manner: Manner,
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

    fn listen(&self) {
        // SAFETY: it stays masked.
        unsafe { mie::set_msoft() };
        // To set a timer ends this hart's turn, where harts take turns: else hart 0 would have none before this one sleeps.
        Ticking::arm(TURN);
    }

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
pub fn pause(nanoseconds: u32) {
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
