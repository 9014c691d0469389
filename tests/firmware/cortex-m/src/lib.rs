//! Cortex-M: SysTick is the timer interrupt and the counter.

#![no_std]

use cortex_m::peripheral::{SCB, SYST, scb::SystemHandler};
use workload::{Board, Counter, Sleep};
#[cfg(feature = "heap")]
use workload::{most::Switching, sweep::Stepping};

#[doc(hidden)]
pub use {cortex_m, cortex_m_rt, elimination_stack, workload};

/// Picoseconds of a SysTick count: 16 MHz on the micro:bit, 25 MHz on the MPS2.
const PERIOD: u64 = if cfg!(target_has_atomic = "ptr") { 40_000 } else { 62_500 };
/// Picoseconds of an instruction while instructions are counted (`-icount shift=8`): several SysTick counts.
const INSTRUCTION: u64 = 256_000;

const ENABLE: u32 = 1 << 0;
const INTERRUPT: u32 = 1 << 1;
const PROCESSOR_CLOCK: u32 = 1 << 2;
const LONGEST: u32 = 0x00FF_FFFF;

/// Starts SysTick, or lets it start again with another reload.
fn start(reload: u32, control: u32) {
    // SAFETY: SysTick is used by nothing else, and these registers' values endanger no memory.
    unsafe {
        let timer = &*SYST::PTR;
        timer.rvr.write(reload);
        timer.cvr.write(0);
        timer.csr.write(control);
    }
}

/// The machine, while interrupts come.
pub struct Ticking;

impl Board for Ticking {
    const BACK: u32 = 200;
    const INTERRUPTS: u32 = 8_000;

    #[expect(clippy::cast_possible_truncation, reason = "limited to 24 bits before")]
    fn arm(nanoseconds: u32) {
        let reload = (u64::from(nanoseconds) * 1000 / PERIOD).clamp(1, LONGEST.into());
        start(reload as u32, ENABLE | INTERRUPT | PROCESSOR_CLOCK);
        // What came due while the handler ran does not count.
        SCB::clear_pendst();
    }

    fn disarm() {
        start(LONGEST, 0);
        SCB::clear_pendst();
    }
}

impl Sleep for Ticking {
    fn masked<R>(work: impl FnOnce() -> R) -> R {
        cortex_m::interrupt::free(|_| work())
    }

    fn wait_for_interrupt() {
        cortex_m::asm::wfi();
    }
}

/// The machine, while instructions are counted.
pub struct Counting;

impl Counting {
    /// Starts the counter.
    pub fn start() {
        start(LONGEST, ENABLE | PROCESSOR_CLOCK);
    }
}

impl Counter for Counting {
    fn read() -> u32 {
        SYST::get_current()
    }

    #[expect(clippy::cast_possible_truncation, reason = "fewer instructions than counts")]
    fn between(start: u32, end: u32) -> u32 {
        // It counts down. Two readings are off by less than one count, and an instruction is at least four, so
        // rounding to the nearest is exact.
        let counts = start.wrapping_sub(end) & LONGEST;
        ((u64::from(counts) * PERIOD + INSTRUCTION / 2) / INSTRUCTION) as u32
    }
}

#[cfg(feature = "heap")]
impl Stepping for Counting {
    const CODE: usize = 0;

    #[expect(clippy::cast_possible_truncation, reason = "limited to 24 bits before")]
    fn arm(instructions: u32) {
        // Half an instruction earlier, so that the nearest count does not come after it.
        let counts = (u64::from(instructions) * INSTRUCTION).saturating_sub(INSTRUCTION / 2) / PERIOD;
        Self::disarm();
        start(counts.clamp(1, LONGEST.into()) as u32, ENABLE | INTERRUPT | PROCESSOR_CLOCK);
        // It takes the reload one count after it was started, and is to come only once.
        cortex_m::asm::delay(1);
        // SAFETY: as in `start`.
        unsafe { (*SYST::PTR).rvr.write(LONGEST) };
    }

    #[expect(clippy::cast_possible_truncation, reason = "fewer instructions than counts")]
    fn late() -> u32 {
        // It was due up to half an instruction before one, less a few counts, and began again there.
        ((u64::from(LONGEST - SYST::get_current()) * PERIOD + INSTRUCTION / 4) / INSTRUCTION) as u32
    }

    fn disarm() {
        start(LONGEST, 0);
        SCB::clear_pendst();
    }

    fn call_first_level() {
        SCB::set_pendsv();
    }
}

#[cfg(feature = "heap")]
impl Switching for Counting {
    fn prepare(memory: &mut [usize], entry: extern "C" fn() -> !) -> usize {
        /// Words that the processor saves at an interrupt: at the end the address where it goes on, and its state (Thumb).
        const FRAME: usize = 8;
        /// Words that `switching` saves, and one for the alignment; at the end the interrupt's return to a thread.
        const REGISTERS: usize = 10;
        let end = memory.len() - FRAME;
        memory[end - 1] = 0xFFFF_FFF9;
        memory[end + 6] = entry as usize & !1;
        memory[end + 7] = 1 << 24;
        memory[end - REGISTERS..].as_ptr() as usize
    }

