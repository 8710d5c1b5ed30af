//! How a record becomes bytes: JSON, deflated, sealed as a whole, behind a version mark and the key's id.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    DeletionNote, Orphan, OwedRestart, RecordState, Rejection, RestartRecord, RolloutRecord,
    StoredRevision, TargetRecord,
};
use crate::bundle::{Bundle, BundleEntry, Provenance, SourceVersion};
use crate::keys::{InstallationKey, Revision};
use crate::names::{Key, SourceName, SyncId, TargetName};
use crate::secret::SecretValue;

/// The most that a sealed record may weigh; beyond it, only the current revision is kept.
pub const MAX_SEALED_BYTES: usize = 3 * 1024 * 1024;

/// The most that a record may weigh once opened and inflated.
const MAX_PLAIN_BYTES: usize = 48 * 1024 * 1024;

/// First bytes of every sealed record: its format.
const MARK: &[u8; 4] = b"PSR1";

/// Deflate level: 6 is zlib's own middle between speed and size.
const LEVEL: u8 = 6;

/// The place within a sync that the seal is bound to.
const PLACE: &str = "record";

/// Why stored bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeRecord {
    /// The bytes do not start with the mark of a format that this version knows.
    #[error("the record has a format that this version does not know")]
    Format,
    /// Another installation key sealed it.
    #[error("the record was sealed under another installation key")]
    OtherKey,
    /// It is of another place, or altered.
    #[error("the record was sealed for another sync, or was altered")]
    Seal,
    /// Sealed by us, and yet not readable.
    #[error("the record's content cannot be read")]
    Content,
}

/// Why a record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeRecord {
    /// Serialising or sealing failed.
    #[error("the record cannot be sealed")]
    Seal,
    /// The current revision alone is larger than the limit.
    #[error("the current revision alone is larger than a record can hold")]
    TooLarge,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    counter: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<WireRevision>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    older: Vec<WireRevision>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<Rejection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    revoked: Vec<Revision>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<RolloutRecord>,
    #[serde(default)]
    targets: BTreeMap<TargetName, TargetRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    orphans: Vec<Orphan>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sources: BTreeMap<SourceName, SourceVersion>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deletions: Vec<DeletionNote>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    used_approvals: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    restarts: BTreeMap<String, RestartRecord>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    owed: BTreeMap<TargetName, OwedRestart>,
}

#[derive(Serialize, Deserialize)]
struct WireRevision {
    revision: Revision,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bundle: Option<BTreeMap<Key, WireEntry>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    versions: BTreeMap<SourceName, SourceVersion>,
}

#[derive(Serialize, Deserialize)]
struct WireEntry {
    /// Base64 of the value.
    v: Zeroizing<String>,
    #[serde(default)]
    p: Provenance,
}

/// Seals `state`. Older revisions are left out when the whole would be larger than `limit`, which is
/// [`MAX_SEALED_BYTES`] at most; the flag says so.
pub fn encode(
    state: &RecordState,
    sync: &SyncId,
    key: &InstallationKey,
    limit: usize,
) -> Result<(Vec<u8>, bool), EncodeRecord> {
    let limit = limit.min(MAX_SEALED_BYTES);
    let sealed = seal(state, sync, key)?;
    if sealed.len() <= limit {
        return Ok((sealed, false));
    }
    let short = RecordState {
        older: Vec::new(),
        ..state.clone()
    };
    let sealed = seal(&short, sync, key)?;
    if sealed.len() <= limit {
        Ok((sealed, true))
    } else {
        Err(EncodeRecord::TooLarge)
    }
}

/// Opens what [`encode`] made.
pub fn decode(
    sealed: &[u8],
    sync: &SyncId,
    key: &InstallationKey,
) -> Result<RecordState, DecodeRecord> {
    let rest = sealed.strip_prefix(MARK).ok_or(DecodeRecord::Format)?;
    let body = rest
        .strip_prefix(key.id().as_str().as_bytes())
        .ok_or(DecodeRecord::OtherKey)?;
    let deflated = key
        .open(sync, PLACE, body)
        .map_err(|_| DecodeRecord::Seal)?;
    let plain = decompress_to_vec_with_limit(&deflated, MAX_PLAIN_BYTES)
        .map(Zeroizing::new)
        .map_err(|_| DecodeRecord::Content)?;
    let wire: Wire = serde_json::from_slice(&plain).map_err(|_| DecodeRecord::Content)?;
    wire.into_state().ok_or(DecodeRecord::Content)
}

fn seal(
    state: &RecordState,
    sync: &SyncId,
    key: &InstallationKey,
) -> Result<Vec<u8>, EncodeRecord> {
    let mut plain = Zeroizing::new(Vec::with_capacity(plain_size(state)));
    serde_json::to_writer(&mut *plain, &Wire::from_state(state)).map_err(|_| EncodeRecord::Seal)?;
    let deflated = Zeroizing::new(compress_to_vec(&plain, LEVEL));
    let sealed = key
        .seal(sync, PLACE, &deflated)
        .map_err(|_| EncodeRecord::Seal)?;
    Ok([MARK.as_slice(), key.id().as_str().as_bytes(), &sealed].concat())
}

/// A generous guess, so that the buffer of plain text does not move and leave copies behind.
fn plain_size(state: &RecordState) -> usize {
    let revisions = state
        .current
        .iter()
        .chain(&state.older)
        .filter_map(|stored| stored.bundle.as_ref());
    let content: usize = revisions
        .map(|bundle| bundle.bytes() * 2 + bundle.0.len() * 256)
        .sum();
    let owned: usize = state
        .targets
        .values()
        .map(|target| target.keys.len() * 320)
        .sum();
    content + owned + state.restarts.len() * 512 + 4096
}

