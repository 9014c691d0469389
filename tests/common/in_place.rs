//! The engines whose nodes lie in the stack: the list of such stacks, and what a suite has to know of them.
//!
//! Who includes this file includes `common` before.

#![allow(dead_code, unused_macros, reason = "each suite uses a part of this")]

#[cfg(feature = "critical-section")]
pub use elimination_stack::Masked;
pub use elimination_stack::{Engine, Fixed};

/// As `for_each_stack`, for each generic function `fn first<R: InPlace, B: Backoff>()`.
macro_rules! for_each_stack_in_place {
    ($($test:ident),+ $(,)?) => {
        mod in_place {
            use super::*;
            list_of_stacks_in_place! { every [$($test)+] }
        }
    };
}

/// As `for_each_stack_type`.
macro_rules! for_each_type_in_place {
    ($callback:ident) => {
        mod type_in_place {
            use super::*;
            list_of_stacks_in_place! { every [@ $callback] }
        }
    };
}

/// As `on_each_stack`.
macro_rules! on_each_stack_in_place {
    ($function:ident $arguments:tt) => {{
        list_of_stacks_in_place! { every [= $function $arguments] }
    }};
}

macro_rules! list_of_stacks_in_place {
    ($which:ident $tests:tt) => {
        one_stack! { $which $tests in_place fixed4: Fixed<4, 1>, NoBackoff }
        one_stack! { $which $tests in_place fixed5: Fixed<5, 3>, NoBackoff }
        one_stack! { $which $tests in_place fixed64: Fixed<64, 2>, Elimination<4> }
        one_stack! { $which $tests in_place fixed300: Fixed<300, 8>, Elimination<1, Yield> }
        #[cfg(feature = "critical-section")]
        one_stack! { $which $tests in_place masked64: Masked<64>, NoBackoff }
    };
}

/// What a suite has to know of an engine in place.
pub trait InPlace: Engine + 'static {
    /// Values for which there is room, whoever is inside.
    const CAP: usize;
    /// Values for which there is room where one context alone has used the stack.
    const ROOM: usize;
    /// Contexts that may be inside at once, so that none is refused for it.
    const CONTEXTS: usize;
}

impl<const CAP: usize, const N: usize> InPlace for Fixed<CAP, N> {
    const CAP: usize = CAP;
    // The nodes that slots may keep for each other are free as long as there is one context.
    const ROOM: usize = CAP + N * N;
    const CONTEXTS: usize = N;
}

#[cfg(feature = "critical-section")]
impl<const CAP: usize> InPlace for Masked<CAP> {
    const CAP: usize = CAP;
    const ROOM: usize = CAP;
    const CONTEXTS: usize = usize::MAX;
}
