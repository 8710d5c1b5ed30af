//! Values of arguments.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use penstock_domain::api::shared::GoDuration;
use penstock_domain::names::{NamespaceName, ObjectName, SourceName, TargetName};

/// A range of addresses, or one address.
pub(super) fn addresses(text: &str) -> Result<IpNet, String> {
    let range = text.parse::<IpNet>();
    range
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "is no range of addresses: write `10.0.0.0/8`, or one address".to_owned())
}

/// The name of a namespace.
pub(super) fn namespace(text: &str) -> Result<NamespaceName, String> {
    NamespaceName::new(text).map_err(|error| error.to_string())
}

/// The name of an object.
pub(super) fn object(text: &str) -> Result<ObjectName, String> {
    ObjectName::new(text).map_err(|error| error.to_string())
}

/// The name of a source.
pub(super) fn source(text: &str) -> Result<SourceName, String> {
    SourceName::new(text).map_err(|error| error.to_string())
}

/// The name of a target.
pub(super) fn target(text: &str) -> Result<TargetName, String> {
    TargetName::new(text).map_err(|error| error.to_string())
}

/// A duration as Go writes it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    GoDuration::from(text)
        .to_duration()
        .map_err(|_| "is no duration: write `30s`, `10m` or `1h`".to_owned())
}

/// `NAME=VALUE`.
pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write `NAME=VALUE`, such as `tenant=prod`".to_owned()),
    }
}
