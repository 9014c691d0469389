//! Four RISC-V harts share jobs. Each has a `Handle`, which is the fast path; hart 0 and its timer interrupt push the jobs, the
//! three other harts do them and push what comes of them, and hart 0 takes that. Who finds nothing sleeps in `WFI`, and is called
//! by a software interrupt.
//!
//! No wake-up is lost: `jobs.rs` says why. After the start nothing is allocated.

#![no_std]
#![no_main]

mod clint;
mod jobs;
mod start_only;

use core::hint;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use jobs::{Jobs, Values};
use riscv::interrupt::Interrupt;
use riscv_rt::{core_interrupt, entry};
use semihosting::{println, process};

static JOBS: Jobs = Jobs::new();
static RESULTS: Jobs = Jobs::new();

const HARTS: usize = 4;
const ROUNDS: u32 = 4000;
/// Jobs of a round that the timer interrupt pushes; one in eight is such a round.
const BATCH: u32 = 32;

/// How many jobs the timer interrupt of hart 0 is to push. Only that hart uses it.
static TO_PUSH: AtomicU32 = AtomicU32::new(0);
/// Whether each hart's timer interrupt has come since it was armed.
static CAME: [AtomicBool; HARTS] = [const { AtomicBool::new(false) }; HARTS];

#[entry]
fn main(hart: usize) -> ! {
    if hart != 0 {
        clint::enable_interrupts();
        work(hart as u32);
    }
    for jobs in [&JOBS, &RESULTS] {
        jobs.reserve(BATCH as usize).expect("memory for the values");
    }
    println!("2 stacks of {} bytes, {} bytes of nodes, {HARTS} harts", size_of::<Values>(), start_only::close());
    clint::start(1..HARTS);
    clint::enable_interrupts();
    rounds();
    process::exit(0)
}

/// What harts 1 to 3 do. A job is a number here, and what comes of it is the same number and the hart that had it.
fn work(hart: u32) -> ! {
    let (mut jobs, mut results) = (JOBS.worker(), RESULTS.worker());
    loop {
        let job = jobs.next();
        if job % 8 == 7 {
            // This one has to wait for something else; meanwhile the other harts do what is left.
            arm(20);
            await_timer();
        }
        results.push(hart << 8 | job);
    }
}

/// Hart 0: in most rounds there is one job, so a wake-up that is lost is lost for good, and the program hangs. The next round
/// begins a little later than the one before did, so that every place has its turn: from long before a hart sleeps until long
/// after.
fn rounds() {
    let (mut jobs, mut results) = (JOBS.worker(), RESULTS.worker());
    let mut done = [0; HARTS];
    for round in 0..ROUNDS {
        let count = if round % 8 == 0 { BATCH } else { 1 };
        // The timer counts time by some instructions; so these are for the places in between.
        (0..round / 251 % 8).for_each(|_| hint::spin_loop());
        if count == 1 {
            jobs.push(0);
        } else {
            TO_PUSH.store(count, Relaxed);
        }
        arm(1 + u64::from(round % 251));
        // A bit for each job that is not done yet.
        let mut missing = u32::MAX >> (32 - count);
        while missing != 0 {
            let result = results.next();
            let (hart, job) = (result >> 8, result & 0xFF);
            assert!(missing & 1 << job != 0, "job {job} of {count} came twice");
            missing ^= 1 << job;
            done[hart as usize] += 1;
        }
        await_timer();
    }
    assert_eq!(done.iter().sum::<u32>(), ROUNDS / 8 * (BATCH + 7), "each job once");
    println!("{} jobs, of which harts 1 to 3 did {:?}", done.iter().sum::<u32>(), &done[1..]);
}

/// Lets this hart's timer interrupt come once, so many tenths of a microsecond from now.
fn arm(tenths: u64) {
    CAME[clint::hart()].store(false, Relaxed);
    clint::arm(tenths);
}

/// Sleeps until it has come. The look and the sleep are masked, as those of `Jobs` are.
fn await_timer() {
    let came = &CAME[clint::hart()];
    while !came.load(Relaxed) {
        riscv::interrupt::free(|| {
            if !came.load(Relaxed) {
                riscv::asm::wfi();
            }
        });
    }
}

#[core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    clint::disarm();
    if clint::hart() == 0 {
        (0..TO_PUSH.load(Relaxed)).for_each(|job| JOBS.push_spare(job).expect("a node is reserved"));
        TO_PUSH.store(0, Relaxed);
    }
    CAME[clint::hart()].store(true, Relaxed);
}

/// A call: it has ended the sleep, or come too late for that, and there is nothing else to do.
#[core_interrupt(Interrupt::MachineSoft)]
fn called() {
    clint::take_back();
}
