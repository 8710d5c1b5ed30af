//! The command line: what can be asked, how it is answered, and how a process ends.

pub mod arguments;
pub mod commands;
pub mod documents;
pub mod exit;
pub mod local;
pub mod output;
pub mod overview;
pub mod report;
