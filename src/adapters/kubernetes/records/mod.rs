//! Records as Secrets beside their sync.
//!
//! A record of up to [`MAX_INLINE_BYTES`] lies in one Secret, the head, and is one write. A larger one lies
//! in numbered part Secrets that the head names. What makes this safe:
//!
//! - Parts are immutable and never overwritten: a save makes new ones under free numbers, then turns the
//!   head to them, then deletes the old ones. Whoever dies in between leaves the old record whole, and two
//!   savers never share a part.
//! - The head changes under its resourceVersion only, so that one of two savers wins.
//! - The head holds the digest of the whole, so that a reader whose parts were replaced meanwhile notices,
//!   and reads the head again.
//! - Parts that a crash left behind are found by the next large save, at the numbers that it tries, and
//!   deleted once its own head stands: a saver who still meant to use them has lost by then.

mod head;
mod parts;

use async_trait::async_trait;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::ports::{RecordVersion, Records, StoredRecord};
use penstock_domain::record::MAX_SEALED_BYTES;
use penstock_domain::reserved::record_object_name;
use serde::de::IgnoredAny;

use super::api_server::ApiServer;
use super::object::Secret;
use super::request::{Address, Call, DeletePreconditions, Resource};
use head::{Content, Head, HeadVersion};

/// The largest record that lies in one Secret, in bytes.
pub const MAX_INLINE_BYTES: usize = 700 * 1024;
/// The field manager of record objects.
const MANAGER: &str = "penstock-record";
/// How often a reader starts again when the record is replaced under its eyes.
const MAX_READS: u32 = 3;

/// Records in Kubernetes.
///
/// RBAC on `secrets` of the namespaces that are served: `get`, `create`, `patch`, `delete`, and `list` to
/// find the last parts when a record is deleted.
#[derive(Clone)]
pub struct KubernetesRecords {
    api: ApiServer,
}

impl KubernetesRecords {
    /// Records behind this API server.
    pub fn new(api: ApiServer) -> Self {
        Self { api }
    }

    async fn head(&self, sync: &SyncId) -> Result<Option<Head>, Fault> {
        let name = record_object_name(&sync.name, 0);
        let call = Call::get(address(sync, name.as_str()));
        let found = self.api.find::<Secret>(&call).await;
        let secret = found.map_err(|failure| failure.fault(&subject(sync)))?;
        secret
            .map(|secret| {
                Head::read(secret).ok_or_else(|| unreadable(sync, "its head makes no sense"))
            })
            .transpose()
    }

    /// One look at head and parts: none when the parts are no longer those that the head named.
    async fn read(&self, sync: &SyncId, head: Head) -> Result<Option<StoredRecord>, Fault> {
        let version = head.version();
        let sealed = match head.content {
            Content::Inline(bytes) => Some(bytes),
            Content::Parts(index) => self.read_parts(sync, &index).await?,
        };
        Ok(sealed.map(|sealed| StoredRecord {
            sealed,
            version: version.encode(),
        }))
    }

    async fn write_head(
        &self,
        sync: &SyncId,
        content: &Content,
        expected: Option<&HeadVersion>,
    ) -> Result<HeadVersion, Fault> {
        let name = record_object_name(&sync.name, 0);
        let call = match expected {
            None => Call::create(
                Resource::Secret,
                &sync.namespace,
                MANAGER,
                &content.object(name.as_str()),
            ),
            Some(version) => Call::merge(
                address(sync, name.as_str()),
                MANAGER,
                &content.patch(version),
            ),
        };
        let secret = self.api.call::<Secret>(&call).await.map_err(|failure| {
            if failure.is_not_found() && expected.is_some() {
                gone(sync)
            } else {
                failure.fault(&subject(sync))
            }
        })?;
        Head::read(secret)
            .map(|head| head.version())
            .ok_or_else(|| unreadable(sync, "the API server stored another head than was written"))
    }
}

#[async_trait]
impl Records for KubernetesRecords {
    async fn load(&self, sync: &SyncId) -> Result<Option<StoredRecord>, Fault> {
        for _ in 0..MAX_READS {
            let Some(head) = self.head(sync).await? else {
                return Ok(None);
            };
            if let Some(record) = self.read(sync, head).await? {
                return Ok(Some(record));
            }
        }
        Err(unreadable(sync, "a part of it is missing or was altered"))
    }

    async fn save(
        &self,
        sync: &SyncId,
        sealed: Vec<u8>,
        expected: Option<&RecordVersion>,
    ) -> Result<RecordVersion, Fault> {
        let expected = expected
            .map(|version| HeadVersion::decode(version).ok_or_else(|| gone(sync)))
            .transpose()?;
        if sealed.len() > MAX_SEALED_BYTES {
            return Err(too_large(sync, sealed.len()));
        }
        let old = expected
            .as_ref()
            .map_or(&[][..], |version| version.parts.as_slice());
        let made = if sealed.len() <= MAX_INLINE_BYTES {
            parts::Made::inline(sealed)
        } else {
            self.write_parts(sync, &sealed, old).await?
        };
        match self
            .write_head(sync, &made.content, expected.as_ref())
            .await
        {
            Ok(version) => {
                self.discard(sync, &made.stale).await;
                self.discard(sync, old).await;
                Ok(version.encode())
            }
            Err(fault) => {
                // Only a refusal proves that the head does not name the new parts.
                if fault.class == FaultClass::Conflict {
                    self.discard(sync, &made.fresh).await;
                }
                Err(fault)
            }
        }
    }

    async fn delete(&self, sync: &SyncId) -> Result<(), Fault> {
        let Some(head) = self.head(sync).await? else {
            return self.delete_parts(sync).await;
        };
        let name = record_object_name(&sync.name, 0);
        let preconditions = DeletePreconditions {
            uid: &head.uid,
            resource_version: None,
        };
        let call = Call::delete(address(sync, name.as_str()), preconditions);
        self.api
            .find::<IgnoredAny>(&call)
            .await
            .map_err(|failure| failure.fault(&subject(sync)))?;
        self.delete_parts(sync).await
    }
}

fn address<'a>(sync: &'a SyncId, name: &'a str) -> Address<'a> {
    Address {
        resource: Resource::Secret,
        namespace: &sync.namespace,
        name,
    }
}

/// The record in messages.
fn subject(sync: &SyncId) -> String {
    format!("record of {}", sync.name)
}

fn unreadable(sync: &SyncId, why: &str) -> Fault {
    Fault::new(FaultClass::Invalid, subject(sync), why).because(Reason::RecordUnreadable)
}

fn gone(sync: &SyncId) -> Fault {
    Fault::new(
        FaultClass::Conflict,
        subject(sync),
        "it was deleted or replaced by somebody else in the meantime",
    )
}

fn too_large(sync: &SyncId, bytes: usize) -> Fault {
    Fault::new(
        FaultClass::Invalid,
        subject(sync),
        format!("it has {bytes} bytes, at most {MAX_SEALED_BYTES} are kept"),
    )
    .because(Reason::TooLarge)
    .hint("Keep fewer revisions with `history`")
}
