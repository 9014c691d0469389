//! A critical section for several harts: interrupts off, then a spin lock that its holder may take again.
//!
//! The allocator and the counters use it, and the engine `Masked`; no other stack does.

use crate::hart;
use critical_section::{Impl, RawRestoreState, set_impl};
use portable_atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

const FREE: usize = usize::MAX;

/// The hart in the critical section, or `FREE`.
static OWNER: AtomicUsize = AtomicUsize::new(FREE);

unsafe extern "C" {
    /// Of the board: sets this hart's timer to come soon. An emulator whose harts take turns lets others go on when a timer is
    /// due, but not because a hart waits; and with interrupts off, as in a handler, the timer that is due is soon the last one.
    safe fn let_others_go_on();
}

const WERE_ENABLED: u8 = 1;
const NESTED: u8 = 2;

struct ManyHarts;
set_impl!(ManyHarts);

// SAFETY: with interrupts off and the lock held, no other context is in a critical section.
unsafe impl Impl for ManyHarts {
    unsafe fn acquire() -> RawRestoreState {
        let hart = hart::number();
        loop {
            let enabled = if mask() { WERE_ENABLED } else { 0 };
            match OWNER.compare_exchange(FREE, hart, Acquire, Relaxed) {
                Ok(_) => return enabled,
                Err(owner) if owner == hart => return enabled | NESTED,
                // Lets interrupts in while it waits.
                Err(_) if enabled != 0 => unmask(),
                Err(_) => let_others_go_on(),
            }
            core::hint::spin_loop();
        }
    }

    unsafe fn release(state: RawRestoreState) {
        if state & NESTED == 0 {
            OWNER.store(FREE, Release);
        }
        if state & WERE_ENABLED != 0 {
            unmask();
        }
    }
}

/// Turns this hart's interrupts off; returns whether they were on.
fn mask() -> bool {
    let before: usize;
    #[cfg(target_arch = "riscv64")]
    {
        // SAFETY: clears the bit MIE of mstatus, which `unmask` sets again. Not `nomem`: a compiler barrier.
        unsafe { core::arch::asm!("csrrci {}, mstatus, 8", out(reg) before, options(nostack)) };
        before & 8 != 0
    }
    #[cfg(target_arch = "aarch64")]
    {
        // SAFETY: sets the IRQ mask, which `unmask` clears again. Not `nomem`: a compiler barrier.
        unsafe { core::arch::asm!("mrs {}, daif", "msr daifset, #2", out(reg) before, options(nostack)) };
        before & (1 << 7) == 0
    }
}

/// Turns this hart's interrupts on.
fn unmask() {
    // SAFETY: they were on before `mask`, and whoever enabled them was ready for them.
    unsafe {
        #[cfg(target_arch = "riscv64")]
        core::arch::asm!("csrsi mstatus, 8", options(nostack));
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!("msr daifclr, #2", options(nostack));
    }
}
