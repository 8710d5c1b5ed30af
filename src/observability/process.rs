//! What the process uses of the machine, under the names that every Prometheus client library gives them.

use std::fmt;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads `/proc` at every scrape; elsewhere than on Linux it has nothing but the start time to tell.
#[derive(Debug)]
pub(crate) struct ProcessMetrics {
    started: f64,
}

impl Default for ProcessMetrics {
    fn default() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started: since.as_secs_f64(),
        }
    }
}

impl Collector for ProcessMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let start = encoder.encode_descriptor(
            "process_start_time_seconds",
            "When the process started, in seconds since 1970",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(self.started).encode(start)?;
        if let Some(bytes) = resident_bytes() {
            let memory = encoder.encode_descriptor(
                "process_resident_memory_bytes",
                "Resident memory",
                None,
                MetricType::Gauge,
            )?;
            ConstGauge::new(bytes).encode(memory)?;
        }
        if let Some(seconds) = cpu_seconds() {
            let cpu = encoder.encode_descriptor(
                "process_cpu_seconds",
                "User and system time used",
                None,
                MetricType::Counter,
            )?;
            ConstCounter::new(seconds).encode(cpu)?;
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            let files = encoder.encode_descriptor(
                "process_open_fds",
                "Open file descriptors",
                None,
                MetricType::Gauge,
            )?;
            ConstGauge::new(i64::try_from(entries.count()).unwrap_or(i64::MAX)).encode(files)?;
        }
        Ok(())
    }
}

/// The second field of `/proc/self/statm`, in pages (proc_pid_statm(5)).
fn resident_bytes() -> Option<i64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    i64::try_from(pages * rustix::param::page_size() as u64).ok()
}

/// utime and stime of `/proc/self/stat`, fields 14 and 15 (proc_pid_stat(5)).
fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = text.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok().map(f64::from);
    let used = ticks()? + ticks()?;
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Some(used / f64::from(per_second))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        assert!(resident_bytes().unwrap() > 100_000);
        assert!(cpu_seconds().unwrap() >= 0.0);
    }
}
