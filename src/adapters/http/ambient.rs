//! The identity that the process itself has at its cloud, and the closed list of services that hand it out.
//!
//! Rule 7 of the design: the operator's own identity serves only ClusterSecretStores that say
//! `identity: operator`. So nobody gets at a variable, a token file or a metadata service but through an
//! [`OperatorIdentity`], which [`Ambient::grant`] gives to such a store and to no other.
//!
//! - Addresses are constants, or stand in variables of the process's own environment; never in an object.
//!   Each is one literal address that [`EgressPolicy`] permits to this one client, over plain http.
//! - The policy of every store's own client goes on refusing these addresses, whoever made the store.
//! - Waits are short: outside its cloud a metadata service does not answer at all.
//!
//! Names of variables and addresses are those of the vendors' documentation: AWS SDKs and Tools Reference Guide
//! ("IMDS credential provider", "Container credential provider"), Google Cloud "About VM metadata", Microsoft
//! "Azure Instance Metadata Service" and "Managed identities for App Service".

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use penstock_domain::api::store::Identity;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{StoreLimits, StoreObject};
use url::Url;
use zeroize::Zeroizing;

use super::client::{ClientSettings, HttpClient, HttpLayer, Request};
use super::egress::{EgressPolicy, Origin, may_serve_credentials};
use super::error::OpenClient;
use super::tls::TlsSettings;

