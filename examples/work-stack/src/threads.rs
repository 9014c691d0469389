//! Threads, woken by an [`Event`].

use crate::{Bell, Listen};
use event_listener::{Event, EventListener, Listener};

impl Bell for Event {
    fn ring(&self) {
        // Additional: `notify(1)` would do nothing while a thread that was woken before has not yet come.
        self.notify_additional(1);
    }

    fn ring_all(&self) {
        self.notify(usize::MAX);
    }
}

impl Listen for Event {
    type Listener<'a> = EventListener;

    // A listener that is dropped without a wait passes its ring on.
    fn listen(&self) -> EventListener {
        Event::listen(self)
    }

    fn wait(&self, listener: EventListener) {
        listener.wait();
    }
}
