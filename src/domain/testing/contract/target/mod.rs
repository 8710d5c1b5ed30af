//! The contract of [`Targets`](crate::ports::Targets).

mod at;
mod cases;
mod world;

pub use cases::CASES;
pub use world::TargetWorld;
