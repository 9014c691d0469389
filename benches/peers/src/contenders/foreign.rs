//! Stacks in C and C++ behind the interface of `foreign/peer.h`. Which are there is known when this is built.
//!
//! An operation is one call through a pointer dearer than it would be in their own language: about a nanosecond.

use crate::contender::{Access, Contender};
use std::ffi::c_void;

/// As `struct peer` in `foreign/peer.h`.
#[repr(C)]
pub struct Calls {
    create: unsafe extern "C" fn() -> *mut c_void,
    enter: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    leave: unsafe extern "C" fn(*mut c_void),
    push: unsafe extern "C" fn(*mut c_void, u64),
    pop: unsafe extern "C" fn(*mut c_void, *mut u64) -> bool,
}

/// A type for each of them.
pub trait Peer: Sync + 'static {
    fn calls() -> &'static Calls;
}

/// Stays until the process ends, as it has but one.
pub struct Foreign<P> {
    stack: *mut c_void,
    peer: std::marker::PhantomData<P>,
}

// SAFETY: the stack is made to be shared by threads.
unsafe impl<P> Sync for Foreign<P> {}

/// One thread that has entered.
pub struct ForeignAccess<P: Peer> {
    thread: *mut c_void,
    peer: std::marker::PhantomData<P>,
}

impl<P: Peer> Contender<u64> for Foreign<P> {
    type Access<'a> = ForeignAccess<P>;

    fn new() -> Self {
        // SAFETY: needs nothing.
        Self { stack: unsafe { (P::calls().create)() }, peer: std::marker::PhantomData }
    }

    fn access(&self) -> Self::Access<'_> {
        // SAFETY: a stack that `create` has made; left when this is dropped.
        ForeignAccess { thread: unsafe { (P::calls().enter)(self.stack) }, peer: std::marker::PhantomData }
    }
}

impl<P: Peer> Drop for ForeignAccess<P> {
    fn drop(&mut self) {
        // SAFETY: this thread has entered, once.
        unsafe { (P::calls().leave)(self.thread) };
    }
}

impl<P: Peer> Access<u64> for ForeignAccess<P> {
    #[inline]
    fn push(&mut self, value: u64) {
        // SAFETY: this thread has entered.
        unsafe { (P::calls().push)(self.thread, value) };
    }

    #[inline]
    fn pop(&mut self) -> Option<u64> {
        let mut value = 0;
        // SAFETY: this thread has entered; a value is written if there is one.
        unsafe { (P::calls().pop)(self.thread, &raw mut value) }.then_some(value)
    }
}

/// Declares the peers; build.rs sets the cfg of each that it has compiled.
macro_rules! peers {
    ($($name:ident $symbol:ident $cfg:ident)*) => {$(
        #[cfg($cfg)]
        pub enum $name {}

        #[cfg($cfg)]
        impl Peer for $name {
            fn calls() -> &'static Calls {
                unsafe extern "C" {
                    safe static $symbol: Calls;
                }
                &$symbol
            }
        }
    )*};
}

peers! {
    Boost peer_boost have_boost
    Cds peer_cds have_cds
    CdsElimination peer_cds_elimination have_cds
    Ck peer_ck have_ck
    Urcu peer_urcu have_urcu
    UrcuRcu peer_urcu_rcu have_urcu
}
