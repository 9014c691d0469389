//! Cores of an Arm processor, woken by its event.

use crate::{Bell, Listen};

#[cfg(target_arch = "aarch64")]
use aarch64_cpu::asm::{barrier, sev, wfe};
#[cfg(target_arch = "arm")]
use cortex_m::asm::{dsb, sev, wfe};

/// The event that one core sends to all. Each core remembers one until its next `WFE`, which returns at once then.
///
/// An interrupt that comes meanwhile ends a `WFE`, too, so an interrupt handler may push, if the allocator permits it there: on
/// this work stack a push may ask it for a node, and wait for its turn.
#[derive(Clone, Copy, Default)]
pub struct Events;

impl Bell for Events {
    fn ring(&self) {
        // The push has to be complete before the event is sent.
        #[cfg(target_arch = "aarch64")]
        barrier::dsb(barrier::ISH);
        #[cfg(target_arch = "arm")]
        dsb();
        sev();
    }

    fn ring_all(&self) {
        self.ring();
    }
}

impl Listen for Events {
    type Listener<'a> = ();

    fn listen(&self) {}

    fn wait(&self, (): ()) {
        wfe();
    }
}
