//! The question whether a type implements a trait, answered as a value.
//!
//! Who uses `implements!` has the trait `Otherwise` in scope.

/// What `implements` answers if the bound does not hold.
pub trait Otherwise {
    const IMPLEMENTED: bool = false;
}

impl<X> Otherwise for X {}

/// Whether a type implements a trait: an inherent constant, if its bound holds, hides the trait's.
macro_rules! implements {
    ($type:ty: $($bound:tt)+) => {{
        struct Asked<X>(std::marker::PhantomData<X>);
        #[allow(dead_code, reason = "not used if the bound does not hold")]
        impl<X: $($bound)+> Asked<X> {
            const IMPLEMENTED: bool = true;
        }
        <Asked<$type>>::IMPLEMENTED
    }};
}
