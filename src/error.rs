//! What can fail, and how it gives back what it was given.

use crate::source::Source;
use core::error::Error;
use core::fmt;
use core::iter::{self, Once};

/// The value could not be pushed; it is in here.
#[derive(Clone, PartialEq, Eq)]
pub struct PushError<T> {
    kind: PushErrorKind,
    value: T,
}

/// Why a value could not be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PushErrorKind {
    /// There is no spare node in the slot or shared by all, and the allocator has no memory for one.
    OutOfMemory,
    /// There is no spare node that this call could take, and it may not ask the allocator for one, or there is no allocator.
    NoSpareNode,
    /// All slots are claimed, and there is no memory, or no permission, to make another.
    NoSlot,
}

/// What could not be pushed of an iterator's values: the one for which there was no node, and those that it has not given yet.
pub type Rest<I> = iter::Chain<Once<<I as Iterator>::Item>, I>;

/// The same, and why.
pub type Left<I> = (PushErrorKind, <I as Iterator>::Item, I);

impl<I: Iterator> PushError<Rest<I>> {
    /// A push of many that has failed, with what it has left.
    pub(crate) fn of_many((kind, value, rest): Left<I>) -> Self {
        Self { kind, value: iter::once(value).chain(rest) }
    }
}

impl<T> PushError<T> {
    /// A push that has failed, with what it was to push.
    pub(crate) fn refuse<V: Source<T>>(kind: PushErrorKind, value: V) -> Self {
        Self { kind, value: value.into_value() }
    }

    /// Why the value could not be pushed.
    pub const fn kind(&self) -> PushErrorKind {
        self.kind
    }

    /// The value.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl fmt::Display for PushErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfMemory => "out of memory for a node; pop values, or reserve nodes while there is memory",
            Self::NoSpareNode => {
                "no spare node; reserve them for as many values as may wait, or make a stack with room for more"
            }
            Self::NoSlot => "all slots are claimed; give the stack one for each context, or try again later",
        })
    }
}

impl<T> fmt::Display for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "value not pushed: {}", self.kind)
    }
}

// Not derived: the value need not be `Debug` for the error to be.
impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushError").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl<T> Error for PushError<T> {}

/// For who passes the reason on and not the value.
impl<T> From<PushError<T>> for PushErrorKind {
    fn from(error: PushError<T>) -> Self {
        error.kind
    }
}

#[cfg(feature = "defmt")]
#[cfg_attr(docsrs, doc(cfg(feature = "defmt")))]
impl<T> defmt::Format for PushError<T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "value not pushed: {}", self.kind);
    }
}

/// All slots are claimed, and the call may not make another one, or there is no memory to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoSlot;

impl fmt::Display for NoSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PushErrorKind::NoSlot.fmt(f)
    }
}

impl Error for NoSlot {}

/// The allocator has no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OutOfMemory;

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of memory for the nodes to reserve; reserve fewer, or give the allocator more")
    }
}

impl Error for OutOfMemory {}
