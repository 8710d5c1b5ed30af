//! The pace of logins: a server takes ten a minute from one address (`src/Identity/appsettings.json`,
//! `/connect/token`), whoever asks and with whatever outcome. All stores of the process share half of them, so that
//! people behind the same address can still log in.

use std::collections::{HashMap, VecDeque};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The server's window.
const WINDOW: Duration = Duration::from_mins(1);
/// How many logins of ours fall into one window.
const LOGINS: usize = 5;
/// With so many addresses, those where nobody has logged in for long are forgotten.
const MAX_ADDRESSES: usize = 256;

/// By address of the identity server; the process has one address, so there is one of these.
static PAST: LazyLock<Mutex<HashMap<String, VecDeque<Instant>>>> = LazyLock::new(Mutex::default);

/// Takes a login at `address`, or tells how long there is none to be had.
pub(crate) fn take(address: &str) -> Result<(), Duration> {
    let now = Instant::now();
    let mut past = PAST.lock().unwrap_or_else(PoisonError::into_inner);
    if past.len() >= MAX_ADDRESSES {
        past.retain(|_, logins| {
            logins
                .back()
                .is_some_and(|last| now.duration_since(*last) < WINDOW)
        });
    }
    let logins = past.entry(address.to_owned()).or_default();
    while logins
        .front()
        .is_some_and(|login| now.duration_since(*login) >= WINDOW)
    {
        logins.pop_front();
    }
    match logins.front() {
        Some(first) if logins.len() >= LOGINS => {
            Err(WINDOW.saturating_sub(now.duration_since(*first)))
        }
        _ => {
            logins.push_back(now);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_minute_has_more_than_half_of_what_the_server_takes() {
        let address = "https://identity.pace.example";
        let mut taken = Vec::new();
        for _ in 0..300 {
            if take(address).is_ok() {
                taken.push(Instant::now());
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(taken.len(), 25);
        for window in taken.windows(LOGINS + 1) {
            assert!(window[LOGINS] - window[0] >= WINDOW);
        }
        assert!(take("https://identity.other.example").is_ok());
        for _ in 0..LOGINS {
            assert_eq!(take("https://identity.third.example"), Ok(()));
        }
        let wait = take("https://identity.third.example").unwrap_err();
        assert_eq!(wait, WINDOW);
    }
}
