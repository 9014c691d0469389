//! What each hart is doing now: in the middle of an operation, in its interrupt handler.

use portable_atomic::{AtomicBool, AtomicU32, Ordering, Ordering::Relaxed, compiler_fence};

/// The most harts that a machine here has.
pub const MAX_HARTS: usize = 8;

/// One hart's state; written by that hart alone, so loads and stores suffice.
struct State {
    inside: AtomicBool,
    in_handler: AtomicBool,
    interrupts: AtomicU32,
    hits: AtomicU32,
}

static STATES: [State; MAX_HARTS] = [const {
    State {
        inside: AtomicBool::new(false),
        in_handler: AtomicBool::new(false),
        interrupts: AtomicU32::new(0),
        hits: AtomicU32::new(0),
    }
}; MAX_HARTS];

/// The number of the hart that executes this.
pub fn number() -> usize {
    #[cfg(any(target_arch = "arm", target_arch = "avr"))]
    let number = 0;
    #[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
    let number = {
        let number: usize;
        // SAFETY: reads a register that is constant.
        unsafe { core::arch::asm!("csrr {}, mhartid", out(reg) number, options(nomem, nostack)) };
        number
    };
    #[cfg(target_arch = "aarch64")]
    let number = {
        let number: usize;
        // SAFETY: reads a register that is constant.
        unsafe { core::arch::asm!("mrs {}, mpidr_el1", out(reg) number, options(nomem, nostack)) };
        number & 0xFF
    };
    number
}

fn this() -> &'static State {
    &STATES[number()]
}

/// Does one operation of the library, which an interrupt may hit in the middle.
pub fn operation<R>(operation: impl FnOnce() -> R) -> R {
    let state = this();
    state.inside.store(true, Relaxed);
    compiler_fence(Ordering::SeqCst);
    let result = operation();
    compiler_fence(Ordering::SeqCst);
    state.inside.store(false, Relaxed);
    result
}

/// Does the work of the interrupt handler; meanwhile this hart's calls of the allocator panic.
pub fn handler(work: impl FnOnce()) {
    let state = this();
    state.interrupts.store(state.interrupts.load(Relaxed) + 1, Relaxed);
    if state.inside.load(Relaxed) {
        state.hits.store(state.hits.load(Relaxed) + 1, Relaxed);
    }
    // It may have interrupted another one.
    let before = state.in_handler.load(Relaxed);
    state.in_handler.store(true, Relaxed);
    compiler_fence(Ordering::SeqCst);
    work();
    compiler_fence(Ordering::SeqCst);
    state.in_handler.store(before, Relaxed);
}

/// Whether this hart is in the middle of an operation, or its interrupt handler has interrupted one.
pub fn inside() -> bool {
    this().inside.load(Relaxed)
}

/// Whether this hart is in its interrupt handler.
pub fn in_handler() -> bool {
    this().in_handler.load(Relaxed)
}

/// The interrupts of all harts so far.
pub fn interrupts() -> u32 {
    STATES.iter().map(|state| state.interrupts.load(Relaxed)).sum()
}

/// Those of [`interrupts`] that came in the middle of an operation.
pub fn hits() -> u32 {
    STATES.iter().map(|state| state.hits.load(Relaxed)).sum()
}
