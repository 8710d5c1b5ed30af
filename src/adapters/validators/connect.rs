//! A connection to an address.

use std::sync::Arc;

use penstock_domain::secret::SecretValue;
use penstock_domain::validate::Verdict;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::inconclusive;
use crate::http::client::HttpLayer;
use crate::http::egress::{Origin, Transport};
use crate::http::error::SendRequest;
use crate::http::tls::TlsSettings;

/// Connects, and shakes hands where `tls` says so. Nothing is sent besides. A value that is no address fails; an
/// address that does not answer says nothing about the value.
pub(super) async fn ask(
    layer: &HttpLayer,
    (address, tls): (Option<&str>, bool),
    value: &SecretValue,
) -> Verdict {
    let text = match address {
        Some(address) => Some(address),
        None => std::str::from_utf8(value.expose())
            .ok()
            .map(str::trim_ascii),
    };
    let Some((host, port)) = text.and_then(host_and_port) else {
        return Verdict::Failed("is no address of the form `host:port`".to_owned());
    };
    // What the value says is not told: a message names the host only where the spec does.
    let shown = if address.is_some() { host } else { "the host" };
    // Nothing but a handshake is ever sent, so that plain text needs no leave here.
    let dialled = layer
        .dial((Origin::Namespace, Transport::Tls), (host, port))
        .await;
    let stream = match dialled {
        Ok(stream) => stream,
        Err(error) => return failed(&error, shown),
    };
    if !tls {
        return Verdict::Passed;
    }
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
    let (Ok(name), Ok(config)) = (name, layer.tls_config(&TlsSettings::default())) else {
        return inconclusive("could not be tried: TLS cannot be set up");
    };
    let handshake = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await;
    match handshake {
        Ok(_) => Verdict::Passed,
        Err(_) => inconclusive(format!(
            "could not be tried: {shown} offers no TLS with a certificate that is valid for it"
        )),
    }
}

fn failed(error: &SendRequest, shown: &str) -> Verdict {
    let fault = error.fault("", shown);
    let hint = fault
        .hint
        .map(|hint| format!(" ({hint})"))
        .unwrap_or_default();
    inconclusive(format!("could not be tried: {}{hint}", fault.message))
}

fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty() && host.bytes().all(plain)).then_some((host, port))
}
