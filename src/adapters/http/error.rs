//! What can go wrong between us and an outside system, before anything of its answer is understood.

use std::error::Error;
use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use super::egress::Refusal;
use super::endpoint::ParseAddress;
use super::resolve::ResolveHost;
use super::tls::{CertificateProblem, ConfigureTls};

/// Why a client for an address cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenClient {
    /// The address.
    #[error("check the address")]
    Address(#[source] ParseAddress),
    /// TLS.
    #[error("set up TLS")]
    Tls(#[source] ConfigureTls),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendRequest {
    /// The host has no address to connect to.
    #[error("resolve the host")]
    Resolve(#[source] ResolveHost),
    /// No connection.
    #[error("connect")]
    Connect,
    /// The server's certificate is not accepted.
    #[error("verify the certificate")]
    Verify(CertificateProblem),
    /// No answer in time.
    #[error("wait for an answer")]
    Timeout,
    /// The connection broke, or the answer is no HTTP.
    #[error("read the answer")]
    Interrupted,
    /// The answer is larger than we read.
    #[error("read an answer of more than {} bytes", super::MAX_BODY_BYTES)]
    TooLarge,
    /// The answer is compressed, which nobody asked for.
    #[error("read a compressed answer")]
    Compressed,
    /// The answer sends us to another host, or in circles.
    #[error("follow a redirect")]
    Redirect,
    /// The store has asked for patience and the time is not up.
    #[error("wait as the store asked")]
    Paused {
        /// How long it still is.
        left: Duration,
    },
    /// A credential holds bytes that no header can carry.
    #[error("put a credential into a header")]
    Credential,
}

impl OpenClient {
    /// The fault for `subject`.
    pub fn fault(&self, subject: &str) -> Fault {
        match self {
            Self::Address(ParseAddress::Refused(refusal)) => refused(subject, *refusal),
            Self::Address(problem) => Fault::new(
                FaultClass::Invalid,
                subject,
                format!("the address {problem}"),
            ),
            Self::Tls(problem) => Fault::new(FaultClass::Invalid, subject, problem.to_string()),
        }
    }
}

impl OpenClient {
    /// The fault for the store `subject`, told by the field; `provider` leads to the system's fields, such as
    /// `SecretStore a spec.provider.vault`.
    pub fn fault_of(&self, subject: &str, provider: &str) -> Fault {
        match self {
            Self::Address(_) => self.fault(&format!("{provider}.address")),
            Self::Tls(ConfigureTls::ServerName) => {
                self.fault(&format!("{provider}.tlsServerName"))
            }
            Self::Tls(
                ConfigureTls::NoCertificate | ConfigureTls::BadCertificate | ConfigureTls::TooMany,
            ) => self.fault(provider).hint(
                "Put PEM certificates into caBundle, or into what caSecretRef or caConfigMapRef names",
            ),
            Self::Tls(_) => self.fault(subject),
        }
    }
}

impl SendRequest {
    /// The fault for the store `subject`: what is wrong with the address is told by its field.
    pub fn fault_of(&self, subject: &str, provider: &str, host: &str) -> Fault {
        match self {
            Self::Resolve(_) => self.fault(&format!("{provider}.address"), host),
            _ => self.fault(subject, host),
        }
    }

    /// Sorts an error of the HTTP library by its causes; none of its text is kept.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(current) = cause {
            if let Some(resolve) = current.downcast_ref::<ResolveHost>() {
                return Self::Resolve(*resolve);
            }
            if let Some(tls) = tls_error(current) {
                return Self::Verify(CertificateProblem::of(tls));
            }
            cause = current.source();
        }
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_connect() {
            Self::Connect
        } else {
            Self::Interrupted
        }
    }

    /// Whether the request certainly never reached the server, so that sending it again repeats nothing.
    pub(super) fn never_sent(&self) -> bool {
        match self {
            Self::Connect => true,
            Self::Resolve(_)
            | Self::Verify(_)
            | Self::Timeout
            | Self::Interrupted
            | Self::TooLarge
            | Self::Compressed
            | Self::Redirect
            | Self::Paused { .. }
            | Self::Credential => false,
        }
    }

    /// The fault for `subject`; `host` is the host of the store's address.
    pub fn fault(&self, subject: &str, host: &str) -> Fault {
        let unavailable = |message: String| Fault::new(FaultClass::Unavailable, subject, message);
        match self {
            Self::Resolve(ResolveHost::Unknown) => {
                unavailable(format!("the host name {host} cannot be resolved"))
            }
            Self::Resolve(ResolveHost::Refused(refusal)) => refused(subject, *refusal),
            Self::Connect => unavailable(format!("{host} does not accept a connection")),
            Self::Verify(problem) => certificate(subject, host, *problem),
            Self::Timeout => unavailable(format!("{host} did not answer in time")),
            Self::Interrupted => {
                unavailable(format!("the connection to {host} broke before the answer"))
            }
            Self::TooLarge => Fault::new(
                FaultClass::Invalid,
                subject,
                format!(
                    "the answer of {host} is larger than {} MiB",
                    super::MAX_BODY_BYTES / (1024 * 1024)
                ),
            )
            .because(Reason::TooLarge),
            Self::Compressed => unavailable(format!("{host} sent a compressed answer unasked")),
            Self::Redirect => unavailable(format!("{host} redirects to another address"))
                .hint("Name the server that answers itself, or a load balancer before it: credentials are not sent on"),
            Self::Paused { left } => Fault::throttled(
                subject,
                format!("{host} asked for patience"),
                Some(*left),
            ),
            Self::Credential => Fault::new(
                FaultClass::Invalid,
                subject,
                "the credential holds characters that cannot be sent",
            )
            .because(Reason::CredentialsRefused)
            .hint("Look for line breaks in the Secret"),
        }
    }
}

fn refused(subject: &str, refusal: Refusal) -> Fault {
    // The address itself is not told: a tenant could resolve the cluster's names that way.
    let fault = Fault::new(
        FaultClass::Denied,
        subject,
        format!("the address is {refusal}"),
    )
    .because(Reason::EgressDenied);
    match refusal {
        Refusal::Metadata => fault.hint("Name the store itself: nobody can open this address"),
        _ => fault.hint("An administrator can open it with `--egress-allow`"),
    }
}

fn certificate(subject: &str, host: &str, problem: CertificateProblem) -> Fault {
    let (message, hint) = match problem {
        CertificateProblem::UnknownAuthority => (
            "is signed by an authority that this store does not trust",
            "Set the store's CA bundle to the authority that signed it",
        ),
        CertificateProblem::WrongName => (
            "is for another host name",
            "Use a host name of the certificate, or set the TLS server name",
        ),
        CertificateProblem::OutOfDate => (
            "is out of date",
            "Renew it at the server, or check both clocks",
        ),
        CertificateProblem::Other => (
            "is not accepted, or the server speaks no TLS",
            "Check that the address leads to an https port",
        ),
    };
    Fault::new(
        FaultClass::Unavailable,
        subject,
        format!("the certificate of {host} {message}"),
    )
    .hint(hint)
}

/// rustls reports through `std::io::Error`, once or twice wrapped, whose `source` skips what it carries.
pub(crate) fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut error = error;
    while let Some(carried) = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        error = carried;
    }
    error.downcast_ref()
}