/// Beginnings of the variables that tell about an identity; the others are not kept.
const KEPT: [&str; 6] = ["AWS_", "AZURE_", "GOOGLE_", "GCE_", "GCLOUD_", "IDENTITY_"];
/// The most bytes of a file that one of these variables names.
const MAX_FILE_BYTES: u64 = 256 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Services that hand out credentials of the machine, the pod or the app. There are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialService {
    /// Instance metadata of Amazon EC2. Elsewhere with `AWS_EC2_METADATA_SERVICE_ENDPOINT`, at its IPv6 address
    /// with `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6`, off with `AWS_EC2_METADATA_DISABLED=true`.
    AwsInstance,
    /// Container credentials of Amazon ECS and EKS (Pod Identity): where
    /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI` says.
    AwsContainer,
    /// The metadata server of Google Cloud. Elsewhere with `GCE_METADATA_HOST`.
    GoogleMetadata,
    /// Instance metadata of Azure. Elsewhere with `AZURE_POD_IDENTITY_AUTHORITY_HOST`.
    AzureInstance,
    /// Managed identities of Azure App Service, Functions and Container Apps: where `IDENTITY_ENDPOINT` says.
    AzureApp,
}

/// What surrounds the process. The default is a process that has no identity.
#[derive(Clone, Default)]
pub struct Ambient(Arc<Surroundings>);

#[derive(Default)]
struct Surroundings {
    variables: BTreeMap<String, SecretValue>,
    /// Where the person who runs a command keeps logins.
    home: Option<PathBuf>,
}

/// Names of variables only: values may be keys.
impl fmt::Debug for Ambient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.variables.keys().collect();
        write!(formatter, "Ambient({names:?})")
    }
}

/// Why the identity of the process cannot be used. Nothing of a value is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UseAmbient {
    /// The store may not.
    #[error(
        "use the operator's own identity, which serves ClusterSecretStores with identity: operator only"
    )]
    NotGranted,
    /// There are no files of a person: this is the operator.
    #[error("look for the files of a person")]
    NoPerson,
    /// A variable names no credential service.
    #[error("take an address from {variable}")]
    Address {
        /// The variable.
        variable: &'static str,
    },
    /// A file that a variable names cannot be read.
    #[error("read the file that {variable} names")]
    File {
        /// The variable.
        variable: &'static str,
    },
    /// No client.
    #[error("open a client for a credential service")]
    Open(#[source] OpenClient),
}

impl UseAmbient {
    /// The fault for the store `subject`.
    pub fn fault(&self, subject: &str) -> Fault {
        let of = |class, message: String| Fault::new(class, subject, message);
        match self {
            Self::NotGranted => of(
                FaultClass::Denied,
                "the operator's own identity serves ClusterSecretStores with identity: operator only"
                    .to_owned(),
            )
            .because(Reason::CredentialsRefused)
            .hint("Name a Secret or a ServiceAccount of the namespace"),
            Self::NoPerson => of(
                FaultClass::NotSupported,
                "profiles of a person are read by the command line only".to_owned(),
            ),
            Self::Address { variable } => of(
                FaultClass::Invalid,
                format!("{variable} names no credential service"),
            )
            .hint("Its host must be the literal address of a metadata service, of the local link or of the machine itself, over http"),
            Self::File { variable } => of(
                FaultClass::Unavailable,
                format!("the file that {variable} names cannot be read"),
            ),
            Self::Open(error) => error.fault(subject),
        }
    }
}

impl Ambient {
    /// What the process was started with, such as [`std::env::vars_os`]; only names of clouds are kept.
    pub fn of_process(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let text = |(name, value): (OsString, OsString)| {
            let name = name.into_string().ok()?;
            let kept = KEPT.iter().any(|prefix| name.starts_with(prefix));
            let value = Zeroizing::new(value.into_string().ok().filter(|_| kept)?);
            (!value.is_empty()).then(|| (name, SecretValue::from(value.as_str())))
        };
        Self(Arc::new(Surroundings {
            variables: variables.into_iter().filter_map(text).collect(),
            home: None,
        }))
    }

    /// The same for a person at the command line, whose files lie under `home`.
    #[must_use]
    pub fn of_person(self, home: Option<PathBuf>) -> Self {
        let variables = self.0.variables.clone();
        Self(Arc::new(Surroundings { variables, home }))
    }

    /// Gives the identity to `store`, if that is the administrator's and says so.
    pub fn grant(&self, store: &StoreObject) -> Result<OperatorIdentity, UseAmbient> {
        if store.is_cluster() && store.identity == Identity::Operator {
            Ok(OperatorIdentity(Arc::clone(&self.0)))
        } else {
            Err(UseAmbient::NotGranted)
        }
    }

    /// Gives the files of the person who runs a command: there is none where this is the operator.
    pub fn person(&self) -> Result<Person, UseAmbient> {
        let home = self.0.home.clone().ok_or(UseAmbient::NoPerson)?;
        Ok(Person {
            home,
            surroundings: Arc::clone(&self.0),
        })
    }
}

/// The person who runs a command.
#[derive(Clone)]
pub struct Person {
    home: PathBuf,
    surroundings: Arc<Surroundings>,
}

impl Person {
    /// Reads the file that `variable` names or, where it is not set, `usual` under the person's home. An absent
    /// file is `None`.
    pub async fn file(
        &self,
        variable: &'static str,
        usual: &str,
    ) -> Result<Option<SecretValue>, UseAmbient> {
        let named = self.surroundings.text(variable).map(PathBuf::from);
        let path = named.unwrap_or_else(|| self.home.join(usual));
        read(path).await.map_err(|_| UseAmbient::File { variable })
    }
}

/// The operator's own identity, granted. Who holds one may ask variables, token files and metadata services.
#[derive(Clone)]
pub struct OperatorIdentity(Arc<Surroundings>);

impl OperatorIdentity {
    /// A variable, where it is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.0.text(name)
    }

    /// The same, as a value that is not shown.
    pub fn secret(&self, name: &str) -> Option<SecretValue> {
        self.0.variables.get(name).cloned()
    }

    /// Reads the file that `variable` names: each time anew, because such files are replaced. `None` where the
    /// variable is not set.
    pub async fn file(&self, variable: &'static str) -> Result<Option<SecretValue>, UseAmbient> {
        let Some(path) = self.variable(variable) else {
            return Ok(None);
        };
        match read(PathBuf::from(path)).await {
            Ok(Some(content)) => Ok(Some(content)),
            _ => Err(UseAmbient::File { variable }),
        }
    }

    /// A client for `service`; `None` where the environment says that there is none.
    pub fn service(
        &self,
        layer: &HttpLayer,
        service: CredentialService,
    ) -> Result<Option<ServiceClient>, UseAmbient> {
        let Some(place) = self.0.place(service)? else {
            return Ok(None);
        };
        let address = format!("http://{}", place.authority);
        let limits = StoreLimits {
            requests_per_second: None,
            concurrency: NonZeroU32::MIN,
            timeout: TIMEOUT,
        };
        let settings = ClientSettings {
            address: &address,
            origin: Origin::Administrator,
            namespace: "",
            tls: &TlsSettings::default(),
            limits: &limits,
        };
        let http = layer
            .client_under(EgressPolicy::only(place.address), &settings)
            .map_err(UseAmbient::Open)?;
        Ok(Some(ServiceClient {
            http,
            segments: place.segments,
            query: place.query,
        }))
    }
}

/// The client of one credential service.
#[derive(Debug)]
pub struct ServiceClient {
    /// The client.
    pub http: HttpClient,
    segments: Vec<String>,
    query: Vec<(String, String)>,
}

impl ServiceClient {
    /// A GET below the address that the environment gives, or a constant one.
    pub fn get(&self, segments: &[&str]) -> Request {
        self.with_query(Request::get(self.below(segments)))
    }

    /// A PUT there, without a body, that changes nothing.
    pub fn put(&self, segments: &[&str]) -> Request {
        self.with_query(Request::put_nothing(self.below(segments)))
    }

    fn below<'a>(&'a self, segments: &'a [&str]) -> impl Iterator<Item = String> + 'a {
        let below = segments.iter().map(|segment| (*segment).to_owned());
        self.segments.iter().cloned().chain(below)
    }

    fn with_query(&self, request: Request) -> Request {
        self.query.iter().cloned().fold(request, Request::query_as)
    }
}

/// Where a service listens.
#[derive(Debug)]
struct ServicePlace {
    address: IpAddr,
    /// Host and port, as they stand in a URL.
    authority: String,
    segments: Vec<String>,
    query: Vec<(String, String)>,
}

const INSTANCE: &str = "http://169.254.169.254";
const INSTANCE_V6: &str = "http://[fd00:ec2::254]";
const CONTAINER: &str = "http://169.254.170.2";

impl Surroundings {
    fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(name).and_then(SecretValue::expose_text)
    }

    fn place(&self, service: CredentialService) -> Result<Option<ServicePlace>, UseAmbient> {
        let elsewhere = |variable: &'static str, usual: &str| {
            place(self.text(variable).unwrap_or(usual), variable).map(Some)
        };
        match service {
            CredentialService::AwsInstance => {
                let is = |name, word: &str| {
                    self.text(name)
                        .is_some_and(|text| text.eq_ignore_ascii_case(word))
                };
                if is("AWS_EC2_METADATA_DISABLED", "true") {
                    return Ok(None);
                }
                let usual = if is("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6") {
                    INSTANCE_V6
                } else {
                    INSTANCE
                };
                elsewhere("AWS_EC2_METADATA_SERVICE_ENDPOINT", usual)
            }
            CredentialService::AwsContainer => {
                let (relative, full) = (
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                );
                if let Some(path) = self.text(relative) {
                    // Only a path: nothing in it may reach into the host.
                    if !path.starts_with('/') {
                        return Err(UseAmbient::Address { variable: relative });
                    }
                    return place(&format!("{CONTAINER}{path}"), relative).map(Some);
                }
                self.text(full).map(|text| place(text, full)).transpose()
            }
            CredentialService::GoogleMetadata => {
                let variable = "GCE_METADATA_HOST";
                match self.text(variable) {
                    // What the name stands for, whatever a resolver says.
                    None | Some("metadata.google.internal") => place(INSTANCE, variable),
                    Some(host) => place(&format!("http://{host}"), variable),
                }
                .map(Some)
            }
            CredentialService::AzureInstance => {
                elsewhere("AZURE_POD_IDENTITY_AUTHORITY_HOST", INSTANCE)
            }
            CredentialService::AzureApp => {
                let variable = "IDENTITY_ENDPOINT";
                self.text(variable)
                    .map(|text| place(text, variable))
                    .transpose()
            }
        }
    }
}

/// Reads an address of a credential service: http, a literal address (or `localhost`) where such a service may
/// listen, no login in it.
fn place(text: &str, variable: &'static str) -> Result<ServicePlace, UseAmbient> {
    let refused = || UseAmbient::Address { variable };
    let url = Url::parse(text).map_err(|_| refused())?;
    if url.scheme() != "http" || !url.username().is_empty() || url.password().is_some() {
        return Err(refused());
    }
    let address: IpAddr = match url.host().ok_or_else(refused)? {
        url::Host::Ipv4(address) => address.into(),
        url::Host::Ipv6(address) => address.into(),
        url::Host::Domain("localhost") => Ipv4Addr::LOCALHOST.into(),
        url::Host::Domain(_) => return Err(refused()),
    };
    if !may_serve_credentials(address) {
        return Err(refused());
    }
    let host = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let authority = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    };
    let segments = url.path_segments().into_iter().flatten();
    Ok(ServicePlace {
        address,
        authority,
        segments: segments
            .filter(|segment| !segment.is_empty())
            .map(str::to_owned)
            .collect(),
        query: url
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
    })
}

/// Reads a small file on a thread where waiting is allowed; an absent one is `None`.
async fn read(path: PathBuf) -> Result<Option<SecretValue>, std::io::Error> {
    let reading = tokio::task::spawn_blocking(move || read_now(&path));
    reading.await.map_err(std::io::Error::other)?
}

fn read_now(path: &Path) -> Result<Option<SecretValue>, std::io::Error> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Zeroizing::new(Vec::with_capacity(4096));
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(SecretValue::new(content.as_slice())))
}

#[cfg(test)]
mod tests;
