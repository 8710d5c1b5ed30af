//! The engine's behaviour, told in a world in memory.

mod aside;
mod bounds;
mod crashes;
mod lab;
mod ownership;
mod properties;
mod restarts;
mod rollout_properties;
mod rollouts;
mod safety;
mod seam;
mod steady;
mod validating;
