//! Whose an object is, and whose each of its keys: the record decides, a tag only tells.

use std::collections::BTreeMap;

use super::{DiffInput, KeyChange};
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::keys::InstallationKey;
use crate::names::{Key, SyncId};
use crate::ports::ObservedObject;
use crate::record::{Before, TargetRecord};
use crate::reserved::{self, SHARED_OWNER};
use crate::sync::{Adopt, ValidatedTarget};

/// The owner tag that this sync puts on a target.
pub fn owner_tag(sync: &SyncId, target: &ValidatedTarget, key: &InstallationKey) -> String {
    if target.share_keys {
        SHARED_OWNER.to_owned()
    } else {
        reserved::owner_tag(key.installation(), sync)
    }
}

/// Which keys of an object are ours.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one object"
)]
pub(super) struct Ownership<'a> {
    record: Option<&'a TargetRecord>,
    /// The record's last write may not have happened: what stood there before is ours, too.
    intent_open: bool,
    /// No record, but our tag or the uid of our last write: an object of ours whose record was lost.
    pub(super) recovered: bool,
    /// It is the object of our last write, whatever its annotations say: they tell people, the record decides.
    proven: bool,
    pub(super) whole: bool,
}

impl<'a> Ownership<'a> {
    pub(super) fn of(input: DiffInput<'a>, object: &ObservedObject, tag: &str) -> Self {
        let ours = object.owner.as_deref() == Some(tag)
            || input.confirmed_uid == Some(object.uid.as_str());
        let recovered = input.record.is_none() && ours && !input.target.share_keys;
        let adopted =
            input.record.is_none() && input.target.adopt == Adopt::Always && object.owner.is_none();
        let whole = !input.target.share_keys
            && (recovered || adopted || input.record.is_some_and(|record| record.whole));
        Self {
            record: input.record,
            intent_open: input.intent_open,
            recovered,
            proven: recovered
                || (input.record.is_some() && input.confirmed_uid == Some(object.uid.as_str())),
            whole,
        }
    }

    pub(super) fn owns(&self, name: &Key) -> bool {
        self.recovered
            || self.record.is_some_and(|record| {
                record.keys.contains_key(name)
                    || matches!(&record.before, Before::Keys(keys) if self.intent_open && keys.contains_key(name))
            })
    }
}

/// Why an object that is not ours may not be written.
pub(super) fn foreign(
    input: DiffInput<'_>,
    object: &ObservedObject,
    ownership: &Ownership<'_>,
    keys: &BTreeMap<Key, KeyChange>,
    tag: &str,
) -> Option<Fault> {
    let subject = format!(
        "{} {}",
        input.target.destination.kind(),
        input.target.destination.object_name()
    );
    if object.terminating {
        let fault = Fault::new(FaultClass::Conflict, subject, "is being deleted")
            .because(Reason::TargetTerminating);
        return Some(fault.hint("It is written anew once it is gone"));
    }
    if let Some(owner) = object
        .owner
        .as_deref()
        .filter(|owner| *owner != tag && (!ownership.proven || is_shared(owner, input, keys)))
    {
        return Some(owned_by_another(input.sync, subject, owner));
    }
    if let Some(fault) = foreign_keys(input, &subject, keys) {
        return Some(fault);
    }
    let merges = input
        .target
        .destination
        .file()
        .is_some_and(|file| file.merge);
    let known = ownership.recovered || input.record.is_some() || input.target.share_keys || merges;
    let adopting = input.target.adopt == Adopt::Always
        || keys.values().any(|change| *change == KeyChange::Adopt);
    if known || adopting {
        return None;
    }
    let fault = Fault::new(
        FaultClass::Denied,
        subject,
        "exists already and is not ours",
    );
    Some(fault.because(Reason::ForeignTarget).hint(
        "Nothing was changed. Take it over with `adopt: always`, share it with `share: keys`, or choose another name",
    ))
}

/// Whether other syncs have keys in an object that we shared with them: it cannot become ours alone, however
/// often each side writes its tag.
fn is_shared(owner: &str, input: DiffInput<'_>, keys: &BTreeMap<Key, KeyChange>) -> bool {
    let alone = input.record.is_some_and(|record| record.whole);
    owner == SHARED_OWNER && !alone && keys.values().any(|change| *change == KeyChange::Foreign)
}

/// Keys of others where ours should stand, or in a file that holds ours alone.
fn foreign_keys(
    input: DiffInput<'_>,
    subject: &str,
    keys: &BTreeMap<Key, KeyChange>,
) -> Option<Fault> {
    let file = input.target.destination.file();
    let alone = file.is_some_and(|file| !file.merge);
    let foreign = |name: &Key, change: KeyChange| {
        change == KeyChange::Foreign && (alone || input.desired.contains_key(name))
    };
    let claimed: Vec<&str> = keys
        .iter()
        .filter(|(name, change)| foreign(name, **change))
        .map(|(name, _)| name.as_str())
        .collect();
    if claimed.is_empty() {
        return None;
    }
    let names = crate::text::key_list(&claimed);
    let message = format!("holds keys that are not ours: {names}");
    let fault = Fault::new(FaultClass::Denied, subject, message).because(Reason::ForeignTarget);
    Some(fault.hint(if alone {
        "Nothing was changed. Say `merge: true` to leave keys of others in the file, take them over with \
         `adopt: ifEqual` or `adopt: always`, or choose another path"
    } else {
        "Nothing was changed. Take them over with `adopt: ifEqual` or `adopt: always`, or choose another name"
    }))
}

/// The owner is named only within the same namespace and installation (rule 2).
fn owned_by_another(sync: &SyncId, subject: String, owner: &str) -> Fault {
    let prefix = format!("/{}/", sync.namespace);
    let message = match owner.split_once(&prefix) {
        Some((_, name)) => format!("is owned by SecretSync {name}"),
        None if owner == SHARED_OWNER => "is shared by syncs that all say `share: keys`".to_owned(),
        None => "is owned by another sync".to_owned(),
    };
    Fault::new(FaultClass::Denied, subject, message)
        .because(Reason::OwnedByAnother)
        .hint("Nothing was changed. Choose another name, or say `share: keys` in every sync that writes it")
}
