//! 64-bit Arm: the virtual timer of each core is the timer interrupt, through a GICv2.
//!
//! The MMU and the caches are on before any Rust code runs: exclusive loads and stores are only defined on
//! memory that is normal and cacheable.

#![no_std]

use aarch64_rt::{InitialPagetable, Stack};
use core::arch::asm;
use smccc::Hvc;
use workload::Board;

#[doc(hidden)]
pub use {aarch64_rt, elimination_stack, work_stack::Events, workload};

/// The interrupt controller's distributor, and its interface to each core.
const DISTRIBUTOR: usize = 0x0800_0000;
const CORE_INTERFACE: usize = 0x0801_0000;

/// The virtual timer's interrupt, private to each core.
const TIMER: u32 = 27;
/// Read instead of an interrupt's number when there is none.
const SPURIOUS: u32 = 1023;
/// Nanoseconds of a count of that timer, which runs at 62.5 MHz.
const PERIOD: u32 = 16;

/// Pages of each further core's stack, of 4 KiB.
const STACK_PAGES: usize = 16;

const DEVICE: usize = ATTRIBUTES | UNPRIVILEGED_EXECUTE_NEVER;
const MEMORY: usize = ATTRIBUTES | NORMAL | INNER_SHAREABLE;
/// A valid block that has been accessed.
const ATTRIBUTES: usize = 1 | 1 << 10;
/// Index 1 of the memory attributes, which is write-back cacheable memory in `DEFAULT_MAIR`.
const NORMAL: usize = 1 << 2;
const INNER_SHAREABLE: usize = 3 << 8;
const UNPRIVILEGED_EXECUTE_NEVER: usize = 1 << 54;

aarch64_rt::initial_pagetable!({
    let mut blocks = [0; 512];
    // Blocks of 1 GiB: the devices, then the memory.
    blocks[0] = DEVICE;
    blocks[1] = MEMORY | 1 << 30;
    InitialPagetable(blocks)
});

fn read(register: usize) -> u32 {
    // SAFETY: a register of the interrupt controller.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: a register of the interrupt controller.
    unsafe { (register as *mut u32).write_volatile(value) }
}

/// The machine.
pub struct Ticking;

// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
extern "C" fn let_others_go_on() {
    Ticking::arm(1_000);
}

impl Board for Ticking {
    const BACK: u32 = 480;
    const INTERRUPTS: u32 = 0;

    fn arm(nanoseconds: u32) {
        let counts = u64::from(nanoseconds / PERIOD);
        // SAFETY: the image has a handler for this timer's interrupt.
        unsafe {
            asm!(
                "msr cntv_tval_el0, {counts}",
                "msr cntv_ctl_el0, {enable}",
                "isb",
                counts = in(reg) counts,
                enable = in(reg) 1_u64,
                options(nostack),
            );
        }
    }

    fn disarm() {
        // SAFETY: a timer that is off endangers no memory.
        unsafe { asm!("msr cntv_ctl_el0, xzr", "isb", options(nostack)) };
    }
}

/// Lets this core's timer interrupt through.
pub fn enable_interrupts() {
    const ENABLE: u32 = 1;
    write(DISTRIBUTOR, ENABLE);
    // Interrupts 0 to 31 are private: each core has its own copy of these registers.
    write(DISTRIBUTOR + 0x100, 1 << TIMER);
    let lowest_priority = 0xFF;
    write(CORE_INTERFACE + 4, lowest_priority);
    write(CORE_INTERFACE, ENABLE);
    // SAFETY: the image has a handler for the timer's interrupt, and no other is enabled.
    unsafe { asm!("msr daifclr, #2", options(nostack)) };
}

/// Handles an interrupt request of this core with `timer`.
pub fn handle(timer: impl FnOnce()) {
    let acknowledged = read(CORE_INTERFACE + 0xC);
    match acknowledged & 0x3FF {
        TIMER => {
            timer();
            write(CORE_INTERFACE + 0x10, acknowledged);
        }
        SPURIOUS => {}
        other => panic!("unexpected interrupt {other}"),
    }
}

/// Starts the other cores of a machine with `CORES`.
pub fn start<const CORES: usize>(main: fn()) {
    for core in 1..CORES {
        // SAFETY: each core gets its own stack, which nothing else uses.
        unsafe {
            let stack = (&raw mut STACKS).cast::<Stack<STACK_PAGES>>().add(core - 1);
            aarch64_rt::start_core::<Hvc, _, STACK_PAGES>(core as u64, stack, main).expect("the core exists");
        }
    }
}

static mut STACKS: [Stack<STACK_PAGES>; workload::hart::MAX_HARTS - 1] =
    [const { Stack::new() }; workload::hart::MAX_HARTS - 1];

/// Nothing more to do on this core.
pub fn park() -> ! {
    loop {
        // SAFETY: waits.
        unsafe { asm!("wfi", options(nomem, nostack)) };
    }
}

/// An image in which 4 cores share a work stack: `many_harts!(4, Slots, Slots<8>, Elimination<4>)`.
#[macro_export]
macro_rules! many_harts {
    ($harts:literal, $engine:ident, $reclaim:ty, $backoff:ty) => {
        use $crate::aarch64_rt::{ExceptionHandlers, RegisterStateRef, entry, exception_handlers};
        use $crate::workload::many_harts::{Engine, ManyHarts};

        static WORKLOAD: ManyHarts<$reclaim, $backoff, $harts> = ManyHarts::new(Engine::$engine);

        entry!(main);
        fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
            WORKLOAD.init();
            $crate::start::<$harts>(work);
            work();
            $crate::workload::exit()
        }

        fn work() {
            $crate::enable_interrupts();
            WORKLOAD.run::<$crate::Ticking>();
            if $crate::workload::hart::number() != 0 {
                $crate::park();
            }
        }

        struct Handlers;

        impl ExceptionHandlers for Handlers {
            extern "C" fn irq_current(_: RegisterStateRef) {
                $crate::handle(|| WORKLOAD.interrupt::<$crate::Ticking>());
            }
        }

        exception_handlers!(Handlers);
    };
}

/// An image in which cores sleep while their work stack is empty: `work_stack!(4)`. (The emulator's `WFE` returns at once.)
#[macro_export]
macro_rules! work_stack {
    ($cores:literal) => {
        use $crate::aarch64_rt::{ExceptionHandlers, entry, exception_handlers};
        use $crate::workload::wake_ups::Workers;

        static WORKERS: Workers<$crate::Events> = Workers::new($cores, $crate::Events);

        entry!(main);
        fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
            WORKERS.init();
            $crate::start::<$cores>(work);
            work();
            $crate::workload::exit()
        }

        fn work() {
            WORKERS.run(|nanoseconds| (0..nanoseconds / 16).for_each(|_| core::hint::spin_loop()));
            if $crate::workload::hart::number() != 0 {
                $crate::park();
            }
        }

        struct Handlers;

        impl ExceptionHandlers for Handlers {}

        exception_handlers!(Handlers);
    };
}
