//! `Send` and `Sync` exactly when `T: Send`, and the other traits.

use super::*;
use elimination_stack::{Interrupt, IntoIter, TakeAll};
use implements::*;
use std::fmt::Debug;
use std::iter::FusedIterator;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::MutexGuard;

/// `Send + !Sync`, `!Send + Sync`, `!Send + !Sync`.
type SendOnly = Cell<u32>;
type SyncOnly = MutexGuard<'static, u32>;
type Neither = Rc<u32>;

// Asked of each stack by name: in a generic function, a bound that is not declared does not hold.
macro_rules! concrete {
    ($engine:ty, $backoff:ty) => {
        #[test]
        fn send_and_sync_exactly_if_the_values_are_send() {
            assert!(implements!(Stack<u32, $engine, $backoff>: Send + Sync));
            assert!(implements!(Stack<SendOnly, $engine, $backoff>: Send + Sync));
            assert!(!implements!(Stack<SyncOnly, $engine, $backoff>: Send));
            assert!(!implements!(Stack<SyncOnly, $engine, $backoff>: Sync));
            assert!(!implements!(Stack<Neither, $engine, $backoff>: Send));
            assert!(!implements!(Stack<Neither, $engine, $backoff>: Sync));
        }

        #[test]
        fn what_borrows_a_stack_is_send_if_the_values_are() {
            assert!(implements!(Handle<'static, SendOnly, $engine, $backoff>: Send));
            assert!(!implements!(Handle<'static, SyncOnly, $engine, $backoff>: Send));
            assert!(!implements!(Handle<'static, Neither, $engine, $backoff>: Send));
            assert!(implements!(Interrupt<'static, SendOnly, $engine, $backoff>: Send + Sync));
            assert!(!implements!(Interrupt<'static, Neither, $engine, $backoff>: Send));
            assert!(implements!(TakeAll<'static, SendOnly, $engine, $backoff>: Send));
            assert!(!implements!(TakeAll<'static, SyncOnly, $engine, $backoff>: Send));
            assert!(!implements!(TakeAll<'static, Neither, $engine, $backoff>: Sync));
            assert!(implements!(IntoIter<SendOnly, $engine, $backoff>: Send));
            assert!(!implements!(IntoIter<SyncOnly, $engine, $backoff>: Send));
        }

        #[test]
        fn other_traits() {
            /// Implements nothing.
            struct Opaque;

            assert!(implements!(Stack<Opaque, $engine, $backoff>: Default + Debug + UnwindSafe + RefUnwindSafe));
            assert!(implements!(Stack<Opaque, $engine, $backoff>: IntoIterator<Item = Opaque>));
            assert!(implements!(Handle<'static, Opaque, $engine, $backoff>: Debug + UnwindSafe + RefUnwindSafe));
            assert!(implements!(TakeAll<'static, Opaque, $engine, $backoff>: Debug + UnwindSafe + RefUnwindSafe));
            assert!(implements!(TakeAll<'static, Opaque, $engine, $backoff>: FusedIterator<Item = Opaque>));
            assert!(implements!(IntoIter<Opaque, $engine, $backoff>: FusedIterator<Item = Opaque> + Debug));
            assert!(implements!(Interrupt<'static, Opaque, $engine, $backoff>: Copy + Debug));

            assert!(!implements!(Stack<u32, $engine, $backoff>: Clone));
            assert!(!implements!(Handle<'static, u32, $engine, $backoff>: Clone));
            assert!(!implements!(TakeAll<'static, u32, $engine, $backoff>: Clone));
            // Those would need memory for any number of values.
            assert!(!implements!(Stack<u32, $engine, $backoff>: Extend<u32>));
            assert!(!implements!(Stack<u32, $engine, $backoff>: FromIterator<u32>));
        }
    };
}

for_each_type_in_place! { concrete }
