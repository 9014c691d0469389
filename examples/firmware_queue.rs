//! The pattern for firmware: an interrupt handler pushes without the allocator, the main loop pops.
//!
//! `cargo run --example firmware_queue`. Everything above `main` needs `core` alone and is what to copy; `main` puts
//! a thread in the place of the interrupt. The newest reading comes first: it is a stack.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use elimination_stack::{NoBackoff, OutOfMemory, Slots, Stack};

/// `Slots<2>`: the main loop and one level of interrupts. `NoBackoff`: on one core nobody is worth waiting for.
type Readings = Stack<u16, Slots<2>, NoBackoff>;

static READINGS: Readings = Stack::custom();

/// How many readings may wait for the main loop before one can be refused.
const CAPACITY: usize = 64;

/// Only the handler writes it, so a load and a store will do where there is no atomic addition.
static REFUSED: AtomicU32 = AtomicU32::new(0);

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

/// One round of the main loop; the next thing to do is to sleep until an interrupt (`WFI`).
fn handle_all(mut handle: impl FnMut(u16)) {
    while let Some(reading) = READINGS.pop() {
        handle(reading);
    }
}

use std::{thread, time::Duration};

fn main() -> Result<(), OutOfMemory> {
    start()?;
    let mut handled = 0;
    thread::scope(|scope| {
        // Bursts of interrupts, which may be faster than the main loop.
        let device = scope.spawn(|| {
            for _ in 0..50 {
                (0..200).for_each(on_interrupt);
                thread::sleep(Duration::from_millis(1));
            }
        });
        while !device.is_finished() {
            handle_all(|_reading| handled += 1);
        }
    });
    handle_all(|_reading| handled += 1);
    let refused = REFUSED.load(Relaxed);
    println!("handled {handled}, refused {refused}");
    assert_eq!(handled + refused, 10_000, "nothing is lost, nothing comes twice");
    Ok(())
}
