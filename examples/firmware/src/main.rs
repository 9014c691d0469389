//! The timer interrupt pushes readings without the allocator; the main loop handles them, and sleeps meanwhile.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use cortex_m::{asm, interrupt, peripheral::syst::SystClkSource};
use cortex_m_rt::{entry, exception};
use elimination_stack::{NoBackoff, Slots, Stack};
use embedded_alloc::LlffHeap;
use semihosting::{println, process};

/// Two contexts: the main loop, and one level of interrupts. On one core nobody is worth waiting for.
type Readings = Stack<u32, Slots<2>, NoBackoff>;

static READINGS: Readings = Stack::custom();

/// How many readings may wait for the main loop before one can be refused.
const CAPACITY: usize = 64;

/// Only the handler writes it, so a load and a store will do where there is no atomic addition.
static REFUSED: AtomicU32 = AtomicU32::new(0);

/// For the nodes: each is one link and one reading, 8 bytes.
#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

#[entry]
fn main() -> ! {
    // SAFETY: called once, before anything is allocated.
    unsafe {
        embedded_alloc::init!(HEAP, 2048);
    }
    // The only call of the allocator, before interrupts come.
    READINGS.reserve(CAPACITY + Readings::IDLE_NODES).expect("memory for the readings");

    let mut timer = cortex_m::Peripherals::take().expect("nobody else has taken them").SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(25_000); // A millisecond.
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();

    let mut handled = 0;
    while handled + REFUSED.load(Relaxed) < 1000 {
        while let Some(_reading) = READINGS.pop() {
            handled += 1;
        }
        sleep_if_idle();
    }
    println!("handled {handled}, refused {}", REFUSED.load(Relaxed));
    process::exit(0)
}

/// The interrupt handler: neither allocates nor frees nor waits.
#[exception]
fn SysTick() {
    static mut READING: u32 = 0;
    *READING += 1;
    if READINGS.push_spare(*READING).is_err() {
        REFUSED.store(REFUSED.load(Relaxed) + 1, Relaxed);
    }
}

/// Looks once more with interrupts masked, and sleeps before they are unmasked: so a reading that came after the last `pop` is
/// seen, and one that comes now stays pending, which ends the sleep.
fn sleep_if_idle() {
    interrupt::free(|_| {
        if READINGS.is_empty() {
            asm::wfi();
        }
    });
}
