//! Everything that an account may see, and how fresh it must be.
//!
//! One `/sync` brings all of it. Whoever came before it was sent is served by it; whoever does not insist is
//! content with an earlier one while the account's revision date is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::client::Client;
use super::document::{self, Document};
use super::error::BitwardenError;
use super::login::Unlocked;
use crate::http::client::Request;

/// Whatever the revision date says, nothing older is answered with.
const MAX_AGE: Duration = Duration::from_hours(1);

/// The vault of one account.
pub(super) struct Vault {
    client: Client,
    /// Orders arrivals and requests.
    clock: AtomicU64,
    /// Held by whoever asks the server: the others wait and use what it finds.
    held: tokio::sync::Mutex<Option<Held>>,
}

/// Ciphertext and the keys that open it.
pub(super) struct Contents {
    pub(super) document: Document,
    pub(super) keys: Arc<Unlocked>,
}

struct Held {
    contents: Arc<Contents>,
    /// The revision date before the sync.
    revision: i64,
    /// When the sync was sent.
    begun: u64,
    /// When the revision date was last asked for.
    checked: u64,
    at: Instant,
}

impl Vault {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            clock: AtomicU64::new(0),
            held: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Forgets everything and ends the session.
    pub(super) async fn close(&self) {
        self.held.lock().await.take();
        self.client.close().await;
    }

    /// What the account may see. `insist`: as of now, or later.
    pub(super) async fn contents(&self, insist: bool) -> Result<Arc<Contents>, BitwardenError> {
        let arrived = self.tick();
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_mut() {
            let answers = if insist { held.begun } else { held.checked };
            if answers > arrived {
                return Ok(Arc::clone(&held.contents));
            }
            if !insist && held.at.elapsed() < MAX_AGE {
                let checked = self.tick();
                if self.revision().await? == held.revision {
                    held.checked = checked;
                    return Ok(Arc::clone(&held.contents));
                }
            }
        }
        let begun = self.tick();
        let at = Instant::now();
        // Before the sync: a change in between shows at the next look.
        let revision = self.revision().await?;
        let earlier = held.as_ref().and_then(|held| stamp(&held.contents));
        let contents = Arc::new(self.sync(earlier.as_deref()).await?);
        *held = Some(Held {
            contents: Arc::clone(&contents),
            revision,
            begun,
            checked: begun,
            at,
        });
        Ok(contents)
    }

    /// One cheap read that needs a live token.
    pub(super) async fn revision(&self) -> Result<i64, BitwardenError> {
        let request = || Request::get(["accounts", "revision-date"]);
        let answered = self
            .client
            .read("the revision date", request, document::revision_date)
            .await?;
        Ok(answered.value)
    }

    /// A security stamp that changes says that password or keys did: log in again, and read once more.
    async fn sync(&self, earlier: Option<&str>) -> Result<Contents, BitwardenError> {
        let request = || Request::get(["sync"]).query("excludeDomains", "true");
        let read = || self.client.read("the vault", request, document::document);
        let mut answered = read().await?;
        let now = answered.value.profile.security_stamp.as_deref();
        if earlier.is_some() && now != earlier {
            self.client.start_anew(&answered.token).await?;
            answered = read().await?;
        }
        Ok(Contents {
            document: answered.value,
            keys: self.client.unlocked()?,
        })
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

fn stamp(contents: &Contents) -> Option<String> {
    contents.document.profile.security_stamp.clone()
}
