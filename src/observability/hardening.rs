//! Keeps secret bytes out of core dumps and out of reach of other processes of the same user (rule 3).

use std::io;

/// Why the process could not be hardened.
#[derive(Debug, thiserror::Error)]
pub enum HardenError {
    /// The limit on core files stayed.
    #[error("cannot set the limit on core files to zero")]
    LimitCoreFiles(#[source] io::Error),
    /// The process can still be dumped and traced.
    #[error("cannot make the process undumpable")]
    ForbidDumps(#[source] io::Error),
}

/// Sets `RLIMIT_CORE` to zero for good, and on Linux makes the process undumpable, so that neither a crash
/// nor a debugger of the same user gets at its memory.
pub fn harden_process() -> Result<(), HardenError> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(|error| HardenError::LimitCoreFiles(error.into()))?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(|error| HardenError::ForbidDumps(error.into()))?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn a_hardened_process_leaves_no_core() {
        harden_process().unwrap();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
