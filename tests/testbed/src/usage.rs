//! What a process costs, from `/proc`.

use std::io;
use std::time::Duration;

/// Memory and CPU time of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory now, in bytes (`VmRSS`).
    pub resident: u64,
    /// The most it ever was, in bytes (`VmHWM`).
    pub peak: u64,
    /// CPU time in user and system mode together, since it started.
    pub cpu: Duration,
}

/// Why the usage of a process is not known.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// `/proc` has no such process, or there is no `/proc`.
    #[error("cannot read the usage of process {process}")]
    Read {
        /// Its id.
        process: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process has ended, or the kernel writes another format.
    #[error("cannot understand the usage of process {process}")]
    Parse {
        /// Its id.
        process: u32,
    },
}

impl Usage {
    /// Reads the usage of a process of this machine.
    pub fn of(process: u32) -> Result<Self, UsageError> {
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{process}/{file}"))
                .map_err(|source| UsageError::Read { process, source })
        };
        let ticks = rustix::param::clock_ticks_per_second();
        parse(&read("status")?, &read("stat")?, ticks).ok_or(UsageError::Parse { process })
    }
}

/// `status` and `stat` as proc(5) describes them.
fn parse(status: &str, stat: &str, ticks_per_second: u64) -> Option<Usage> {
    let kibibytes = |name: &str| -> Option<u64> {
        let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    // The second field is the program's name in brackets, which may hold blanks and brackets.
    let (_, fields) = stat.rsplit_once(')')?;
    // After the name the state is field 3; user and system time are 14 and 15.
    let mut times = fields.split_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    let milliseconds = (user + system)
        .checked_mul(1000)?
        .checked_div(ticks_per_second)?;
    Some(Usage {
        resident: kibibytes("VmRSS:")? * 1024,
        peak: kibibytes("VmHWM:")? * 1024,
        cpu: Duration::from_millis(milliseconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_memory_and_time_past_a_strange_name() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 5 0 0 0 150 50 0 0 20 0 1 0 9";
        let usage = parse(status, stat, 100).unwrap();
        assert_eq!(usage.resident, 1024 * 1024);
        assert_eq!(usage.peak, 2048 * 1024);
        assert_eq!(usage.cpu, Duration::from_secs(2));
    }

    #[test]
    fn a_process_that_has_ended_has_no_memory_lines() {
        let stat = "7 (a) Z 1 7 7 0 -1 4194304 5 0 0 0 150 50 0 0 20 0 1 0 9";
        assert_eq!(parse("Name:\tx\nState:\tZ (zombie)\n", stat, 100), None);
    }

    #[test]
    fn this_very_process_has_a_size() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident > 0 && usage.peak >= usage.resident);
    }
}
