//! A pool of buffers for a DMA controller. Whoever has a buffer owns it: the pool, the controller, or the main loop; the compiler
//! sees to it that nobody else touches it meanwhile.
//!
//! As soon as a transfer is over the interrupt handler hands the filled buffer to the main loop, and starts the next transfer
//! into one from the pool; the main loop puts the buffer back when it is done with it. Nothing is copied, and after the start
//! nothing is allocated.

#![no_std]
#![no_main]

mod dma;
mod start_only;

use core::iter;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use cortex_m::{asm, interrupt};
use cortex_m_rt::{entry, exception};
use elimination_stack::{NoBackoff, Slots, Stack};
use semihosting::{println, process};

type Buffer = &'static mut [u8; 256];

/// Two contexts: the main loop, and one level of interrupts. On one core nobody is worth waiting for.
type Buffers = Stack<Buffer, Slots<2>, NoBackoff>;

/// Buffers that nobody uses. The one that was put back last comes first; if there is a cache, that one may still be in it.
static POOL: Buffers = Stack::custom();

/// Buffers that are filled, for the main loop. The newest comes first, so a transfer has to say which one it is, unless that does
/// not matter. If they have to be handled in order, let this one be a queue.
static FILLED: Buffers = Stack::custom();

const BUFFERS: usize = 4;

/// How often the controller stopped because the pool was empty. Only the handler writes it.
static STOPS: AtomicU32 = AtomicU32::new(0);

#[entry]
fn main() -> ! {
    start_only::init();
    // All of the nodes. There are no more values than buffers, so this is enough for ever.
    FILLED.reserve(BUFFERS + Buffers::IDLE_NODES).expect("memory for the stack of filled buffers");
    POOL.reserve(BUFFERS + Buffers::IDLE_NODES).expect("memory for the pool");
    // The buffers themselves lie in a static. Put it where the controller can reach it.
    let memory = cortex_m::singleton!(: [[u8; 256]; BUFFERS] = [[0; 256]; BUFFERS]).expect("taken once");
    for buffer in memory {
        POOL.push(buffer);
    }
    start_only::close();
    dma::init();

    let (mut handled, mut sum) = (0, 0);
    while handled < 1000 {
        // At the start, and when the handler has found the pool empty.
        if dma::is_idle()
            && let Some(buffer) = POOL.pop()
        {
            dma::start(buffer);
        }
        match FILLED.pop() {
            Some(buffer) => {
                sum += handle(buffer);
                handled += 1;
                POOL.push(buffer);
                if handled % 100 == 0 {
                    asm::delay(50_000); // Now and then there is other work to do; the controller fills what buffers there are.
                }
            }
            None => sleep_if_idle(),
        }
    }

    // No more interrupts. Every transfer has come out once, and every buffer is back.
    let (transfers, unfinished) = dma::stop();
    for buffer in iter::from_fn(|| FILLED.pop()) {
        sum += handle(buffer);
        POOL.push(buffer);
    }
    if let Some(buffer) = unfinished {
        POOL.push(buffer);
    }
    assert_eq!(sum, (1..=transfers).sum(), "each transfer once");
    assert_eq!(iter::from_fn(|| POOL.pop()).count(), BUFFERS, "each buffer once");
    println!("{transfers} transfers into {BUFFERS} buffers; the pool was empty {} times", STOPS.load(Relaxed));
    process::exit(0)
}

/// What the main loop does with what has come: this is a transfer's number again and again.
fn handle(buffer: &[u8; 256]) -> u32 {
    let (words, _) = buffer.as_chunks::<4>();
    let number = u32::from_le_bytes(words[0]);
    assert!(words.iter().all(|word| u32::from_le_bytes(*word) == number), "a buffer of two owners");
    number
}

/// The interrupt handler, at the end of a transfer: neither allocates nor frees nor waits.
#[exception]
fn SysTick() {
    let Some(buffer) = dma::finished() else { return };
    FILLED.push_spare(buffer).expect("a node is reserved");
    match POOL.try_pop().expect("a slot for each context") {
        Some(buffer) => dma::start(buffer),
        // The main loop has them all. It starts the next transfer when it has put one back.
        None => STOPS.store(STOPS.load(Relaxed) + 1, Relaxed),
    }
}

/// Looks once more with interrupts masked, and sleeps before they are unmasked: so a buffer that came after the last `pop` is
/// seen, and one that comes now stays pending, which ends the sleep.
fn sleep_if_idle() {
    interrupt::free(|_| {
        if FILLED.is_empty() {
            asm::wfi();
        }
    });
}
