//! A stack of pointers for C: what `elimination_stack.h` declares, and says there. To have several stacks, or other capacities,
//! repeat the static and the functions with other names.

#![no_std]

use core::ffi::{c_int, c_void};
use core::panic::PanicInfo;
use elimination_stack::{Fixed, NoBackoff, PushErrorKind, Stack};

/// The one place that says which engine it is. Two contexts: the main loop, and one level of interrupts.
type Pointers = Stack<Pointer, Fixed<CAPACITY, 2>, NoBackoff>;

static POINTERS: Pointers = Stack::custom();

/// As the header has it.
const CAPACITY: usize = 32;

const DONE: c_int = 0;
const EMPTY: c_int = 1;
const FULL: c_int = 2;
const NO_SLOT: c_int = 3;

/// What C calls `void *`.
struct Pointer(*mut c_void);

// SAFETY: here it is a number. Who may use what it leads to, is what the C program has to know.
unsafe impl Send for Pointer {}

#[unsafe(no_mangle)]
pub extern "C" fn elimination_stack_push(pointer: *mut c_void) -> c_int {
    match POINTERS.push_spare(Pointer(pointer)) {
        Ok(()) => DONE,
        Err(error) if error.kind() == PushErrorKind::NoSlot => NO_SLOT,
        Err(_) => FULL,
    }
}

/// # Safety
///
/// `pointer` is valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elimination_stack_pop(pointer: *mut *mut c_void) -> c_int {
    match POINTERS.try_pop() {
        Ok(Some(Pointer(popped))) => {
            // SAFETY: the caller's contract.
            unsafe { pointer.write(popped) };
            DONE
        }
        Ok(None) => EMPTY,
        Err(_) => NO_SLOT,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn elimination_stack_is_empty() -> bool {
    POINTERS.is_empty()
}

unsafe extern "C" {
    /// The C program's.
    safe fn elimination_stack_failed();
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    elimination_stack_failed();
    loop {}
}
