//! What the API server's refusals and silences mean, in our own words.

use penstock_domain::conditions::Reason;
use penstock_domain::text::shorten;

/// The most of somebody else's sentence that goes into a message.
const MAX_FOREIGN: usize = 300;

/// One sentence about a failed request. The API server's own sentence is quoted only where it speaks of
/// rights and names: elsewhere it may quote what was sent.
pub(crate) fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => match status.code {
            401 | 403 | 404 | 429 => shorten(&status.message, MAX_FOREIGN),
            code => format!(
                "the API server answers {code} {}",
                shorten(&status.reason, 64)
            ),
        },
        other => {
            let mut cause: &dyn std::error::Error = other;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            let cause = shorten(&cause.to_string(), MAX_FOREIGN);
            format!("no usable answer from the API server: {cause}")
        }
    }
}

/// The reason of a failed request.
pub(crate) fn reason(error: &kube::Error) -> Reason {
    match error {
        kube::Error::Api(status) => match status.code {
            401 | 403 => Reason::Denied,
            404 => Reason::NotFound,
            409 => Reason::Conflict,
            429 => Reason::Throttled,
            400 | 405..=499 => Reason::Invalid,
            _ => Reason::Unavailable,
        },
        _ => Reason::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use kube::core::response::Status;

    use super::*;

    fn refusal(code: u16, message: &str) -> kube::Error {
        let status = Status::failure(message, "Why").with_code(code);
        kube::Error::Api(Box::new(status))
    }

    #[test]
    fn rights_are_quoted_and_contents_are_not() {
        let forbidden = refusal(403, "User \"penstock\" cannot list resource \"secrets\"");
        assert!(describe(&forbidden).contains("cannot list resource \"secrets\""));
        let invalid = refusal(422, "spec.literal: Invalid value: \"hunter2\"");
        assert_eq!(describe(&invalid), "the API server answers 422 Why");
    }

    #[test]
    fn a_refusal_has_a_reason_of_the_list() {
        for (code, expected) in [
            (401, Reason::Denied),
            (403, Reason::Denied),
            (404, Reason::NotFound),
            (409, Reason::Conflict),
            (422, Reason::Invalid),
            (429, Reason::Throttled),
            (500, Reason::Unavailable),
            (503, Reason::Unavailable),
        ] {
            assert_eq!(reason(&refusal(code, "")), expected, "{code}");
        }
    }
}
