//! Pure decisions about rollouts: whether a change may be written now, and in which order workloads get it.

mod waves;
pub(crate) mod windows;

pub use waves::{WaveOf, Waves};
pub use windows::{Openness, openness};
