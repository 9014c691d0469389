//! In the place of a DMA controller: SysTick is its interrupt, and the bytes come from a loop. A driver of a real one has the
//! same three calls; it gives the buffer's address to the controller, with a fence before the start and one after the end.

use crate::Buffer;
use core::cell::RefCell;
use cortex_m::Peripherals;
use cortex_m::peripheral::{SYST, syst::SystClkSource};
use critical_section::Mutex;

struct Controller {
    timer: SYST,
    /// What the transfer goes to that is under way.
    buffer: Option<Buffer>,
    finished: u32,
}

/// The main loop and the handler use it, so each does with interrupts masked.
static CONTROLLER: Mutex<RefCell<Option<Controller>>> = Mutex::new(RefCell::new(None));

fn with<R>(work: impl FnOnce(&mut Controller) -> R) -> R {
    critical_section::with(|section| work(CONTROLLER.borrow_ref_mut(section).as_mut().expect("init is called first")))
}

pub fn init() {
    let mut timer = Peripherals::take().expect("nobody else has taken them").SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.enable_interrupt();
    let controller = Controller { timer, buffer: None, finished: 0 };
    critical_section::with(|section| CONTROLLER.replace(section, Some(controller)));
}

/// Starts a transfer into the buffer, which is the controller's until then.
pub fn start(buffer: Buffer) {
    with(|controller| {
        assert!(controller.buffer.replace(buffer).is_none(), "one transfer at a time");
        // Some transfers take longer than others.
        controller.timer.set_reload(200 + controller.finished * 89 % 1500);
        controller.timer.clear_current();
        controller.timer.enable_counter();
    });
}

/// Whether no transfer is under way; so no interrupt comes, either.
pub fn is_idle() -> bool {
    with(|controller| controller.buffer.is_none())
}

/// For the handler: the buffer, if a transfer has ended. Its number is in there, in each word.
pub fn finished() -> Option<Buffer> {
    with(|controller| {
        controller.timer.disable_counter();
        let buffer = controller.buffer.take()?;
        controller.finished += 1;
        for word in buffer.as_chunks_mut::<4>().0 {
            *word = controller.finished.to_le_bytes();
        }
        Some(buffer)
    })
}

/// Gives up the transfer that is under way: how many were finished, and its buffer.
pub fn stop() -> (u32, Option<Buffer>) {
    with(|controller| {
        controller.timer.disable_counter();
        (controller.finished, controller.buffer.take())
    })
}
