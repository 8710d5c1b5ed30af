//! What a rejection means outside.

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use super::answer::Rejection;

/// The fault for `subject`, when `what` was asked for. Refused logins have their own sentences.
pub(crate) fn fault_of(subject: &str, what: &str, rejection: &Rejection) -> Fault {
    let of = |class, message: String| Fault::new(class, subject, message);
    match rejection {
        Rejection::Credentials | Rejection::DeadToken | Rejection::Interactive => of(
            FaultClass::Denied,
            format!("the login does not open {what}"),
        )
        .because(Reason::CredentialsRefused),
        Rejection::Denied => of(
            FaultClass::Denied,
            format!("the account may not see {what}"),
        ),
        Rejection::Missing => of(FaultClass::NotFound, format!("there is no {what}"))
            .hint("What the account may not see looks the same: check its access"),
        Rejection::BadRequest => of(
            FaultClass::Invalid,
            format!("the server does not take the request for {what}"),
        ),
        Rejection::OutOfDate => of(
            FaultClass::Conflict,
            format!("{what} has changed since it was read"),
        ),
        Rejection::Throttled(wait) => {
            Fault::throttled(subject, "the server asks for patience", *wait)
        }
        Rejection::Stumbled(status) => of(
            FaultClass::Unavailable,
            format!("the server stumbles (status {status})"),
        ),
        Rejection::Unbelievable(status) => of(
            FaultClass::Unavailable,
            format!("the answer for {what} is not that of a Bitwarden (status {status})"),
        )
        .hint("Check that the address leads to the server and not to something before it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rejection_has_the_class_that_the_rules_give_it() {
        for (rejection, class) in [
            (Rejection::Credentials, FaultClass::Denied),
            (Rejection::Interactive, FaultClass::Denied),
            (Rejection::DeadToken, FaultClass::Denied),
            (Rejection::Denied, FaultClass::Denied),
            (Rejection::Missing, FaultClass::NotFound),
            (Rejection::BadRequest, FaultClass::Invalid),
            (Rejection::OutOfDate, FaultClass::Conflict),
            (
                Rejection::Throttled(None),
                FaultClass::Throttled { retry_after: None },
            ),
            (Rejection::Stumbled(500), FaultClass::Unavailable),
            (Rejection::Unbelievable(404), FaultClass::Unavailable),
        ] {
            assert_eq!(fault_of("store s", "x", &rejection).class, class);
        }
    }
}
