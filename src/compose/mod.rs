//! Puts together what a verb needs: the one place that knows every room.

pub(crate) mod cluster;
pub(crate) mod local;
pub(crate) mod operator;
