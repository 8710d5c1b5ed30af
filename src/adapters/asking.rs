//! What systems have in common that are asked with one given credential: no login, no session, one error type.

use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass, MAX_RETRY_AFTER};

use crate::http::client::{HttpClient, Request, Response};
use crate::http::error::{OpenClient, SendRequest};
use crate::open::StoreFailure;
use crate::settings::ReadSettings;

/// A throttled system that names no time is left alone for so long, and up to a sixth longer.
const UNNAMED_WAIT: Duration = Duration::from_mins(1);

/// What is said about one kind of system.
#[derive(Debug)]
pub(crate) struct Words {
    /// Its fields below the store: `spec.provider.<system>`.
    pub(crate) provider: &'static str,
    /// Whose answer it should be.
    pub(crate) product: &'static str,
    /// What to look at when the credential is refused.
    pub(crate) credential_hint: &'static str,
    /// What to look at when something may not be read.
    pub(crate) denied_hint: &'static str,
    /// What to look at when something is not there.
    pub(crate) missing_hint: &'static str,
    /// What to look at when a request is not taken.
    pub(crate) request_hint: &'static str,
}

/// Why something could not be read. Names in it are the user's own; nothing in it comes from an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum AskSystem {
    /// The system's fields make no sense, or what they name is not there.
    #[error(transparent)]
    Settings(#[from] ReadSettings),
    /// The address or TLS.
    #[error("open a client")]
    Open(#[source] OpenClient),
    /// No answer.
    #[error("send a request to {host}")]
    Send {
        /// The host of the store's address.
        host: String,
        /// Why.
        #[source]
        source: SendRequest,
    },
    /// An answer that holds nothing that can be used.
    #[error("read {what}")]
    Read {
        /// What was asked for.
        what: String,
        /// Why it is of no use.
        refusal: Refusal,
    },
    /// More keys or bytes than a bundle may have.
    #[error("read {what}, which is too large")]
    TooLarge {
        /// What was asked for.
        what: String,
    },
    /// What the source asks for does not exist in such a system, or contradicts itself.
    #[error("answer a source: {message}")]
    Ask {
        /// What is wrong.
        message: String,
    },
}

/// Why an answer holds nothing that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such thing, in the system's own shape.
    Missing,
    /// The credential is refused.
    Credential,
    /// This may not be read.
    Denied,
    /// A value may be seen but not read: its name.
    Hidden(String),
    /// The request is not taken.
    Request,
    /// It is asked too often.
    Throttled(Option<Duration>),
    /// It may work in a moment.
    Stumbled(u16),
    /// What is answered is not what was asked for.
    Elsewhere,
    /// Several things have the name.
    Ambiguous,
    /// It has no part of that name.
    NoPart(String),
    /// What lies there has not the form that the source says.
    Form(&'static str),
    /// Anything that such a system does not answer: something stands between.
    Unbelievable(u16),
}

impl AskSystem {
    pub(crate) fn ask(message: impl Into<String>) -> Self {
        Self::Ask {
            message: message.into(),
        }
    }

    pub(crate) fn read(what: impl Into<String>, refusal: Refusal) -> Self {
        Self::Read {
            what: what.into(),
            refusal,
        }
    }

    pub(crate) fn too_large(what: impl Into<String>) -> Self {
        Self::TooLarge { what: what.into() }
    }

    /// What an answer says, where there was one.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Read { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// Whether what was fetched when the store was opened may be out of date.
    fn blames_credentials(&self) -> bool {
        self.refusal() == Some(&Refusal::Credential)
            || matches!(
                self,
                Self::Send {
                    source: SendRequest::Verify(_) | SendRequest::Credential,
                    ..
                }
            )
    }

    /// Why the store `subject` gives no answer.
    pub(crate) fn failure(&self, subject: &str, words: &Words) -> StoreFailure {
        StoreFailure {
            fault: self.fault(subject, words),
            blames_credentials: self.blames_credentials(),
        }
    }

    /// The fault for `subject`.
    pub(crate) fn fault(&self, subject: &str, words: &Words) -> Fault {
        let of = |class, message: String| Fault::new(class, subject, message);
        let provider = format!("{subject} spec.provider.{}", words.provider);
        match self {
            Self::Settings(error) => error.fault(&provider),
            Self::Open(error) => error.fault_of(subject, &provider),
            Self::Send { host, source } => source.fault_of(subject, &provider, host),
            Self::Read { what, refusal } => refused(subject, what, refusal, words),
            Self::TooLarge { what } => of(
                FaultClass::Invalid,
                format!("{what} holds more than a bundle can"),
            )
            .because(Reason::TooLarge)
            .hint("Read smaller parts"),
            Self::Ask { message } => of(FaultClass::Invalid, message.clone()),
        }
    }
}

fn refused(subject: &str, what: &str, refusal: &Refusal, words: &Words) -> Fault {
    let of = |class, message: String| Fault::new(class, subject, message);
    match refusal {
        Refusal::Missing => {
            of(FaultClass::NotFound, format!("there is no {what}")).hint(words.missing_hint)
        }
        Refusal::Credential => of(FaultClass::Denied, "the credential is refused".to_owned())
            .because(Reason::CredentialsRefused)
            .hint(words.credential_hint),
        Refusal::Denied => of(
            FaultClass::Denied,
            format!("the credential does not open {what}"),
        )
        .hint(words.denied_hint),
        Refusal::Hidden(name) => of(
            FaultClass::Denied,
            format!("the credential lets see {name} in {what}, and not its value"),
        )
        .hint(words.denied_hint),
        Refusal::Request => of(
            FaultClass::Invalid,
            format!("the server does not take the request for {what}"),
        )
        .hint(words.request_hint),
        Refusal::Throttled(wait) => {
            Fault::throttled(subject, "the server asks for patience", *wait)
        }
        Refusal::Stumbled(status) => of(
            FaultClass::Unavailable,
            format!("the server stumbles (status {status})"),
        ),
        Refusal::Elsewhere => of(
            FaultClass::Invalid,
            format!("what is answered for {what} is something else"),
        )
        .hint(words.request_hint),
        Refusal::Ambiguous => of(
            FaultClass::Invalid,
            format!("there are several with the name of {what}"),
        )
        .hint("Name it by its id, or give the others another name"),
        Refusal::NoPart(name) => of(FaultClass::NotFound, format!("{what} has no {name}")),
        Refusal::Form(message) => of(FaultClass::Invalid, format!("{what} {message}")),
        Refusal::Unbelievable(status) => of(
            FaultClass::Unavailable,
            format!(
                "the answer for {what} is not that of {} (status {status})",
                words.product
            ),
        )
        .hint("Check that the address leads to the server and not to something before it"),
    }
}

/// Sends requests, and leaves a throttling system alone.
pub(crate) struct Asking {
    pub(crate) http: HttpClient,
}

impl Asking {
    /// Sends a request; what is not an answer is an error.
    pub(crate) async fn send(&self, request: &Request) -> Result<Response, AskSystem> {
        let response = self
            .http
            .send(request)
            .await
            .map_err(|source| self.failed(source))?;
        if response.status == http::StatusCode::TOO_MANY_REQUESTS && response.retry_after.is_none()
        {
            self.http.pause(UNNAMED_WAIT);
        }
        Ok(response)
    }

    /// An error of the HTTP layer.
    pub(crate) fn failed(&self, source: SendRequest) -> AskSystem {
        AskSystem::Send {
            host: self.http.host().to_owned(),
            source,
        }
    }
}

/// How long a throttled answer asks to wait.
pub(crate) fn wait_of(response: &Response) -> Duration {
    response.retry_after.map_or_else(
        || UNNAMED_WAIT.mul_f64(1.0 + crate::http::retry::random_unit() / 6.0),
        |wait| wait.min(MAX_RETRY_AFTER),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = Words {
        provider: "x",
        product: "an X",
        credential_hint: "c",
        denied_hint: "d",
        missing_hint: "m",
        request_hint: "r",
    };

    #[test]
    fn every_refusal_has_the_class_that_the_rules_give_it() {
        for (refusal, class) in [
            (Refusal::Missing, FaultClass::NotFound),
            (Refusal::Credential, FaultClass::Denied),
            (Refusal::Denied, FaultClass::Denied),
            (Refusal::Hidden("K".to_owned()), FaultClass::Denied),
            (Refusal::Request, FaultClass::Invalid),
            (
                Refusal::Throttled(None),
                FaultClass::Throttled { retry_after: None },
            ),
            (Refusal::Stumbled(500), FaultClass::Unavailable),
            (Refusal::Elsewhere, FaultClass::Invalid),
            (Refusal::Ambiguous, FaultClass::Invalid),
            (Refusal::NoPart("K".to_owned()), FaultClass::NotFound),
            (Refusal::Form("is no JSON"), FaultClass::Invalid),
            (Refusal::Unbelievable(404), FaultClass::Unavailable),
        ] {
            let error = AskSystem::read("shop", refusal.clone());
            let failure = error.failure("store s", &WORDS);
            assert_eq!(failure.fault.class, class, "{refusal:?}");
            assert_eq!(
                failure.blames_credentials,
                refusal == Refusal::Credential,
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn what_the_spec_says_wrong_is_told_by_its_field() {
        let error = AskSystem::from(ReadSettings::field("auth.tokenRef", "is wrong"));
        let fault = error.fault("SecretStore a", &WORDS);
        assert_eq!(fault.subject, "SecretStore a spec.provider.x.auth.tokenRef");
    }
}
