//! The timer interrupt of an ATmega2560 pushes readings without the allocator; the main loop handles them, and sleeps meanwhile.
//!
//! This processor sleeps through interrupts that are masked, so the sleep is another one than on Cortex-M or RISC-V: see
//! `sleep_if_idle`. Of the chip's 8192 bytes of memory the stack takes 32, and its nodes 252.

#![no_std]
#![no_main]
#![feature(abi_avr_interrupt, asm_experimental_arch)]

mod chip;
mod console;
mod start_only;

use console::{exit, print, print_number};
use core::hint;
use elimination_stack::{NoBackoff, Slots, Stack};
use portable_atomic::{AtomicBool, AtomicU16, Ordering::Relaxed};

/// Two contexts: the main loop, and one level of interrupts. On one core nobody is worth waiting for.
type Readings = Stack<u16, Slots<2>, NoBackoff>;

static READINGS: Readings = Stack::custom();

/// How many readings may wait for the main loop before one can be refused.
const CAPACITY: usize = 8;

const ROUNDS: u16 = 6000;

// avr-libc starts the program here.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    chip::init();
    // The only call of the allocator, before interrupts come.
    READINGS.reserve(CAPACITY + Readings::IDLE_NODES).expect("memory for the readings");
    print("stack ");
    print_number(size_of::<Readings>() as u16);
    print(" bytes, nodes ");
    print_number(start_only::used() as u16);
    print(" bytes\n");

    let (mut sleeps, mut saved) = (0, 0);
    for round in 1..=ROUNDS {
        // Each interrupt comes once, so a wake-up that is lost is lost for good: the program hangs.
        READING.store(round, Relaxed);
        ARMED.store(true, Relaxed);
        chip::start_timer(256 << (round % 5));
        let reading = loop {
            if let Some(reading) = READINGS.pop() {
                break reading;
            }
            do_something_else(8 << (round % 12));
            if sleep_if_idle() {
                sleeps += 1;
            } else {
                saved += 1;
            }
        };
        assert!(reading == round, "each reading once");
    }
    assert!(READINGS.is_empty());
    print_number(ROUNDS);
    print(" readings, ");
    print_number(sleeps);
    print(" sleeps, ");
    print_number(saved);
    print(" times one came before the sleep\n");
    exit(0)
}

/// What the main loop has to do besides. Interrupts come meanwhile.
fn do_something_else(steps: u16) {
    (0..steps).for_each(|step| _ = hint::black_box(step));
}

/// Looks once more with interrupts masked, so a reading that came after the last `pop` is seen. Then the processor must sleep
/// before a handler runs, but not with interrupts masked, which would not wake it. Whether it slept.
fn sleep_if_idle() -> bool {
    chip::mask();
    let idle = READINGS.is_empty();
    if idle {
        chip::unmask_and_sleep();
    } else {
        chip::unmask();
    }
    idle
}

/// What the handler pushes. Only the main loop writes it.
static READING: AtomicU16 = AtomicU16::new(0);
/// Whether its interrupt is still to come.
static ARMED: AtomicBool = AtomicBool::new(false);

/// TIMER1's compare interrupt, as the table of vectors calls it. It neither allocates nor frees nor waits.
#[unsafe(no_mangle)]
extern "avr-interrupt" fn __vector_17() {
    chip::stop_timer();
    #[cfg(feature = "qemu")]
    chip::wake();
    // What came due once more while this was on its way does not count.
    if ARMED.load(Relaxed) {
        ARMED.store(false, Relaxed);
        if READINGS.push_spare(READING.load(Relaxed)).is_err() {
            panic!("a node is reserved");
        }
    }
}
