//! What goes wrong with Infisical, and what it means outside.

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use super::answer::Rejection;
use super::login::wait_of;
use crate::http::client::Response;
use crate::http::error::{OpenClient, SendRequest};
use crate::settings::ReadSettings;

/// Why something could not be read. Names in it are the user's own; of an answer it holds nothing but the name
/// of a secret that is masked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InfisicalError {
    /// `spec.provider.infisical` makes no sense, or what it names is not there.
    #[error(transparent)]
    Settings(#[from] ReadSettings),
    /// The address or TLS.
    #[error("open a client")]
    Open(#[source] OpenClient),
    /// The ServiceAccount that the store names.
    #[error("fetch what the store logs in with")]
    Credentials(#[source] Fault),
    /// No answer.
    #[error("send a request to {host}")]
    Send {
        /// The host of the store's address.
        host: String,
        /// Why.
        #[source]
        source: SendRequest,
    },
    /// The login, or the token that was given, is refused.
    #[error("log in: {hint}")]
    LogIn {
        /// The way out.
        hint: &'static str,
    },
    /// The server rejects a request about `path`.
    #[error("read {path}")]
    Read {
        /// Environment and folder.
        path: String,
        /// What the server says.
        rejection: AnyRejection,
    },
    /// The server rejects a change of `path`.
    #[error("change {path}")]
    Write {
        /// Environment and folder.
        path: String,
        /// What the server says.
        rejection: AnyRejection,
    },
    /// A policy of the project lets somebody else decide about the change.
    #[error("change {path}, which waits for an approval")]
    Pending {
        /// Environment and folder.
        path: String,
    },
    /// What lies there is not what was seen.
    #[error("change {path}, which somebody else has changed")]
    Changed {
        /// Environment and folder.
        path: String,
    },
    /// Infisical would keep another value than this.
    #[error("write {name}: {message}")]
    Value {
        /// The secret's name.
        name: String,
        /// Why.
        message: &'static str,
    },
    /// The server rejects the look-up of the project.
    #[error("find the project")]
    FindProject {
        /// What the server says.
        rejection: AnyRejection,
    },
    /// The store names another project than its service token is for.
    #[error("find the project of the service token")]
    OtherProject,
    /// The project has no such environment.
    #[error("find environment {environment}")]
    Environment {
        /// Its slug.
        environment: String,
    },
    /// More keys or bytes than a bundle may have.
    #[error("read {path}, which is too large")]
    TooLarge {
        /// Environment and folder.
        path: String,
    },
    /// What the source asks for does not exist in Infisical, or contradicts itself.
    #[error("answer a source: {message}")]
    Ask {
        /// What is wrong.
        message: &'static str,
    },
}

/// A [`Rejection`], opaque outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyRejection(Rejection);

impl InfisicalError {
    /// A rejection, with the wait that the answer asks for.
    pub(super) fn read(path: impl Into<String>, rejection: Rejection, response: &Response) -> Self {
        Self::Read {
            path: path.into(),
            rejection: AnyRejection(with_wait(rejection, response)),
        }
    }

    /// The same of a change.
    pub(super) fn write(
        path: impl Into<String>,
        rejection: Rejection,
        response: &Response,
    ) -> Self {
        Self::Write {
            path: path.into(),
            rejection: AnyRejection(with_wait(rejection, response)),
        }
    }

    /// The same, known to be about the project.
    #[must_use]
    pub(super) fn about_the_project(self) -> Self {
        match self {
            Self::Read { rejection, .. } => Self::FindProject { rejection },
            other => other,
        }
    }

    /// Whether another version of the API may answer: this one is not there, or wants the id of the project,
    /// which the identity may not look up.
    pub(super) fn concerns_one_api(&self) -> bool {
        match self {
            Self::Read { rejection, .. } | Self::Write { rejection, .. } => {
                rejection.0 == Rejection::NoRoute
            }
            Self::FindProject { rejection } => {
                matches!(rejection.0, Rejection::NoRoute | Rejection::Denied)
            }
            _ => false,
        }
    }

    pub(super) fn ask(message: &'static str) -> Self {
        Self::Ask { message }
    }

    /// Whether what was fetched when the store was opened (credentials, authorities) may be out of date.
    pub(super) fn blames_credentials(&self) -> bool {
        matches!(
            self,
            Self::LogIn { .. }
                | Self::Send {
                    source: SendRequest::Verify(_) | SendRequest::Credential,
                    ..
                }
        )
    }

    /// What the server says, where it answered.
    pub(super) fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Read { rejection, .. }
            | Self::Write { rejection, .. }
            | Self::FindProject { rejection } => Some(&rejection.0),
            _ => None,
        }
    }

    /// The fault for `subject`.
    pub fn fault(&self, subject: &str) -> Fault {
        let of = |class, message: String| Fault::new(class, subject, message);
        let provider = format!("{subject} spec.provider.infisical");
        match self {
            Self::Settings(error) => error.fault(&provider),
            Self::Open(error) => error.fault_of(subject, &provider),
            Self::Credentials(fault) => fault.clone(),
            Self::Send { host, source } => source.fault_of(subject, &provider, host),
            Self::LogIn { hint } => of(FaultClass::Denied, "the login is refused".to_owned())
                .because(Reason::CredentialsRefused)
                .hint(*hint),
            Self::Read { path, rejection } => rejected(subject, path, &rejection.0),
            Self::Write { path, rejection } => write_rejected(subject, path, &rejection.0),
            Self::Pending { path } => of(
                FaultClass::Denied,
                format!("a policy guards {path}: the change waits in Infisical for somebody's approval"),
            )
            .hint("Nothing has changed yet. Approve it there, or leave this identity out of the policy"),
            Self::Changed { path } => of(
                FaultClass::Conflict,
                format!("somebody else has changed {path} in the meantime"),
            )
            .hint("Look at it, and try again"),
            Self::Value { name, message } => {
                of(FaultClass::Invalid, format!("{}: {message}", name.escape_debug()))
            }
            Self::FindProject { rejection } => rejected(subject, "the project", &rejection.0),
            Self::OtherProject => Fault::new(
                FaultClass::Invalid,
                format!("{provider}.projectId"),
                "the service token is for another project",
            )
            .hint("Set the id of the project that the token was made in"),
            Self::Environment { environment } => Fault::new(
                FaultClass::NotFound,
                format!("{provider}.environment"),
                format!("the project has no environment {environment}"),
            )
            .hint("Set the slug of an environment, not its name"),
            Self::TooLarge { path } => of(
                FaultClass::Invalid,
                format!("{path} holds more than a bundle can"),
            )
            .because(Reason::TooLarge)
            .hint("Read smaller folders"),
            Self::Ask { message } => of(FaultClass::Invalid, (*message).to_owned()),
        }
    }
}

