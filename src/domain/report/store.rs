//! From what a check found to the status of a store. Pure; nothing changes while nothing happened.

use jiff::Timestamp;

use super::{event, judge, warning};
use crate::api::store::{StoreError, StoreStatus};
use crate::conditions::Reason;
use crate::engine::EventNote;
use crate::fault::{Fault, FaultClass};
use crate::stores::{Capabilities, Capability};
use crate::text::shorten;

/// The longest message of the last error.
const MAX_ERROR: usize = 1000;

/// Which store was checked.
#[derive(Debug, Clone, Copy)]
pub struct CheckedStore<'a> {
    /// Its status before.
    pub former: &'a StoreStatus,
    /// The generation of its spec.
    pub generation: i64,
    /// The member of `spec.provider` that is set.
    pub provider: Option<&'a str>,
}

/// The status of a store, and what to tell, after a check.
pub fn checked(
    store: CheckedStore<'_>,
    found: &Result<Capabilities, Fault>,
    now: Timestamp,
) -> (StoreStatus, Vec<EventNote>) {
    const WELL: &str = "the login and a cheap read succeed";
    let mut status = StoreStatus {
        observed_generation: Some(store.generation),
        provider: store.provider.map(ToOwned::to_owned),
        ..store.former.clone()
    };
    match found {
        Ok(capabilities) => {
            let words = capabilities.iter().copied().map(Capability::as_str);
            status.capabilities = words.map(ToOwned::to_owned).collect();
            status.last_error = None;
            let well = (Reason::StoreReady, WELL);
            judge::well(&mut status.conditions, well, (store.generation, now));
        }
        Err(fault) => {
            status.last_error = Some(StoreError {
                class: class(&fault.class).to_owned(),
                message: shorten(&fault.to_string(), MAX_ERROR),
            });
            let (stalled, message) = (!fault.class.is_transient(), fault.to_string());
            let about = (fault.reason, message.as_str());
            judge::refused(
                &mut status.conditions,
                stalled,
                about,
                (store.generation, now),
            );
        }
    }
    let events = match found {
        _ if status.conditions == store.former.conditions => Vec::new(),
        Ok(_) => vec![event(Reason::StoreReady, WELL.to_owned())],
        Err(fault) => vec![warning(fault.reason, fault.to_string())],
    };
    (status, events)
}

fn class(class: &FaultClass) -> &'static str {
    match class {
        FaultClass::NotFound => "NotFound",
        FaultClass::Denied => "Denied",
        FaultClass::Unavailable => "Unavailable",
        FaultClass::Throttled { .. } => "Throttled",
        FaultClass::Invalid => "Invalid",
        FaultClass::Conflict => "Conflict",
        FaultClass::NotSupported => "NotSupported",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::ConditionStatus;

    fn check(
        former: &StoreStatus,
        found: &Result<Capabilities, Fault>,
        second: i64,
    ) -> (StoreStatus, Vec<EventNote>) {
        let store = CheckedStore {
            former,
            generation: 2,
            provider: Some("vault"),
        };
        checked(store, found, Timestamp::from_second(second).unwrap())
    }

    fn ready(status: &StoreStatus) -> (ConditionStatus, &str, i64) {
        let ready = status
            .conditions
            .iter()
            .find(|condition| condition.condition_type == "Ready");
        let ready = ready.unwrap();
        (
            ready.status,
            ready.reason.as_str(),
            ready.last_transition_time.0.as_second(),
        )
    }

    #[test]
    fn a_second_check_with_the_same_result_changes_nothing_and_tells_nothing() {
        let down = Err(Fault::new(
            FaultClass::Unavailable,
            "store openbao",
            "does not answer",
        ));
        let well = Ok(Capabilities::from([Capability::Read, Capability::Versions]));
        for found in [down, well] {
            let (first, events) = check(&StoreStatus::default(), &found, 100);
            assert_eq!(events.len(), 1);
            assert_eq!(check(&first, &found, 200), (first, Vec::new()));
        }
    }

    #[test]
    fn a_store_that_heals_says_so_and_forgets_the_error() {
        let fault = Fault::new(FaultClass::Denied, "store openbao", "refuses the token");
        let (ill, _) = check(&StoreStatus::default(), &Err(fault), 100);
        assert_eq!(ready(&ill), (ConditionStatus::False, "Denied", 100));
        assert_eq!(ill.last_error.as_ref().unwrap().class, "Denied");
        let (well, events) = check(&ill, &Ok(Capabilities::from([Capability::Read])), 200);
        assert_eq!(ready(&well), (ConditionStatus::True, "StoreReady", 200));
        assert_eq!(
            (&well.last_error, well.capabilities.as_slice()),
            (&None, &["read".to_owned()][..])
        );
        assert_eq!(events[0].reason, Reason::StoreReady);
    }

    #[test]
    fn capabilities_stay_while_a_store_is_down() {
        let (well, _) = check(
            &StoreStatus::default(),
            &Ok(Capabilities::from([Capability::Read])),
            1,
        );
        let down = Err(Fault::new(
            FaultClass::Unavailable,
            "store openbao",
            "does not answer",
        ));
        let (ill, _) = check(&well, &down, 2);
        assert_eq!(ill.capabilities, ["read"]);
    }
}
