//! I/O that only looks: a revision that a person pinned is in use, whatever the sources bring.

use super::rollback::OldValues;
use super::{Engine, Memory, PassRequest};
use crate::bundle::Bundle;
use crate::conditions::Reason;
use crate::content::{Content, Gathered, Notes};
use crate::fault::{Fault, FaultClass};
use crate::record::RecordState;

impl Engine {
    /// The content that a person pinned; none where nobody did. What was read is seen, and not used.
    pub(super) async fn pinned(
        &self,
        request: PassRequest<'_>,
        gathered: &Gathered,
        record: &RecordState,
        memory: &mut Memory,
    ) -> Option<Content> {
        let pin = request.wishes.pin?;
        memory.see(gathered);
        let kept = |notes| Content {
            bundle: record.current_bundle().cloned(),
            fresh: false,
            absent: None,
            notes,
        };
        let current = record.current.as_ref();
        if current.is_some_and(|current| current.revision.as_str() == pin) {
            return Some(kept(Notes::default()));
        }
        let bundle = Box::pin(self.pinned_bundle(request, record, pin)).await;
        Some(match bundle {
            Ok(bundle) => Content {
                bundle: Some(bundle),
                ..kept(Notes::default())
            },
            Err(fault) => kept(Notes {
                blocked: vec![fault],
                ..Notes::default()
            }),
        })
    }

    async fn pinned_bundle(
        &self,
        request: PassRequest<'_>,
        record: &RecordState,
        pin: &str,
    ) -> Result<Bundle, Fault> {
        let fault = |class, message: String| {
            Fault::new(class, format!("revision {pin}"), message)
                .because(Reason::PinNotPossible)
                .hint("What is in use stays. `penstock history` lists what is kept, `penstock unpin` goes back to the sources")
        };
        let revoked = request.wishes.revoked().any(|one| one == pin);
        let stored = record.stored(pin).filter(|_| !revoked);
        let Some(bundle) = stored.and_then(|stored| stored.bundle.as_ref()) else {
            return Err(fault(
                FaultClass::Invalid,
                "is pinned, and is not kept".to_owned(),
            ));
        };
        match self.judge_old(request.sync, bundle).await {
            OldValues::Good => Ok(bundle.clone()),
            OldValues::Dead(why) => Err(fault(
                FaultClass::Invalid,
                format!("is pinned, and no longer works: {why}"),
            )),
            OldValues::Unknown(why) => Err(fault(
                FaultClass::Unavailable,
                format!("is pinned, and nobody can say whether it works: {why}"),
            )),
        }
    }
}