    #[inline(always)]
    fn stack_end() -> *mut usize {
        let end;
        // SAFETY: only looks where it ends.
        unsafe { core::arch::asm!("mov {}, sp", out(reg) end, options(nomem, nostack, preserves_flags)) };
        end
    }

    fn call_switch() {
        SCB::set_pendsv();
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
    }

    fn called() {
        SCB::clear_pendsv();
    }

    fn count() {
        Self::start();
        SCB::clear_pendst();
    }
}

/// Lets SysTick interrupt the handler of PendSV, as `sweep` needs it.
pub fn set_priorities() {
    // SAFETY: nothing else uses this register, and no critical section is made of priorities.
    unsafe {
        let mut peripherals = cortex_m::Peripherals::steal();
        peripherals.SCB.set_priority(SystemHandler::SysTick, 0);
        peripherals.SCB.set_priority(SystemHandler::PendSV, 0xFF);
    }
}

/// An image whose main loop runs a workload that the timer interrupts.
#[macro_export]
macro_rules! image {
    ($workload:ident) => {
        #[$crate::cortex_m_rt::entry]
        fn main() -> ! {
            $workload.run::<$crate::Ticking>();
            $crate::workload::exit()
        }

        #[$crate::cortex_m_rt::exception]
        fn SysTick() {
            $workload.interrupt::<$crate::Ticking>();
        }

        $crate::faults!();
    };
}

/// An image in which the main loop and SysTick use one stack: `one_hart!(Slots<2>, NoBackoff)`.
#[macro_export]
macro_rules! one_hart {
    ($reclaim:ty, $backoff:ty) => {
        use $crate::workload::one_hart::OneHart;

        static WORKLOAD: OneHart<$reclaim, $backoff> = OneHart::new();

        $crate::image!(WORKLOAD);
    };
}

/// An image in which the main loop and SysTick use one stack in place, which refuses a value
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

        #[$crate::cortex_m_rt::entry]
        fn main() -> ! {
            $crate::Counting::start();
            $crate::workload::count::run::<$crate::Counting, _, _>(&STACK);
            $crate::workload::exit()
        }

        $crate::faults!();
    };
}

/// An image in which SysTick comes at every instruction.
#[macro_export]
macro_rules! sweep {
    () => {
        use $crate::workload::sweep;

        #[$crate::cortex_m_rt::entry]
        fn main() -> ! {
            $crate::set_priorities();
            sweep::run::<$crate::Counting>();
            $crate::workload::exit()
        }

        // The interrupted instruction's address lies where the stack ends now, which only assembly can say.
        core::arch::global_asm!(
            ".section .text.SysTick, \"ax\"",
            ".global SysTick",
            ".type SysTick, %function",
            ".thumb_func",
            "SysTick:",
            "    mov r0, sp",
            "    ldr r1, 1f",
            "    bx r1",
            ".balign 4",
            "1:  .word sweep_timer",
        );

        #[unsafe(no_mangle)]
        extern "C" fn sweep_timer(frame: &$crate::cortex_m_rt::ExceptionFrame) {
            sweep::timer::<$crate::Counting>(frame.pc() as usize);
        }

        #[$crate::cortex_m_rt::exception]
        fn PendSV() {
            sweep::first_level::<$crate::Counting>();
        }

        $crate::faults!();
    };
}

/// An image that counts the most that the calls of an interrupt take.
#[macro_export]
macro_rules! most {
    () => {
        use $crate::workload::most;

        #[$crate::cortex_m_rt::entry]
        fn main() -> ! {
            most::run::<$crate::Counting>();
            $crate::workload::exit()
        }

        // Saves what the processor has not saved, and goes on with the stack that it is told. The constants are of both
        // processors; a register above the seventh is not in the instructions of the smaller one.
        core::arch::global_asm!(
            ".section .text.switching, \"ax\"",
            ".global SysTick",
            ".global PendSV",
            ".type SysTick, %function",
            ".type PendSV, %function",
            ".thumb_func",
            "SysTick:",
            ".thumb_func",
            "PendSV:",
            "    push {{r4-r7, lr}}",
            "    mov r4, r8",
            "    mov r5, r9",
            "    mov r6, r10",
            "    mov r7, r11",
            "    sub sp, #4",
            "    push {{r4-r7}}",
            "    mov r0, sp",
            "    ldr r1, 1f",
            "    blx r1",
            "    mov sp, r0",
            "    pop {{r4-r7}}",
            "    add sp, #4",
            "    mov r8, r4",
            "    mov r9, r5",
            "    mov r10, r6",
            "    mov r11, r7",
            "    pop {{r4-r7, pc}}",
            ".balign 4",
            "1:  .word most_switch",
        );

        #[unsafe(no_mangle)]
        extern "C" fn most_switch(stack_pointer: usize) -> usize {
            most::switch::<$crate::Counting>(stack_pointer)
        }

        $crate::faults!();
    };
}

/// Ends the emulator when the processor faults.
#[doc(hidden)]
#[macro_export]
macro_rules! faults {
    () => {
        #[$crate::cortex_m_rt::exception]
        unsafe fn HardFault(frame: &$crate::cortex_m_rt::ExceptionFrame) -> ! {
            panic!("fault: {frame:?}");
        }

        #[$crate::cortex_m_rt::exception]
        unsafe fn DefaultHandler(number: i16) {
            panic!("unexpected exception {number}");
        }
    };
}
