//! Threads that race on one stack, and the histories of their calls.
//!
//! Who includes this file includes `common` and `history` beside it.

#![allow(dead_code, reason = "each suite uses a part of this")]

use crate::common::{Backoff, Handle, Random, Stack, scaled};
use crate::history::Effect::{self, Popped, Pushed, Refused, SawEmpty, Took};
use crate::history::{Call, History, NotLinearizable, Value};
use elimination_stack::Engine;
use std::collections::BTreeMap;
use std::hint;
use std::mem;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Histories with overlapping calls, for each number of threads.
const HISTORIES: usize = 2_000;
/// At any scale at least so many histories; in fewer some method may be missing.
const FEWEST: usize = 100;
/// At most so many times as many histories are tried, if some overlap;
const TRIES: usize = 4;
/// and so many times, if none do: under an emulator, or beside other programs, threads may miss each other for long.
const MOST_TRIES: usize = 100;
/// Where the processors are busy, what is done in this time must do, for each number of threads, if some overlap.
const ENOUGH_TIME: Duration = Duration::from_secs(2);
/// The most values in the stack at the beginning.
const FIRST_VALUES: usize = 3;

/// Makes any call, on the stack.
type OnStack<'s, R, B> = fn(&Race<'s, R, B>, usize, &mut Random, &mut dyn Iterator<Item = Value>) -> Call;
/// Makes any call, through a handle.
type OnHandle<'s, R, B> =
    fn(&Race<'s, R, B>, usize, &mut Handle<'s, Value, R, B>, &mut Random, &mut dyn Iterator<Item = Value>) -> Call;

/// Which calls there are in a race.
pub struct Calls<'s, R: Engine, B: Backoff> {
    pub on_stack: OnStack<'s, R, B>,
    pub on_handle: OnHandle<'s, R, B>,
    /// How many methods there are in both, with the `try_push_all` that each history begins with.
    pub methods: usize,
}

/// Has two to four threads race on a stack, and fails if a history is not linearizable.
pub fn race<'s, R: Engine, B: Backoff>(stack: &'s Stack<Value, R, B>, calls: &'s Calls<'s, R, B>) {
    // One test at a time: its threads shall have the processors, or their calls do not overlap.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for threads in 2..=4 {
        // What the last race's last round has left.
        drop(stack.take_all());
        match Race::new(stack, calls, threads).run(scaled(HISTORIES).max(FEWEST)) {
            Ok(tally) => tally.assert_meaningful(calls.methods),
            Err(error) => panic!("{threads} threads: {error}"),
        }
    }
}

/// Numbers moments. Read-modify-writes of one word are in one order, with which that of what happens before agrees.
#[derive(Default)]
struct Clock(AtomicUsize);

impl Clock {
    fn tick(&self) -> u64 {
        self.0.fetch_add(1, SeqCst) as u64
    }
}

/// Keeps this thread on one of the processors that the process may use: the scheduler of a busy machine is happy to put
/// threads that wait for each other on the same one, where their calls do not overlap.
#[cfg(target_os = "linux")]
fn stay_on_processor(number: usize) {
    // SAFETY: the set is plain data of the size given, and is the calling thread's.
    unsafe {
        let mut permitted: libc::cpu_set_t = mem::zeroed();
        let size = size_of_val(&permitted);
        if libc::sched_getaffinity(0, size, &raw mut permitted) != 0 {
            return;
        }
        let all: Vec<_> = (0..libc::CPU_SETSIZE as usize).filter(|&cpu| libc::CPU_ISSET(cpu, &permitted)).collect();
        let mut one: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(all[number % all.len()], &mut one);
        libc::sched_setaffinity(0, size, &raw const one);
    }
}

#[cfg(not(target_os = "linux"))]
fn stay_on_processor(_: usize) {}

/// A barrier that lets all threads go within nanoseconds of each other, which `std`'s does not.
struct Gate {
    threads: usize,
    arrived: AtomicUsize,
    broken: AtomicBool,
}

impl Gate {
    /// Looks before another thread may run.
    const LOOKS: usize = 500;

