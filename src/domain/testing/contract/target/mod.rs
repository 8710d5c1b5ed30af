//! The contract of [`Targets`](crate::ports::Targets): what holds everywhere, and what holds for objects of
//! Kubernetes besides.

mod at;
mod cases;
mod objects;
mod world;

pub use cases::CASES;
pub use objects::CASES as OBJECT_CASES;
pub use world::TargetWorld;