fn with_wait(rejection: Rejection, response: &Response) -> Rejection {
    match rejection {
        Rejection::Throttled(_) => Rejection::Throttled(Some(wait_of(response))),
        other => other,
    }
}

/// As for reads, but for what an identity lacks.
fn write_rejected(subject: &str, path: &str, rejection: &Rejection) -> Fault {
    match rejection {
        Rejection::Denied => Fault::new(
            FaultClass::Denied,
            subject,
            format!("the identity may not write {path}"),
        )
        .hint(
            "Give it a role that may create and edit secrets (and folders that are missing) there",
        ),
        other => rejected(subject, path, other),
    }
}

fn rejected(subject: &str, path: &str, rejection: &Rejection) -> Fault {
    let (class, message, hint) = match rejection {
        Rejection::Missing => (
            FaultClass::NotFound,
            format!("there is no {path}"),
            "Check project, environment (its slug) and folder",
        ),
        Rejection::Denied => (
            FaultClass::Denied,
            format!("the identity may not read {path}"),
            "Add it to the project with a role that may read secrets there, also where references and imports lead, and check its trusted addresses",
        ),
        Rejection::DeadToken => (
            FaultClass::Denied,
            "the access token is refused".to_owned(),
            "Check the identity",
        ),
        Rejection::Masked(name) => (
            FaultClass::Denied,
            format!("the identity may see {name} in {path}, and not read its value"),
            "Grant `Read Value` on it, or hide it from the identity",
        ),
        Rejection::Elsewhere => (
            FaultClass::Invalid,
            format!("what is answered for {path} lies elsewhere"),
            "A service token of one scope is answered for that scope only: set environment and path to it",
        ),
        Rejection::BadRequest => (
            FaultClass::Invalid,
            format!("the server does not take the request for {path}"),
            "Check project and environment; an access token whose uses are limited cannot serve an operator",
        ),
        Rejection::Unprocessable => (
            FaultClass::Invalid,
            format!("the server does not understand the request for {path}"),
            "Check the form of project, environment and folder",
        ),
        Rejection::Throttled(wait) => {
            return Fault::throttled(subject, "the server asks for patience", *wait);
        }
        Rejection::Stumbled(status) => (
            FaultClass::Unavailable,
            format!("the server stumbles (status {status})"),
            "",
        ),
        Rejection::NoRoute => (
            FaultClass::Unavailable,
            "the server knows neither version 4 nor version 3 of the API".to_owned(),
            "Check that the address is that of an Infisical, without `/api`",
        ),
        Rejection::Unbelievable(status) => (
            FaultClass::Unavailable,
            format!("the answer for {path} is not that of an Infisical (status {status})"),
            "Check that the address leads to the server and not to something before it",
        ),
    };
    let fault = Fault::new(class, subject, message);
    if hint.is_empty() {
        fault
    } else {
        fault.hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rejection_has_the_class_that_the_rules_give_it() {
        for (rejection, class) in [
            (Rejection::Missing, FaultClass::NotFound),
            (Rejection::Denied, FaultClass::Denied),
            (Rejection::DeadToken, FaultClass::Denied),
            (Rejection::Masked("K".to_owned()), FaultClass::Denied),
            (Rejection::Elsewhere, FaultClass::Invalid),
            (Rejection::BadRequest, FaultClass::Invalid),
            (Rejection::Unprocessable, FaultClass::Invalid),
            (
                Rejection::Throttled(None),
                FaultClass::Throttled { retry_after: None },
            ),
            (Rejection::Stumbled(500), FaultClass::Unavailable),
            (Rejection::NoRoute, FaultClass::Unavailable),
            (Rejection::Unbelievable(404), FaultClass::Unavailable),
        ] {
            let error = InfisicalError::Read {
                path: "prod:/app".to_owned(),
                rejection: AnyRejection(rejection.clone()),
            };
            assert_eq!(error.fault("store s").class, class, "{rejection:?}");
        }
    }
}
