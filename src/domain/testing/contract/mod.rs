//! The contracts of the ports as runnable cases: the same ones against every implementation, the in-memory
//! one first.
//!
//! A case gets a *world*: the port, and what people outside of Penstock can do to the same place. It panics
//! when the contract is broken. Each case wants a namespace (or whatever isolates it) of its own.

pub mod record;
pub mod source;
pub mod target;

use futures::future::BoxFuture;

/// One case of a contract.
pub struct Case<World: ?Sized> {
    /// What must hold, as a sentence.
    pub name: &'static str,
    /// Runs it.
    pub run: for<'world> fn(&'world World) -> BoxFuture<'world, ()>,
}

/// Makes the list of cases out of async functions, each named after what must hold.
macro_rules! cases {
    ($world:ty: $($case:ident,)*) => {
        /// Every case of this contract.
        pub const CASES: &[$crate::testing::contract::Case<$world>] = &[
            $($crate::testing::contract::Case {
                name: stringify!($case),
                run: |world| Box::pin($case(world)),
            },)*
        ];
    };
}
pub(crate) use cases;
