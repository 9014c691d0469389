//! Tasks of two priorities push readings, and the idle task pops them and sleeps meanwhile. The stack is a static: no resource to
//! lock, so neither task ever waits for the other one, and no ceiling keeps an interrupt away.
//!
//! The task of the higher priority may come while the other one is in the middle of a push, or the idle task in the middle of a
//! pop. It neither waits for them nor disturbs them.

#![no_std]
#![no_main]

mod timers;

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use cortex_m::{asm, interrupt};
use elimination_stack::{NoBackoff, Slots, Stack};
use embedded_alloc::LlffHeap;
use semihosting::{println, process};
use timers::Timer;

/// Three contexts: the idle task, and two levels of interrupts. On one core nobody is worth waiting for.
type Readings = Stack<u32, Slots<3>, NoBackoff>;

static READINGS: Readings = Stack::custom();

/// How many readings may wait for the idle task before one can be refused.
const CAPACITY: usize = 8;

/// For the nodes: each is one link and one reading, 8 bytes.
#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();
const HEAP_SIZE: usize = 1536;

/// How often the two timers interrupt, each once a round.
const ROUNDS: u32 = 2000;

#[rtic::app(device = lm3s6965)]
mod app {
    use super::*;

    #[shared]
    struct Shared {}

    #[local]
    struct Local {}

    #[init]
    fn init(_: init::Context) -> (Shared, Local) {
        // SAFETY: called once, before anything is allocated.
        unsafe {
            embedded_alloc::init!(HEAP, HEAP_SIZE);
        }
        // The only call of the allocator. Interrupts are masked yet.
        READINGS.reserve(CAPACITY + Readings::IDLE_NODES).expect("memory for the readings");
        timers::init();
        (Shared {}, Local {})
    }

    #[idle]
    fn idle(_: idle::Context) -> ! {
        rounds()
    }

    #[task(binds = TIMER_0A, priority = 1)]
    fn slow(_: slow::Context) {
        Timer::Slow.clear();
        PUSHING.store(true, Relaxed);
        READINGS.push_spare(2 * ROUND.load(Relaxed)).expect("a node is reserved");
        PUSHING.store(false, Relaxed);
    }

    #[task(binds = TIMER_1A, priority = 2)]
    fn fast(_: fast::Context) {
        Timer::Fast.clear();
        READINGS.push_spare(2 * ROUND.load(Relaxed) + 1).expect("a node is reserved");
        if PUSHING.load(Relaxed) {
            INSIDE.store(INSIDE.load(Relaxed) + 1, Relaxed);
        }
    }
}

/// What the idle task is for in your program. Here it also starts the timers, and looks whether each reading comes once.
///
/// Each interrupt comes once, so a wake-up that is lost is lost for good; and each at another place than in the round before, so
/// that every place has its turn: from before the first look until long after the sleep has begun, and all of the slow task.
fn rounds() -> ! {
    println!("stack {} bytes, heap {HEAP_SIZE} bytes, {ROUNDS} rounds", size_of::<Readings>());
    let mut saved = 0;
    for round in 1..=ROUNDS {
        ROUND.store(round, Relaxed);
        let cycles = 1 + round % 64;
        Timer::Slow.start(cycles);
        Timer::Fast.start(cycles + round / 64 % 16);
        let mut missing = [2 * round, 2 * round + 1].map(Some);
        while missing != [None; 2] {
            match READINGS.pop() {
                Some(reading) => {
                    let place = missing.iter_mut().find(|place| **place == Some(reading));
                    *place.expect("a reading of this round, once") = None;
                }
                None => saved += u32::from(!sleep_if_idle()),
            }
        }
    }
    assert!(READINGS.is_empty());
    println!(
        "{} readings; {saved} times one came before the sleep, {} times in a push",
        2 * ROUNDS,
        INSIDE.load(Relaxed)
    );
    process::exit(0)
}

/// Looks once more with interrupts masked, and sleeps before they are unmasked: so a reading that came after the last `pop` is
/// seen, and one that comes now stays pending, which ends the sleep. Whether it slept.
///
/// By `PRIMASK`. RTIC's `lock` masks with `BASEPRI`, and what that masks does not end a `WFI`.
fn sleep_if_idle() -> bool {
    interrupt::free(|_| {
        let idle = READINGS.is_empty();
        if idle {
            asm::wfi();
        }
        idle
    })
}

/// What the tasks push: this number twice, and one more. Only the idle task writes it.
static ROUND: AtomicU32 = AtomicU32::new(0);
/// Whether the slow task is in the middle of its push. Only that one writes it.
static PUSHING: AtomicBool = AtomicBool::new(false);
/// How often the fast one came then. Only that one writes it.
static INSIDE: AtomicU32 = AtomicU32::new(0);