    fn new(threads: usize) -> Self {
        Self { threads, arrived: AtomicUsize::new(0), broken: AtomicBool::new(false) }
    }

    fn wait(&self) {
        let everybody = (self.arrived.fetch_add(1, SeqCst) / self.threads + 1) * self.threads;
        for look in 1.. {
            if self.arrived.load(SeqCst) >= everybody {
                return;
            }
            assert!(!self.broken.load(SeqCst), "another thread has panicked");
            if look % Self::LOOKS == 0 {
                thread::yield_now();
            } else {
                hint::spin_loop();
            }
        }
    }
}

/// Breaks the gate if its thread panics, so that the others do not wait for ever.
struct BreakIfPanicking<'g>(&'g Gate);

impl Drop for BreakIfPanicking<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, SeqCst);
        }
    }
}

/// What the histories were like.
#[derive(Default)]
struct Tally {
    histories: usize,
    overlapping: usize,
    /// Histories whose calls cannot have happened in the order in which they began.
    out_of_order: usize,
    /// How often each method had an effect.
    effects: BTreeMap<&'static str, usize>,
    /// Whether all threads have to share one, on which calls overlap only where the scheduler interrupts one.
    one_processor: bool,
}

impl Tally {
    fn add(&mut self, history: &History) {
        self.histories += 1;
        self.overlapping += usize::from(history.overlaps() > 0);
        self.out_of_order += usize::from(!history.is_legal_as_begun());
        for call in history.calls() {
            *self.effects.entry(call.method).or_default() += usize::from(call.effect != Refused);
        }
    }

    /// Fails if the histories could hardly have shown anything.
    fn assert_meaningful(&self, methods: usize) {
        let Self { histories, overlapping, out_of_order, effects, one_processor } = self;
        println!("{histories} histories, {overlapping} overlapping, {out_of_order} out of order; {effects:?}");
        assert!(effects.len() == methods && effects.values().all(|&count| count > 0), "{effects:?}");
        // How many do is up to the scheduler, and to what else runs: half of them and more on two idle processors.
        assert!(*overlapping > 0 || *one_processor, "none of {histories} histories overlap");
    }

    /// Whether there are enough histories.
    fn is_enough(&self, overlapping: usize, time: Duration) -> bool {
        if self.overlapping == 0 && !self.one_processor {
            return self.histories == MOST_TRIES * overlapping;
        }
        let late = self.histories >= FEWEST && time > ENOUGH_TIME;
        late || self.overlapping == overlapping || self.histories >= TRIES * overlapping
    }
}

/// Threads that race on one stack, history after history.
pub struct Race<'s, R: Engine, B: Backoff> {
    pub stack: &'s Stack<Value, R, B>,
    calls: &'s Calls<'s, R, B>,
    clock: Clock,
    gate: Gate,
    over: AtomicBool,
}

impl<'s, R: Engine, B: Backoff> Race<'s, R, B> {
    fn new(stack: &'s Stack<Value, R, B>, calls: &'s Calls<'s, R, B>, threads: usize) -> Self {
        Self { stack, calls, clock: Clock::default(), gate: Gate::new(threads), over: AtomicBool::new(false) }
    }

