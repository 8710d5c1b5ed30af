//! The numbered parts of a record that is too large for one Secret.

use std::collections::BTreeMap;

use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::record::MAX_SEALED_BYTES;
use penstock_domain::reserved::{RECORD_LABEL, TRUE, record_object_name};
use serde::de::IgnoredAny;

use super::head::{Content, Part, PartIndex, SEALED, part_object};
use super::{KubernetesRecords, MANAGER, MAX_INLINE_BYTES, address, subject};
use crate::kubernetes::listing::Listing;
use crate::kubernetes::object::{MetadataOnly, Secret};
use crate::kubernetes::request::{Call, DeletePreconditions, Resource};

/// The highest number that a part may have: room for a record, its successor and what crashes left.
const MAX_PART_NUMBER: u32 = 32;

/// What is to become the record.
pub(super) struct Made {
    /// What the head will hold.
    pub(super) content: Content,
    /// Parts made for it.
    pub(super) fresh: Vec<Part>,
    /// Parts that a crash left behind.
    pub(super) stale: Vec<Part>,
}

/// What became of a part that was to be made.
enum PartOutcome {
    /// It is made.
    Made(Part),
    /// Another object stands at its place, or stood there a moment ago.
    Occupied(Option<Part>),
}

impl Made {
    pub(super) fn inline(sealed: Vec<u8>) -> Self {
        Self {
            content: Content::Inline(sealed),
            fresh: Vec::new(),
            stale: Vec::new(),
        }
    }
}

impl KubernetesRecords {
    /// Reads the parts one after the other: none when they do not come to what the index says.
    pub(super) async fn read_parts(
        &self,
        sync: &SyncId,
        index: &PartIndex,
    ) -> Result<Option<Vec<u8>>, Fault> {
        if index.bytes > MAX_SEALED_BYTES {
            return Ok(None);
        }
        let mut sealed = Vec::with_capacity(index.bytes);
        for part in &index.parts {
            let name = record_object_name(&sync.name, part.number);
            let call = Call::get(address(sync, name.as_str()));
            let found = self.api.find::<Secret>(&call).await;
            let part = found.map_err(|failure| failure.fault(&subject(sync)))?;
            let Some(bytes) = part.as_ref().and_then(|part| part.data.get(SEALED)) else {
                return Ok(None);
            };
            sealed.extend_from_slice(bytes.0.expose());
            if sealed.len() > index.bytes {
                return Ok(None);
            }
        }
        Ok(index.fits(&sealed).then_some(sealed))
    }

    /// Makes parts under numbers that neither the present head nor anybody else uses.
    pub(super) async fn write_parts(
        &self,
        sync: &SyncId,
        sealed: &[u8],
        in_use: &[Part],
    ) -> Result<Made, Fault> {
        let used = |number: &u32| in_use.iter().any(|part| part.number == *number);
        let mut free = (1..=MAX_PART_NUMBER).filter(|number| !used(number));
        let (mut fresh, mut stale) = (Vec::new(), Vec::new());
        for chunk in sealed.chunks(MAX_INLINE_BYTES) {
            loop {
                let number = free.next().ok_or_else(|| crowded(sync))?;
                match self.write_part(sync, number, chunk).await? {
                    PartOutcome::Made(part) => {
                        fresh.push(part);
                        break;
                    }
                    PartOutcome::Occupied(part) => stale.extend(part),
                }
            }
        }
        Ok(Made {
            content: Content::Parts(PartIndex::new(fresh.clone(), sealed)),
            fresh,
            stale,
        })
    }

    /// Makes one part, or says which object stands at its place.
    async fn write_part(
        &self,
        sync: &SyncId,
        number: u32,
        chunk: &[u8],
    ) -> Result<PartOutcome, Fault> {
        let name = record_object_name(&sync.name, number);
        let object = part_object(name.as_str(), chunk);
        let call = Call::create(Resource::Secret, &sync.namespace, MANAGER, &object);
        match self.api.call::<MetadataOnly>(&call).await {
            Ok(made) => Ok(PartOutcome::Made(Part {
                number,
                uid: made.metadata.uid,
            })),
            Err(failure) if failure.is_conflict() => {
                let call = Call::get(address(sync, name.as_str()));
                let found = self.api.find::<MetadataOnly>(&call).await;
                let found = found.map_err(|failure| failure.fault(&subject(sync)))?;
                Ok(PartOutcome::Occupied(found.map(|object| Part {
                    number,
                    uid: object.metadata.uid,
                })))
            }
            Err(failure) => Err(failure.fault(&subject(sync))),
        }
    }

    /// Deletes parts that no head names. What fails is found again by the next large save or by `delete`.
    pub(super) async fn discard(&self, sync: &SyncId, parts: &[Part]) {
        for part in parts {
            let _unimportant = self.delete_part(sync, part).await;
        }
    }

    /// Deletes every part that there is.
    pub(super) async fn delete_parts(&self, sync: &SyncId) -> Result<(), Fault> {
        let numbers: BTreeMap<_, _> = (1..=MAX_PART_NUMBER)
            .map(|number| (record_object_name(&sync.name, number), number))
            .collect();
        let selector = format!("{RECORD_LABEL}={TRUE}");
        let listing = Listing {
            resource: Resource::Secret,
            namespace: Some(&sync.namespace),
            selector: &selector,
            fields: "",
            metadata_only: true,
        };
        let listed = self.api.list(listing, |object: MetadataOnly| {
            let number = *numbers.get(object.metadata.name.as_str())?;
            let uid = object.metadata.uid;
            Some(Part { number, uid })
        });
        let parts = listed
            .await
            .map_err(|failure| failure.fault(&subject(sync)))?;
        for part in &parts {
            self.delete_part(sync, part).await?;
        }
        Ok(())
    }

    async fn delete_part(&self, sync: &SyncId, part: &Part) -> Result<(), Fault> {
        let preconditions = DeletePreconditions {
            uid: &part.uid,
            resource_version: None,
        };
        let name = record_object_name(&sync.name, part.number);
        let call = Call::delete(address(sync, name.as_str()), preconditions);
        match self.api.find::<IgnoredAny>(&call).await {
            Ok(_) => Ok(()),
            // Another object of that name is not this part: this part is gone.
            Err(failure) if failure.is_conflict() => Ok(()),
            Err(failure) => Err(failure.fault(&subject(sync))),
        }
    }
}

fn crowded(sync: &SyncId) -> Fault {
    Fault::new(
        FaultClass::Conflict,
        subject(sync),
        "parts of other saves stand at every number",
    )
    .hint("Delete Secrets named `penstock-record<number>-…` that the record does not name")
}
