//! Every method on every engine and back-off that the target has: generic code is only compiled where it is
//! used, and what a target lacks shows only when an image is linked. This one is not measured.
#![no_std]
#![no_main]

use core::hint::black_box;
#[cfg(target_has_atomic = "ptr")]
use elimination_stack::Haphazard;
use elimination_stack::{Elimination, Exponential, NoBackoff, Slots, Stack};

macro_rules! exercise {
    ($value:ident; $($stack:ty),*) => {$({
        static STACK: $stack = <$stack>::custom();
        STACK.push($value);
        black_box(STACK.try_push($value).is_ok());
        black_box(STACK.push_spare($value).is_ok());
        black_box(STACK.pop());
        black_box(STACK.try_pop().is_ok());
        black_box(STACK.is_empty());
        STACK.push_all([$value, $value]);
        black_box(STACK.take_all().count());
        black_box(STACK.reserve(2).is_ok());
        black_box(STACK.reclaim());
        black_box(<$stack>::IDLE_NODES);
        {
            let mut handle = STACK.handle();
            handle.push($value);
            black_box(handle.try_push($value).is_ok());
            black_box(handle.push_spare($value).is_ok());
            handle.push_all([$value, $value]);
            black_box(handle.pop());
        }
        let mut owned = <$stack>::default();
        owned.extend([$value]);
        black_box(owned.into_iter().count());
    })*};
}

cross::image!(|value| {
    exercise!(value;
        Stack<u32>,
        Stack<u32, Slots<2>, NoBackoff>,
        Stack<u32, Slots<2>, Exponential>,
        Stack<u32, Slots<2>, Elimination<2>>
    );
    let small = value as u16;
    exercise!(small; Stack<u16>, Stack<u16, Slots<2>, NoBackoff>);
    #[cfg(target_has_atomic = "ptr")]
    exercise!(value;
        Stack<u32, Haphazard, NoBackoff>,
        Stack<u32, Haphazard, Exponential>,
        Stack<u32, Haphazard, Elimination<2>>
    );
});
