//! Where a sync is admitted, which decides what some of its fields mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where a sync is admitted.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// By the operator: parameters have their defaults, and what is of one machine is refused.
    Operator,
    /// By the command line, on somebody's machine.
    CommandLine(CommandLine<'a>),
}

/// What an invocation of the command line adds to a document.
#[derive(Debug, Clone, Copy)]
pub struct CommandLine<'a> {
    /// Values of parameters (`--set`). Those that a document does not declare mean nothing to it.
    pub parameters: &'a BTreeMap<String, String>,
    /// Names of the variables that the process has, for `skipWhen`.
    pub variables: &'a BTreeSet<String>,
    /// The folder of the document, where paths of files start.
    pub folder: &'a Path,
}

impl<'a> Place<'a> {
    /// Where paths of files start.
    pub(super) fn folder(&self) -> PathBuf {
        match self {
            Self::Operator => PathBuf::new(),
            Self::CommandLine(line) => line.folder.to_owned(),
        }
    }

    /// The value that the invocation gives a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        match self {
            Self::Operator => None,
            Self::CommandLine(line) => line.parameters.get(name).map(String::as_str),
        }
    }
}
