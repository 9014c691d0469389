//! The pattern for firmware: an interrupt handler pushes without the allocator; the main loop pops, and sleeps meanwhile.
//!
//! `cargo run --example firmware_queue`. What comes before the module `processor` needs `core` alone and is what to copy;
//! that module puts threads in the place of a processor with interrupts. The newest reading comes first: it is a stack.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use elimination_stack::{NoBackoff, OutOfMemory, Slots, Stack};

/// `Slots<2>`: the main loop and one level of interrupts. `NoBackoff`: on one core nobody is worth waiting for.
type Readings = Stack<u16, Slots<2>, NoBackoff>;

static READINGS: Readings = Stack::custom();

/// How many readings may wait for the main loop before one can be refused.
const CAPACITY: usize = 64;

/// Only the handler writes it, so a load and a store will do where there is no atomic addition.
static REFUSED: AtomicU32 = AtomicU32::new(0);

/// Set by another handler of the same level: the main loop is to end.
static SWITCHED_OFF: AtomicBool = AtomicBool::new(false);

/// Once, before interrupts are enabled: the only call of the allocator.
fn start() -> Result<(), OutOfMemory> {
    READINGS.reserve(CAPACITY + Readings::IDLE_NODES)
}

/// The interrupt handler: neither allocates nor frees nor waits.
fn on_interrupt(reading: u16) {
    if READINGS.push_spare(reading).is_err() {
        REFUSED.store(REFUSED.load(Relaxed) + 1, Relaxed);
    }
}

/// The main loop. Whatever a handler tells it is looked at again in [`sleep_if_idle`].
fn main_loop(mut handle: impl FnMut(u16)) {
    while !SWITCHED_OFF.load(Relaxed) {
        while let Some(reading) = READINGS.pop() {
            handle(reading);
        }
        sleep_if_idle();
    }
}

/// Sleeps until an interrupt, unless one has left something to do since the main loop looked.
///
/// It looks and sleeps with interrupts masked. Otherwise one could come in between: the value that it pushes would wait
/// for another interrupt, perhaps for ever. One that comes while they are masked stays pending, and a pending interrupt
/// ends `wfi`, or keeps it from beginning; its handler runs as soon as the mask is gone.
///
/// | here | Cortex-M | RISC-V |
/// |---|---|---|
/// | `processor::free` | `cortex_m::interrupt::free` | `riscv::interrupt::free` |
/// | `processor::wfi` | `cortex_m::asm::wfi` | `riscv::asm::wfi` |
fn sleep_if_idle() {
    processor::free(|| {
        if READINGS.is_empty() && !SWITCHED_OFF.load(Relaxed) {
            processor::wfi();
        }
    });
}

/// A processor made of threads. Each interrupt comes once, and nothing makes up for one that went unnoticed.
mod processor {
    use std::sync::{Condvar, Mutex, PoisonError};

    /// Held while interrupts are masked, and by a handler while it runs.
    static MASK: Mutex<()> = Mutex::new(());
    /// Whether an interrupt waits for its handler to run.
    static PENDING: Mutex<bool> = Mutex::new(false);
    static WAKE_UP: Condvar = Condvar::new();

    /// Does something while interrupts are masked.
    pub fn free<R>(work: impl FnOnce() -> R) -> R {
        let _masked = MASK.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    /// Waits for an interrupt, which may be masked; the end of the wait does not make it less pending.
    pub fn wfi() {
        let pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
        drop(WAKE_UP.wait_while(pending, |pending| !*pending));
    }

    /// An interrupt, on the device's thread: pends, then runs its handler as soon as the mask permits.
    pub fn interrupt(handler: impl FnOnce()) {
        let set_pending = |value| *PENDING.lock().unwrap_or_else(PoisonError::into_inner) = value;
        set_pending(true);
        WAKE_UP.notify_one();
        free(|| {
            set_pending(false);
            handler();
        });
    }
}

use std::{thread, time::Duration};

fn main() -> Result<(), OutOfMemory> {
    start()?;
    let mut handled = 0;
    thread::scope(|scope| {
        // Bursts of interrupts, which may be faster than the main loop, and pauses, in which it sleeps.
        scope.spawn(|| {
            for _ in 0..50 {
                (0..200).for_each(|reading| processor::interrupt(|| on_interrupt(reading)));
                thread::sleep(Duration::from_millis(1));
            }
            processor::interrupt(|| SWITCHED_OFF.store(true, Relaxed));
        });
        main_loop(|_reading| handled += 1);
    });
    // What came between its last look and the switch.
    while READINGS.pop().is_some() {
        handled += 1;
    }
    let refused = REFUSED.load(Relaxed);
    println!("handled {handled}, refused {refused}");
    assert_eq!(handled + refused, 10_000, "nothing is lost, nothing comes twice");
    Ok(())
}
