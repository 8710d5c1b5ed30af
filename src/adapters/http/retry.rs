//! When to try again, and after how long: pure decisions, randomness and time are parameters.

use std::time::Duration;

use jiff::Timestamp;
use penstock_domain::fault::MAX_RETRY_AFTER;

/// How often one request is tried again.
pub const MAX_RETRIES: u32 = 2;

const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Whether an answer of this status may be followed by a better one at once: a replica that lags (412)
/// or a server that stumbles (5xx). 501 is none: what is not implemented stays so.
pub fn is_passing(status: u16) -> bool {
    status == 412 || (500..=599).contains(&status) && status != 501
}

/// How long to wait before retry number `retry` (from 0): 200 ms, then 600 ms, give or take a half.
/// `unit` is a random number from 0 to 1.
pub fn wait(retry: u32, unit: f64) -> Duration {
    let base = FIRST_WAIT.saturating_mul(3_u32.saturating_pow(retry.min(4)));
    base.mul_f64(0.5 + unit.clamp(0.0, 1.0))
}

/// Reads a `Retry-After` header (RFC 9110 §10.2.3): seconds or an HTTP date; at most
/// [`MAX_RETRY_AFTER`]. `None` when it is neither.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for u64 is too large for anybody.
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    let wait = at.duration_since(now);
    Some(
        Duration::try_from(wait)
            .unwrap_or_default()
            .min(MAX_RETRY_AFTER),
    )
}

/// A random number from 0 to 1; one half should the system have no randomness to give.
pub(crate) fn random_unit() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_faults_that_pass_are_tried_again() {
        for status in [412, 500, 502, 503, 504, 599] {
            assert!(is_passing(status), "{status}");
        }
        for status in [
            200, 204, 301, 400, 401, 403, 404, 405, 413, 429, 472, 473, 501, 600,
        ] {
            assert!(!is_passing(status), "{status}");
        }
    }

    #[test]
    fn waits_grow_and_spread() {
        assert_eq!(wait(0, 0.0), Duration::from_millis(100));
        assert_eq!(wait(0, 1.0), Duration::from_millis(300));
        assert_eq!(wait(1, 0.5), Duration::from_millis(600));
        assert!(wait(u32::MAX, 7.0) < Duration::from_mins(1));
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_bounded() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        for (value, expected) in [
            ("0", Some(Duration::ZERO)),
            ("120", Some(Duration::from_mins(2))),
            (" 3 ", Some(Duration::from_secs(3))),
            ("86400", Some(MAX_RETRY_AFTER)),
            ("99999999999999999999999999", Some(MAX_RETRY_AFTER)),
            (
                "Sun, 06 Nov 1994 08:49:37 GMT",
                Some(Duration::from_secs(30)),
            ),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(Duration::ZERO)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(MAX_RETRY_AFTER)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse_retry_after(value, now), expected, "{value}");
        }
    }
}
