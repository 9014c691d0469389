//! What the images have in common: the start, and two functions that are counted.

#![no_std]

#[doc(hidden)]
pub use board_cortex_m as board;

/// An image that measures a place for 64 values: `image!(16, start, push, pop, [bytes of u16, bytes of u32])`. So many values go
/// in before they come out again. `start` is called once; the others are `fn(u16) -> bool` and `fn() -> Option<u16>`.
#[macro_export]
macro_rules! image {
    ($wave:literal, $start:expr, $push:expr, $pop:expr, $bytes:expr) => {
        #[inline(never)]
        fn push(value: u16) -> bool {
            $push(value)
        }

        #[inline(never)]
        fn pop((): ()) -> Option<u16> {
            $pop()
        }

        #[$crate::board::cortex_m_rt::entry]
        fn main() -> ! {
            $crate::board::Counting::start();
            $crate::board::workload::plan::run::<$crate::board::Counting, $wave>($start, push, pop, $bytes);
            $crate::board::workload::exit()
        }

        $crate::board::faults!();
    };
}

/// The same of a stack that needs no start.
#[macro_export]
macro_rules! in_place {
    ($engine:ty) => {
        type In<T> = elimination_stack::Stack<T, $engine, elimination_stack::NoBackoff>;

        static STACK: In<u16> = elimination_stack::Stack::custom();

        $crate::image!(
            16,
            || {},
            |value| STACK.push_spare(value).is_ok(),
            || STACK.try_pop().unwrap_or(None),
            [size_of::<In<u16>>(), size_of::<In<u32>>()]
        );
    };
}