impl Wire {
    fn from_state(state: &RecordState) -> Self {
        Self {
            counter: state.counter,
            current: state.current.as_ref().map(WireRevision::from_stored),
            older: state.older.iter().map(WireRevision::from_stored).collect(),
            rejected: state.rejected.clone(),
            revoked: state.revoked.clone(),
            forgotten: state.forgotten.clone(),
            rollout: state.rollout.clone(),
            targets: state.targets.clone(),
            orphans: state.orphans.clone(),
            sources: state.sources.clone(),
            deletions: state.deletions.clone(),
            used_approvals: state.used_approvals.clone(),
            restarts: state.restarts.clone(),
            owed: state.owed.clone(),
        }
    }

    fn into_state(self) -> Option<RecordState> {
        Some(RecordState {
            counter: self.counter,
            current: self
                .current
                .map(WireRevision::into_stored)
                .transpose()
                .ok()?,
            older: self
                .older
                .into_iter()
                .map(WireRevision::into_stored)
                .collect::<Result<_, _>>()
                .ok()?,
            rejected: self.rejected,
            revoked: self.revoked,
            forgotten: self.forgotten,
            rollout: self.rollout,
            targets: self.targets,
            orphans: self.orphans,
            sources: self.sources,
            deletions: self.deletions,
            used_approvals: self.used_approvals,
            restarts: self.restarts,
            owed: self.owed,
        })
    }
}

impl WireRevision {
    fn from_stored(stored: &StoredRevision) -> Self {
        let entry = |entry: &BundleEntry| WireEntry {
            v: Zeroizing::new(STANDARD_NO_PAD.encode(entry.value.expose())),
            p: entry.provenance.clone(),
        };
        let bundle = stored.bundle.as_ref();
        Self {
            revision: stored.revision.clone(),
            at: stored.at,
            versions: stored.versions.clone(),
            bundle: bundle.map(|bundle| {
                bundle
                    .0
                    .iter()
                    .map(|(key, value)| (key.clone(), entry(value)))
                    .collect()
            }),
        }
    }

    fn into_stored(self) -> Result<StoredRevision, base64::DecodeError> {
        let entry = |(key, wire): (Key, WireEntry)| {
            let value = SecretValue::new(STANDARD_NO_PAD.decode(wire.v.as_bytes())?);
            Ok((
                key,
                BundleEntry {
                    value,
                    provenance: wire.p,
                },
            ))
        };
        let bundle = self
            .bundle
            .map(|entries| entries.into_iter().map(entry).collect::<Result<_, _>>());
        Ok(StoredRevision {
            revision: self.revision,
            at: self.at,
            bundle: bundle.transpose()?.map(Bundle),
            versions: self.versions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{installation_key, sync_id};

    fn state(values: usize) -> RecordState {
        let bundle = |seed: u64| {
            // A linear congruential generator: text that deflate cannot shrink much.
            let mut number = seed;
            let mut noise = || {
                number = number
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                number.to_be_bytes()
            };
            Bundle(
                (0..values)
                    .map(|index| {
                        let value: Vec<u8> = (0..128).flat_map(|_| noise()).collect();
                        let entry = BundleEntry {
                            value: SecretValue::new(value),
                            provenance: Provenance::default(),
                        };
                        (Key::new(format!("K{index}")).unwrap(), entry)
                    })
                    .collect(),
            )
        };
        let stored = |text: &str, seed| StoredRevision {
            revision: Revision::from_text(text),
            at: Timestamp::UNIX_EPOCH,
            bundle: Some(bundle(seed)),
            versions: BTreeMap::new(),
        };
        RecordState {
            counter: 7,
            current: Some(stored("b", 1)),
            older: vec![stored("a", 2)],
            ..RecordState::default()
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let (sync, key, state) = (sync_id("a", "s"), installation_key(1), state(3));
        let (sealed, truncated) = encode(&state, &sync, &key, MAX_SEALED_BYTES).unwrap();
        assert!(!truncated);
        assert_eq!(decode(&sealed, &sync, &key).unwrap(), state);
    }

    #[test]
    fn another_key_another_sync_and_any_flipped_byte_are_refused() {
        let (sync, key) = (sync_id("a", "s"), installation_key(1));
        let (sealed, _) = encode(&state(1), &sync, &key, MAX_SEALED_BYTES).unwrap();
        assert_eq!(
            decode(&sealed, &sync, &installation_key(2)),
            Err(DecodeRecord::OtherKey)
        );
        assert_eq!(
            decode(&sealed, &sync_id("a", "x"), &key),
            Err(DecodeRecord::Seal)
        );
        assert_eq!(decode(b"PSR9....", &sync, &key), Err(DecodeRecord::Format));
        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(decode(&altered, &sync, &key), Err(DecodeRecord::Seal));
    }

    #[test]
    fn what_does_not_fit_keeps_the_current_revision_and_says_so() {
        let (sync, key) = (sync_id("a", "s"), installation_key(1));
        let (sealed, truncated) = encode(&state(1900), &sync, &key, MAX_SEALED_BYTES).unwrap();
        assert!(truncated && sealed.len() <= MAX_SEALED_BYTES);
        let back = decode(&sealed, &sync, &key).unwrap();
        assert!(back.older.is_empty() && back.current.is_some());
        let small = encode(&state(100), &sync, &key, 150 * 1024).unwrap();
        assert!(
            small.1 && small.0.len() <= 150 * 1024,
            "a place may keep less"
        );
        assert_eq!(
            encode(&state(6000), &sync, &key, MAX_SEALED_BYTES),
            Err(EncodeRecord::TooLarge)
        );
    }
}
