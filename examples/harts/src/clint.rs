//! The machine's CLINT: interrupts from hart to hart, and a timer for each.

use core::ops::Range;
use riscv::register::{mhartid, mie};

/// One word for each hart: 1 is a software interrupt for it.
const MSIP: *mut u32 = 0x0200_0000 as *mut u32;
/// When each hart's timer interrupt is due.
const MTIMECMP: *mut u64 = 0x0200_4000 as *mut u64;
/// The time, in units of 100 nanoseconds.
const MTIME: *const u64 = 0x0200_BFF8 as *const u64;

/// The number of the hart that executes this.
pub fn hart() -> usize {
    mhartid::read()
}

/// Sends a software interrupt. What was written before is there when it comes: the fence of the processor is one for devices,
/// too, which that of Rust is not.
pub fn call(hart: usize) {
    riscv::asm::fence();
    // SAFETY: that hart's word.
    unsafe { MSIP.add(hart).write_volatile(1) };
}

/// Takes back what this hart was called for, before anything that it reads afterwards.
pub fn take_back() {
    // SAFETY: this hart's word.
    unsafe { MSIP.add(hart()).write_volatile(0) };
    riscv::asm::fence();
}

/// Lets this hart's timer interrupt come after that time, in the same units.
pub fn arm(units: u64) {
    // SAFETY: the machine's time, and when this hart's timer is due.
    unsafe { MTIMECMP.add(hart()).write_volatile(MTIME.read_volatile() + units) };
}

/// Lets it come no more.
pub fn disarm() {
    // SAFETY: when this hart's timer is due.
    unsafe { MTIMECMP.add(hart()).write_volatile(u64::MAX) };
}

/// Lets this hart's interrupts through. No timer is due yet.
pub fn enable_interrupts() {
    disarm();
    // SAFETY: there is a handler for each of them.
    unsafe {
        mie::set_msoft();
        mie::set_mtimer();
        riscv::interrupt::enable();
    }
}

/// Lets other harts go on to `main`. To be called when all that they use is initialised.
pub fn start(harts: Range<usize>) {
    harts.for_each(call);
}

// Decides for each hart whether it initialises the memory: hart 0 does, the others wait for their software interrupt here. No
// Rust code may run yet, so this is assembly; `a0` is the hart, and then the answer.
core::arch::global_asm!(
    ".section .init.mp_hook, \"ax\"",
    ".global _mp_hook",
    "_mp_hook:",
    "    beqz a0, 2f",
    "    li t0, 0x02000000",
    "    slli t1, a0, 2",
    "    add t0, t0, t1",
    "    csrsi mie, 8",
    "1:  wfi",
    "    csrr t1, mip",
    "    andi t1, t1, 8",
    "    beqz t1, 1b",
    "    sw zero, 0(t0)",
    "    csrci mie, 8",
    "    fence",
    "    li a0, 0",
    "    ret",
    "2:  li a0, 1",
    "    ret",
);
