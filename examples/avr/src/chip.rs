//! The ATmega2560: interrupts, sleep, TIMER1 and the serial port. The names are those of its data sheet.

use core::arch::asm;
#[cfg(feature = "qemu")]
use portable_atomic::{AtomicBool, Ordering::Relaxed};

const TIFR1: *mut u8 = 0x36 as *mut u8;
const SMCR: *mut u8 = 0x53 as *mut u8;
const TIMSK1: *mut u8 = 0x6F as *mut u8;
const TCCR1A: *mut u8 = 0x80 as *mut u8;
const TCCR1B: *mut u8 = 0x81 as *mut u8;
/// Two bytes, the low one first, as the next one.
const TCNT1: *mut u8 = 0x84 as *mut u8;
const OCR1A: *mut u8 = 0x88 as *mut u8;
const UCSR0A: *mut u8 = 0xC0 as *mut u8;
const UCSR0B: *mut u8 = 0xC1 as *mut u8;
const UDR0: *mut u8 = 0xC6 as *mut u8;

fn write(register: *mut u8, value: u8) {
    // SAFETY: a register that only this module uses, and that endangers no memory.
    unsafe { register.write_volatile(value) };
}

/// The high byte waits for the low one, and then both change.
fn write_word(register: *mut u8, value: u16) {
    let [low, high] = value.to_le_bytes();
    write(register.wrapping_add(1), high);
    write(register, low);
}

/// Lets interrupts through, and lets `sleep` be one from which each of them wakes up.
pub fn init() {
    const IDLE: u8 = 0;
    const SLEEP_ENABLE: u8 = 1;
    const TRANSMITTER_ENABLE: u8 = 1 << 3;
    write(SMCR, IDLE | SLEEP_ENABLE);
    write(UCSR0B, TRANSMITTER_ENABLE);
    unmask();
}

/// Masks interrupts. What was written before, and is read afterwards, stays on its side.
pub fn mask() {
    // SAFETY: a barrier for the compiler, too. (The flags are not preserved: one of them is whether interrupts come.)
    unsafe { asm!("cli", options(nostack)) };
}

pub fn unmask() {
    // SAFETY: there is a handler for what is enabled.
    unsafe { asm!("sei", options(nostack)) };
}

/// Unmasks interrupts and sleeps. `sei` takes effect after the instruction that follows it, so what is pending, or comes now,
/// comes when the processor sleeps, and ends that.
#[cfg(not(feature = "qemu"))]
pub fn unmask_and_sleep() {
    // SAFETY: as above.
    unsafe { asm!("sei", "sleep", options(nostack)) };
}

/// The same for the emulator: waits until the handler has run.
#[cfg(feature = "qemu")]
pub fn unmask_and_sleep() {
    WOKEN.store(false, Relaxed);
    unmask();
    while !WOKEN.load(Relaxed) {}
}

/// For the handler.
#[cfg(feature = "qemu")]
pub fn wake() {
    WOKEN.store(true, Relaxed);
}

#[cfg(feature = "qemu")]
static WOKEN: AtomicBool = AtomicBool::new(false);

/// In `TIMSK1` and `TIFR1`: that the counter is what it is compared with.
const COMPARE_A: u8 = 1 << 1;

/// Lets the timer's interrupt come after so many cycles, and again whenever the counter has come around.
pub fn start_timer(cycles: u16) {
    const NORMAL: u8 = 0;
    const EACH_CYCLE: u8 = 1;
    write(TCCR1B, 0);
    write(TCCR1A, NORMAL);
    write_word(TCNT1, 0);
    write_word(OCR1A, cycles);
    write(TIFR1, COMPARE_A);
    write(TIMSK1, COMPARE_A);
    write(TCCR1B, EACH_CYCLE);
}

/// Stops the timer; what came due is forgotten.
pub fn stop_timer() {
    write(TCCR1B, 0);
    write(TIMSK1, 0);
    write(TIFR1, COMPARE_A);
}

/// Sends bytes through the serial port, at the speed that it has.
pub fn send(bytes: &[u8]) {
    const EMPTY: u8 = 1 << 5;
    for byte in bytes {
        // SAFETY: a register that may be read.
        while unsafe { UCSR0A.read_volatile() } & EMPTY == 0 {}
        write(UDR0, *byte);
    }
}