    /// Races until there are enough histories, of which `enough` shall have overlapping calls, or one is not linearizable.
    fn run(&self, enough: usize) -> Result<Tally, NotLinearizable> {
        let records: Vec<_> = (0..self.gate.threads).map(|_| Mutex::new(Vec::new())).collect();
        // Asked here, since the threads are kept on one each.
        let one_processor = thread::available_parallelism().is_ok_and(|processors| processors.get() == 1);
        let tally = Tally { one_processor, ..Tally::default() };
        thread::scope(|scope| {
            let leader = scope.spawn(|| self.lead(&records, enough, tally));
            for (context, record) in records.iter().enumerate().skip(1) {
                scope.spawn(move || self.follow(context, record));
            }
            leader.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// What the first thread does: it begins and ends the histories, and has them checked.
    fn lead(&self, records: &[Mutex<Vec<Call>>], enough: usize, mut tally: Tally) -> Result<Tally, NotLinearizable> {
        let _breaks = BreakIfPanicking(&self.gate);
        stay_on_processor(0);
        let (mut result, start) = (Ok(()), Instant::now());
        for round in 0.. {
            self.over.store(result.is_err() || tally.is_enough(enough, start.elapsed()), SeqCst);
            let first = Random::new(round).below(FIRST_VALUES + 1);
            let mut calls = vec![self.try_push_all(0, (1..).take(first).collect())];
            if !self.take_part(0, round, &records[0]) {
                break;
            }
            calls.extend(records.iter().flat_map(|record| mem::take(&mut *record.lock().unwrap())));
            calls.push(self.take_all(0));
            let history = History::new(calls);
            tally.add(&history);
            result = history.linearize().map(drop);
        }
        result.map(|()| tally)
    }

    /// What the others do.
    fn follow(&self, context: usize, record: &Mutex<Vec<Call>>) {
        let _breaks = BreakIfPanicking(&self.gate);
        stay_on_processor(context);
        let mut rounds = 0..;
        while rounds.next().is_some_and(|round| self.take_part(context, round, record)) {}
    }

    /// One thread's calls of one history; `false` if there is none any more.
    fn take_part(&self, context: usize, round: usize, record: &Mutex<Vec<Call>>) -> bool {
        let mut random = Random::new(round * 8 + context);
        let mut values = (1..).map(|number| Value::try_from(100 * (context + 1) + number).unwrap());
        let mut handle = (random.below(2) == 0).then(|| self.stack.try_handle().unwrap());
        self.gate.wait();
        if self.over.load(SeqCst) {
            return false;
        }
        let calls = (0..3 + random.below(3)).map(|_| {
            drift(&mut random, round);
            match handle.as_mut().filter(|_| random.below(4) > 0) {
                Some(handle) => (self.calls.on_handle)(self, context, handle, &mut random, &mut values),
                None => (self.calls.on_stack)(self, context, &mut random, &mut values),
            }
        });
        *record.lock().unwrap() = calls.collect();
        self.gate.wait();
        true
    }

    /// What it could not push did not go in.
    pub fn try_push_all(&self, context: usize, mut values: Vec<Value>) -> Call {
        let all = values.clone();
        self.call(
            context,
            "try_push_all",
            || self.stack.try_push_all(all),
            |result| {
                let refused = result.map_or_else(|refused| refused.into_value().count(), |()| 0);
                values.truncate(values.len() - refused);
                if refused > 0 && values.is_empty() { Refused } else { Pushed(values) }
            },
        )
    }

    /// A call that every engine has, of those that are chosen among 14: the numbers that are not an engine's own.
    pub fn call_on_any(&self, context: usize, number: usize, value: Value) -> Call {
        let stack = self.stack;
        match number {
            3..5 => {
                self.call(context, "push_spare", || stack.push_spare(value), |result| Effect::of_push(value, &result))
            }
            7..9 => self.call(context, "pop", || stack.pop(), Popped),
            9..12 => self.call(context, "try_pop", || stack.try_pop(), |result| result.map_or(Refused, Popped)),
            12 => self.take_all(context),
            _ => self.call(context, "is_empty", || stack.is_empty(), SawEmpty),
        }
    }

    /// The call has ended when everything is detached; what it was, the iterator may say later.
    pub fn take_all(&self, context: usize) -> Call {
        self.call(context, "take_all", || self.stack.take_all(), |taken| Took(taken.collect()))
    }

    pub fn call<O>(
        &self,
        context: usize,
        method: &'static str,
        action: impl FnOnce() -> O,
        effect: impl FnOnce(O) -> Effect,
    ) -> Call {
        let began = self.clock.tick();
        let result = action();
        let ended = self.clock.tick();
        Call { context, method, began, ended, effect: effect(result) }
    }
}

/// Lets the threads drift against each other, but in every other history not: then they lose more races.
fn drift(random: &mut Random, round: usize) {
    if round % 2 == 0 {
        return;
    }
    if random.below(16) == 0 {
        thread::yield_now();
    }
    let longest = 1 << random.below(8);
    (0..random.below(longest)).for_each(|_| hint::spin_loop());
}
