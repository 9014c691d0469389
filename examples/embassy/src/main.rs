//! A task awaits readings that an interrupt pushes. The interrupt neither allocates nor waits; the task sleeps meanwhile.

#![no_std]
#![no_main]

use core::future::poll_fn;
use core::task::Poll;
use cortex_m::Peripherals;
use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use elimination_stack::{NoBackoff, OutOfMemory, PushError, Slots, Stack};
use embassy_executor::Spawner;
use embassy_sync::waitqueue::AtomicWaker;
use embedded_alloc::LlffHeap;
use semihosting::{println, process};

/// Two contexts: the executor, whose tasks run one at a time, and one level of interrupts.
type Values<T> = Stack<T, Slots<2>, NoBackoff>;

/// What interrupts have for one task. Copy this type; what follows it is the machine, and the test.
struct Inbox<T> {
    values: Values<T>,
    /// Remembers one task, the last that was registered. For more tasks than one, each gets an inbox of its own.
    waker: AtomicWaker,
}

impl<T> Inbox<T> {
    const fn new() -> Self {
        Self { values: Stack::custom(), waker: AtomicWaker::new() }
    }

    /// Makes room for so many values that wait. To be called before interrupts come.
    fn reserve(&self, values: usize) -> Result<(), OutOfMemory> {
        self.values.reserve(values + Values::<T>::IDLE_NODES)
    }

    /// For the interrupt handler. First the value, then the call: who is woken finds it.
    fn push_spare(&self, value: T) -> Result<(), PushError<T>> {
        self.values.push_spare(value)?;
        self.waker.wake();
        Ok(())
    }

    /// The newest value, as soon as there is one. For one task at a time.
    async fn next(&self) -> T {
        poll_fn(|context| {
            let first = self.look();
            if first.is_ready() {
                return first;
            }
            self.waker.register(context.waker());
            // The second look. An interrupt between the first one and `register` woke nobody, as nobody was registered; its
            // value is seen here. One that comes from now on wakes this task, even before it has returned.
            self.look()
        })
        .await
    }

    fn look(&self) -> Poll<T> {
        self.values.pop().map_or(Poll::Pending, Poll::Ready)
    }
}

static INBOX: Inbox<u32> = Inbox::new();

/// For the nodes: each is one link and one reading, 8 bytes.
#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

const READINGS: u32 = 1000;

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    // SAFETY: called once, before anything is allocated.
    unsafe {
        embedded_alloc::init!(HEAP, 1024);
    }
    // The only call of the allocator. No more than one reading waits at a time here.
    INBOX.reserve(1).expect("memory for the readings");

    let mut timer = Peripherals::take().expect("nobody else has taken them").SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.enable_interrupt();

    println!("awaits {READINGS} readings");
    for number in 1..=READINGS {
        // Each interrupt comes once, so a wake-up that is lost is lost for good; and each a little later than the one before, so
        // that every place in `next` has its turn, from before the first look until long after the task sleeps.
        start(&mut timer, number);
        assert_eq!(INBOX.next().await, number, "each reading once");
    }
    println!("awaited {READINGS} readings");
    process::exit(0)
}

/// Lets the interrupt come after so many cycles, as if a converter took as long for a reading.
fn start(timer: &mut SYST, cycles: u32) {
    timer.set_reload(cycles);
    timer.clear_current();
    timer.enable_counter();
}

/// The interrupt handler: neither allocates nor frees nor waits.
#[exception]
fn SysTick() {
    static mut READING: u32 = 0;
    // SAFETY: the task has started the timer before, and leaves it alone until this reading has come.
    let mut timer = unsafe { Peripherals::steal() }.SYST;
    timer.disable_counter();
    SCB::clear_pendst(); // What came due since the handler began.
    *READING += 1;
    INBOX.push_spare(*READING).expect("a node is reserved");
}
