//! RISC-V: the CLINT's timer of each hart is the timer interrupt, `minstret` the counter.

#![no_std]

#[cfg(feature = "many-harts")]
pub mod calls;

use riscv::register::{mcause, mepc, mie, minstret, mtval};
#[cfg(feature = "heap")]
use workload::sweep::{self, Stepping};
use workload::{Board, Counter, Sleep, hart};

#[doc(hidden)]
pub use {elimination_stack, riscv, riscv_rt, workload};

/// One word for each hart: writing 1 sends it a software interrupt.
#[cfg(feature = "many-harts")]
const MSIP: *mut u32 = 0x0200_0000 as *mut u32;
/// Two words for each hart, the low one first: when its next timer interrupt is due.
const MTIMECMP: *mut u32 = 0x0200_4000 as *mut u32;
/// Two words, the low one first: the time.
const MTIME: *const u32 = 0x0200_BFF8 as *const u32;
/// Nanoseconds of a count of that timer.
const PERIOD: u64 = 100;

fn now() -> u64 {
    loop {
        // SAFETY: the machine's timer is at this address.
        let (high, low, same) =
            unsafe { (MTIME.add(1).read_volatile(), MTIME.read_volatile(), MTIME.add(1).read_volatile()) };
        if high == same {
            return (u64::from(high) << 32) | u64::from(low);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
fn set_due(time: u64) {
    // SAFETY: this hart's two words of the machine's timer.
    unsafe {
        let due = MTIMECMP.add(2 * hart::number());
        due.add(1).write_volatile(u32::MAX);
        due.write_volatile(time as u32);
        due.add(1).write_volatile((time >> 32) as u32);
    }
}

#[cfg(feature = "many-harts")]
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
extern "C" fn let_others_go_on() {
    Ticking::arm(1_000);
}

/// The machine, while interrupts come.
pub struct Ticking;

impl Board for Ticking {
    const BACK: u32 = 800;
    const INTERRUPTS: u32 = 40_000;

    fn arm(nanoseconds: u32) {
        set_due(now() + (u64::from(nanoseconds) / PERIOD).max(1));
    }

    fn disarm() {
        set_due(u64::MAX);
    }
}

impl Sleep for Ticking {
    fn masked<R>(work: impl FnOnce() -> R) -> R {
        riscv::interrupt::free(work)
    }

    fn wait_for_interrupt() {
        riscv::asm::wfi();
    }
}

/// Lets this hart's timer interrupt through; none is due yet.
pub fn enable_interrupts() {
    set_due(u64::MAX);
    // SAFETY: the image has a handler for the timer's interrupt, and no other is enabled.
    unsafe {
        mie::set_mtimer();
        riscv::interrupt::enable();
    }
}

/// The machine, while instructions are counted.
pub struct Counting;

impl Counter for Counting {
    #[expect(clippy::cast_possible_truncation, reason = "differences of a few hundred")]
    fn read() -> u32 {
        minstret::read() as u32
    }

    fn between(start: u32, end: u32) -> u32 {
        end.wrapping_sub(start)
    }
}

/// The machine, while an interrupt comes at each instruction (`-icount shift=10`).
pub struct Sweeping;

/// Nanoseconds of an instruction then: several counts of the timer.
#[cfg(feature = "heap")]
const INSTRUCTION: u32 = 1024;

#[cfg(feature = "heap")]
impl Counter for Sweeping {
    fn read() -> u32 {
        Counting::read()
    }

    fn between(start: u32, end: u32) -> u32 {
        // Where an instruction takes longer than a nanosecond, that is what the emulator counts.
        Counting::between(start, end) / INSTRUCTION
    }
}

#[cfg(feature = "heap")]
impl Stepping for Sweeping {
    const CODE: usize = 0x8000_0000;

    fn arm(instructions: u32) {
        // Half an instruction earlier: it may be due a few counts before or after that.
        let nanoseconds = (u64::from(instructions) * u64::from(INSTRUCTION)).saturating_sub(u64::from(INSTRUCTION) / 2);
        set_due(now() + nanoseconds / PERIOD);
    }

    fn disarm() {
        set_due(u64::MAX);
    }

    fn call_first_level() {
        // SAFETY: the timer is set to a later time, and what its next interrupt's handler shares with this one is atomic.
        unsafe { riscv::interrupt::nested(sweep::first_level::<Self>) }
    }
}

/// Ends the emulator when the processor faults.
#[unsafe(no_mangle)]
extern "C" fn ExceptionHandler(_: &riscv_rt::TrapFrame) -> ! {
    panic!("fault {} at {:#x}, value {:#x}", mcause::read().code(), mepc::read(), mtval::read());
}

/// An image whose main loop runs a workload that the timer interrupts.
#[macro_export]
macro_rules! image {
    ($workload:ident) => {
        #[$crate::riscv_rt::entry]
        fn main() -> ! {
            $crate::enable_interrupts();
            $workload.run::<$crate::Ticking>();
            $crate::workload::exit()
        }

        #[$crate::riscv_rt::core_interrupt($crate::riscv::interrupt::Interrupt::MachineTimer)]
        fn timer() {
            $workload.interrupt::<$crate::Ticking>();
        }
    };
}

/// An image in which the main loop and the timer interrupt use one stack: `one_hart!(Slots<2>, NoBackoff)`.
#[macro_export]
macro_rules! one_hart {
    ($reclaim:ty, $backoff:ty) => {
        use $crate::workload::one_hart::OneHart;

        static WORKLOAD: OneHart<$reclaim, $backoff> = OneHart::new();

        $crate::image!(WORKLOAD);
    };
}

/// An image in which the timer's interrupt comes at every instruction.
#[macro_export]
macro_rules! sweep {
    () => {
        use $crate::workload::sweep;

        #[$crate::riscv_rt::entry]
        fn main() -> ! {
            $crate::enable_interrupts();
            sweep::run::<$crate::Sweeping>();
            $crate::workload::exit()
        }

        #[$crate::riscv_rt::core_interrupt($crate::riscv::interrupt::Interrupt::MachineTimer)]
        fn timer() {
            sweep::timer::<$crate::Sweeping>($crate::riscv::register::mepc::read());
        }
    };
}

/// An image in which the main loop and the timer interrupt use one stack in place, which refuses a value
/// when there are so many: `in_place!(Fixed<64, 2>, 64..=68)`.
#[macro_export]
macro_rules! in_place {
    ($engine:ty, $room:expr) => {
        use $crate::workload::in_place::InPlace;

        static WORKLOAD: InPlace<$engine, 1> = InPlace::new($room);

        $crate::image!(WORKLOAD);
    };
}

/// An image that sleeps between two interrupts: `sleep!(Masked)`.
#[macro_export]
macro_rules! sleep {
    ($manner:ident) => {
        use $crate::elimination_stack::{NoBackoff, Slots};
        use $crate::workload::sleep::{Manner, Sleeper};

        static WORKLOAD: Sleeper<Slots<2>, NoBackoff> = Sleeper::new(Manner::$manner);

        $crate::image!(WORKLOAD);
    };
}

/// An image that counts instructions of one type of stack: `count!(Slots<2>, NoBackoff)`.
#[macro_export]
macro_rules! count {
    ($reclaim:ty, $backoff:ty) => {
        static STACK: $crate::elimination_stack::Stack<u32, $reclaim, $backoff> =
            $crate::elimination_stack::Stack::custom();

        #[$crate::riscv_rt::entry]
        fn main() -> ! {
            $crate::workload::count::run::<$crate::Counting, _, _>(&STACK);
            $crate::workload::exit()
        }
    };
}

/// An image in which 4 harts share a work stack: `many_harts!(4, Slots, Slots<8>, Elimination<4>)`.
#[cfg(feature = "many-harts")]
#[macro_export]
macro_rules! many_harts {
    ($harts:literal, $engine:ident, $reclaim:ty, $backoff:ty) => {
        use $crate::workload::many_harts::{Engine, ManyHarts};

        static WORKLOAD: ManyHarts<$reclaim, $backoff, $harts> = ManyHarts::new(Engine::$engine);

        $crate::image_of_harts!(WORKLOAD, $harts, WORKLOAD.init());
    };
}

/// An image in which several harts run a workload that their timers interrupt; the first one may prepare it.
#[cfg(feature = "many-harts")]
#[macro_export]
macro_rules! image_of_harts {
    ($workload:ident, $harts:literal $(, $prepare:expr)?) => {
        #[$crate::riscv_rt::entry]
        fn main(hart: usize) -> ! {
            if hart == 0 {
                $($prepare;)?
                $crate::wake(1..$harts);
            }
            $crate::enable_interrupts();
            $workload.run::<$crate::Ticking>();
            if hart == 0 {
                $crate::workload::exit()
            }
            loop {
                $crate::riscv::asm::wfi();
            }
        }

        #[$crate::riscv_rt::core_interrupt($crate::riscv::interrupt::Interrupt::MachineTimer)]
        fn timer() {
            $workload.interrupt::<$crate::Ticking>();
        }
    };
}

/// An image in which 4 harts share a stack in place: `many_in_place!(4, Masked<64>, 64..=64)`.
#[cfg(feature = "many-harts")]
#[macro_export]
macro_rules! many_in_place {
    ($harts:literal, $engine:ty, $room:expr) => {
        use $crate::workload::in_place::InPlace;

        static WORKLOAD: InPlace<$engine, $harts> = InPlace::new($room);

        $crate::image_of_harts!(WORKLOAD, $harts);
    };
}

/// An image in which 4 harts sleep while their work stack is empty: `work_stack!(4, Careful)`.
#[cfg(feature = "many-harts")]
#[macro_export]
macro_rules! work_stack {
    ($harts:literal, $manner:ident) => {
        use $crate::calls::{Calls, Manner, pause};
        use $crate::workload::wake_ups::Workers;

        static WORKERS: Workers<Calls> = Workers::new($harts, Calls { harts: $harts, manner: Manner::$manner });

        #[$crate::riscv_rt::entry]
        fn main(hart: usize) -> ! {
            if hart == 0 {
                WORKERS.init();
                $crate::wake(1..$harts);
            }
            WORKERS.run(pause);
            if hart == 0 {
                $crate::workload::exit()
            }
            loop {
                $crate::riscv::asm::wfi();
            }
        }
    };
}

/// Lets other harts go on to `main`. To be called when all that they use is initialised.
#[cfg(feature = "many-harts")]
pub fn wake(harts: core::ops::Range<usize>) {
    // What was initialised before is visible to who sees the interrupt.
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
    for hart in harts {
        // SAFETY: that hart's word.
        unsafe { MSIP.add(hart).write_volatile(1) };
    }
}

// Decides for each hart whether it initialises the memory: hart 0 does, the others wait for their software
// interrupt here. No Rust code may run yet, so this is assembly; `a0` is the hart, and then the answer.
#[cfg(feature = "many-harts")]
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
