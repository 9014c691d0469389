//! ATmega2560: TIMER1 is the timer interrupt.
//!
//! avr-libc starts the program and has the table of interrupt vectors. Inline assembly and the calling convention of
//! handlers are features that only a nightly compiler has, so they are all in this crate.

#![no_std]
#![feature(abi_avr_interrupt, asm_experimental_arch)]

use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use workload::Board;

#[doc(hidden)]
pub use {elimination_stack, workload};

/// Nanoseconds of four counts of the timer, which runs at the processor's 16 MHz.
const FOUR_COUNTS: u32 = 250;

const TIFR1: *mut u8 = 0x36 as *mut u8;
const TIMSK1: *mut u8 = 0x6F as *mut u8;
const TCCR1A: *mut u8 = 0x80 as *mut u8;
const TCCR1B: *mut u8 = 0x81 as *mut u8;
/// The counter and what it is compared with; each has its high byte behind its low one.
const TCNT1: *mut u8 = 0x84 as *mut u8;
const OCR1A: *mut u8 = 0x88 as *mut u8;

/// In `TIMSK1` and `TIFR1`: that the two are equal.
const COMPARE_A: u8 = 1 << 1;
/// In `TCCR1B`: it counts the processor's clock.
const PROCESSOR_CLOCK: u8 = 1;

/// Whether the timer's interrupt is still to come.
static ARMED: AtomicBool = AtomicBool::new(false);

fn write(register: *mut u8, value: u8) {
    // SAFETY: a register of the timer, which nothing else uses.
    unsafe { register.write_volatile(value) };
}

/// Writes a register of two bytes: the high one waits for the low one, and then both change.
fn write_word(register: *mut u8, value: u16) {
    let [low, high] = value.to_le_bytes();
    write(register.wrapping_add(1), high);
    write(register, low);
}

/// The machine.
pub struct Ticking;

impl Board for Ticking {
    const BACK: u32 = 800;
    const INTERRUPTS: u32 = 2_000;
    // They come by the host's clock, so bursts do not hit the operations that they are meant for.
    const HITS: u32 = 10;

    #[expect(clippy::cast_possible_truncation, reason = "limited to 16 bits before")]
    fn arm(nanoseconds: u32) {
        let counts = (nanoseconds * 4 / FOUR_COUNTS).clamp(1, u16::MAX.into());
        write(TCCR1B, 0);
        write(TCCR1A, 0);
        write_word(TCNT1, 0);
        write_word(OCR1A, counts as u16);
        write(TIFR1, COMPARE_A);
        write(TIMSK1, COMPARE_A);
        ARMED.store(true, Relaxed);
        write(TCCR1B, PROCESSOR_CLOCK);
    }

    fn disarm() {
        write(TCCR1B, 0);
        write(TIMSK1, 0);
        write(TIFR1, COMPARE_A);
        ARMED.store(false, Relaxed);
    }
}

/// Lets interrupts through; the timer is off yet.
pub fn enable_interrupts() {
    Ticking::disarm();
    // SAFETY: the image has a handler for the timer's interrupt, and no other is enabled.
    unsafe { asm!("sei", options(nostack)) };
}

unsafe extern "Rust" {
    /// What the image does when the timer interrupt comes; its macro defines it.
    safe fn on_timer();
}

/// TIMER1's compare interrupt, as the table of vectors calls it.
#[unsafe(no_mangle)]
extern "avr-interrupt" fn __vector_17() {
    // Once only, and what comes due while the handler runs does not count: the counter goes on, and where the host has
    // other work it has come around before the emulated processor gets here.
    let armed = ARMED.load(Relaxed);
    Ticking::disarm();
    if armed {
        on_timer();
    }
}

struct Masked;

critical_section::set_impl!(Masked);

// SAFETY: there is one core, and it does nothing else while interrupts are off.
unsafe impl critical_section::Impl for Masked {
    unsafe fn acquire() -> critical_section::RawRestoreState {
        let status: u8;
        // SAFETY: reads the status and turns interrupts off; a barrier for the compiler.
        unsafe { asm!("in {status}, 0x3F", "cli", status = out(reg) status, options(nostack, preserves_flags)) };
        status & 1 << 7 != 0
    }

    unsafe fn release(enabled: critical_section::RawRestoreState) {
        if enabled {
            // SAFETY: interrupts were on when the section began; a barrier for the compiler.
            unsafe { asm!("sei", options(nostack, preserves_flags)) };
        }
    }
}

/// Defines the image's start and interrupt for a workload.
#[doc(hidden)]
#[macro_export]
macro_rules! image {
    ($workload:ident) => {
        #[unsafe(no_mangle)]
        extern "C" fn main() -> ! {
            $crate::enable_interrupts();
            $workload.run::<$crate::Ticking>();
            $crate::workload::exit()
        }

        #[unsafe(no_mangle)]
        fn on_timer() {
            $workload.interrupt::<$crate::Ticking>();
        }
    };
}

/// An image in which the main loop and the timer interrupt use one stack in place, which refuses a value
/// when there are so many: `in_place!(Fixed<64, 2>, 64..=68)`.
#[macro_export]
macro_rules! in_place {
    ($engine:ty, $room:expr) => {
        static WORKLOAD: $crate::workload::in_place::InPlace<$engine, 1> =
            $crate::workload::in_place::InPlace::new($room);

        $crate::image!(WORKLOAD);
    };
}

/// An image in which the main loop and the timer interrupt use one stack: `one_hart!(Slots<2>, NoBackoff)`.
#[macro_export]
macro_rules! one_hart {
    ($reclaim:ty, $backoff:ty) => {
        static WORKLOAD: $crate::workload::one_hart::OneHart<$reclaim, $backoff> =
            $crate::workload::one_hart::OneHart::new();

        $crate::image!(WORKLOAD);
    };
}
