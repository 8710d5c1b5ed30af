//! Takes what is needed out of a connection URL: inline fields of an allow-list, and nothing else.
//!
//! libpq's URLs (manual, "Connection URIs") can name files with keys and passwords, sockets, services and several
//! hosts. Whoever writes one here may have none of that used by the operator, so a URL that asks for it is refused
//! as a whole.

use penstock_domain::api::postgres::{PORT, PostgresChannelBinding, PostgresTls};
use penstock_domain::secret::SecretValue;
use url::{ParseError, Url};
use zeroize::Zeroizing;

/// The most bytes of a URL.
const MAX_BYTES: usize = 4096;

/// What is taken out of a URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: SecretValue,
    /// Only `disable` means anything: whatever else it says, the server is verified.
    pub(super) tls: Option<PostgresTls>,
    pub(super) channel_binding: Option<PostgresChannelBinding>,
    /// `pgbouncer=true`, as several clients have it: a pooler in transaction mode.
    pub(super) transaction_pooler: bool,
}

/// Why a URL is refused. Nothing of its text is told but parameters from a list of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadUrl {
    #[error("is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("is no URL of the form postgres://user:password@host:port/database")]
    Shape,
    #[error("names a socket, or no host: name one host")]
    Socket,
    #[error("names several hosts: name one")]
    Hosts,
    #[error("has no user, no password or no database")]
    Missing,
    #[error(
        "uses the parameter `{0}`: files, sockets, services and other hosts are not taken from a URL"
    )]
    Refused(&'static str),
    #[error("has a value of `{0}` that is not understood")]
    Value(&'static str),
    #[error("has a parameter that is not allowed")]
    Unknown,
}

/// Parameters that are refused by name, because people may have them in good faith.
const REFUSED: [&str; 22] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "passfile",
    "service",
    "servicefile",
    "options",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
    "sslcertmode",
    "krbsrvname",
    "gssencmode",
    "replication",
    "target_session_attrs",
    "load_balance_hosts",
];

/// Parameters without meaning here.
const IGNORED: [&str; 3] = ["application_name", "connect_timeout", "connection_limit"];

/// Reads a URL.
pub(super) fn read(text: &str) -> Result<Access, ReadUrl> {
    if text.len() > MAX_BYTES {
        return Err(ReadUrl::TooLong);
    }
    let rest = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .ok_or(ReadUrl::Shape)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let server = authority.rsplit('@').next().unwrap_or_default();
    if server.contains(',') {
        return Err(ReadUrl::Hosts);
    }
    let url = Url::parse(text).map_err(|error| match error {
        ParseError::EmptyHost => ReadUrl::Socket,
        _ => ReadUrl::Shape,
    })?;
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = decode(host.ok_or(ReadUrl::Socket)?)?;
    if host.contains(['/', '\\', '@', ',']) || host.contains('\0') {
        return Err(ReadUrl::Socket);
    }
    if url.fragment().is_some() {
        return Err(ReadUrl::Shape);
    }
    let password = decode(url.password().ok_or(ReadUrl::Missing)?)?;
    let mut access = Access {
        host: host.to_string(),
        port: url.port().unwrap_or(PORT),
        database: decode(url.path().strip_prefix('/').unwrap_or_default())?.to_string(),
        user: decode(url.username())?.to_string(),
        password: SecretValue::new(password.as_bytes()),
        tls: None,
        channel_binding: None,
        transaction_pooler: false,
    };
    let blank = [&access.database, &access.user]
        .iter()
        .any(|text| text.is_empty() || text.contains('\0'));
    if blank || access.password.is_empty() || access.database.contains('/') {
        return Err(ReadUrl::Missing);
    }
    for pair in url.query().unwrap_or_default().split('&') {
        if !pair.is_empty() {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameter(&mut access, name, value)?;
        }
    }
    Ok(access)
}

fn parameter(access: &mut Access, name: &str, value: &str) -> Result<(), ReadUrl> {
    match (name, value) {
        ("sslmode", "disable") => access.tls = Some(PostgresTls::Disable),
        // Weaker ones would let anybody on the way read the password.
        ("sslmode", "allow" | "prefer" | "require" | "verify-ca" | "verify-full")
        | ("channel_binding", "prefer")
        | ("pgbouncer", "false") => {}
        ("channel_binding", "require") => {
            access.channel_binding = Some(PostgresChannelBinding::Require);
        }
        ("pgbouncer", "true") => access.transaction_pooler = true,
        ("sslmode", _) => return Err(ReadUrl::Value("sslmode")),
        ("channel_binding", _) => return Err(ReadUrl::Value("channel_binding")),
        ("pgbouncer", _) => return Err(ReadUrl::Value("pgbouncer")),
        (name, _) if IGNORED.contains(&name) => {}
        (name, _) => {
            let known = REFUSED.iter().find(|refused| **refused == name);
            return Err(known.map_or(ReadUrl::Unknown, |name| ReadUrl::Refused(name)));
        }
    }
    Ok(())
}

/// Percent-decoding (RFC 3986 §2.1), to text.
fn decode(text: &str) -> Result<Zeroizing<String>, ReadUrl> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let byte = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(*high), digit(*low));
                let (high, low) = high.zip(low).ok_or(ReadUrl::Shape)?;
                u8::try_from(high * 16 + low).map_err(|_| ReadUrl::Shape)?
            }
            (b'%', _) => return Err(ReadUrl::Shape),
            (byte, _) => *byte,
        };
        bytes.push(byte);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| ReadUrl::Shape)?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_fields_are_taken() {
        let access = read(
            "postgresql://app%40x:p%2Fw%3D%25@db.example.com:6432/my%20db?sslmode=require&channel_binding=require&pgbouncer=true&application_name=x",
        )
        .unwrap();
        assert_eq!(access.host, "db.example.com");
        assert_eq!(access.port, 6432);
        assert_eq!(access.database, "my db");
        assert_eq!(access.user, "app@x");
        assert_eq!(access.password, SecretValue::from("p/w=%"));
        assert_eq!(access.tls, None, "verified in full all the same");
        assert_eq!(
            access.channel_binding,
            Some(PostgresChannelBinding::Require)
        );
        assert!(access.transaction_pooler);
        let access = read("postgres://u:p@[2001:db8::1]/d?sslmode=disable").unwrap();
        assert_eq!((access.host.as_str(), access.port), ("[2001:db8::1]", PORT));
        assert_eq!(access.tls, Some(PostgresTls::Disable));
    }

    #[test]
    fn what_reads_files_or_leads_elsewhere_is_refused() {
        for (rest, error) in [
            ("@/d", ReadUrl::Socket),
            ("@%2Frun%2Fpostgresql/d", ReadUrl::Socket),
            ("@a.example,b.example/d", ReadUrl::Hosts),
            ("@a.example:1,b.example:2/d", ReadUrl::Hosts),
            ("@h/d?host=/run/postgresql", ReadUrl::Refused("host")),
            ("@h/d?hostaddr=10.0.0.1", ReadUrl::Refused("hostaddr")),
            ("@h/d?sslkey=/etc/key", ReadUrl::Refused("sslkey")),
            ("@h/d?sslrootcert=/etc/ca", ReadUrl::Refused("sslrootcert")),
            ("@h/d?passfile=/x", ReadUrl::Refused("passfile")),
            (
                "@h/d?options=-csearch_path%3Dx",
                ReadUrl::Refused("options"),
            ),
            ("@h/d?service=x", ReadUrl::Refused("service")),
            (
                "@h/d?target_session_attrs=any",
                ReadUrl::Refused("target_session_attrs"),
            ),
            ("@h/d?sslmode=none", ReadUrl::Value("sslmode")),
            ("@h/d?%73slkey=/etc/key", ReadUrl::Unknown),
            ("@h/d?SSLKEY=/etc/key", ReadUrl::Unknown),
            ("@h/d?x=y", ReadUrl::Unknown),
            ("@h/", ReadUrl::Missing),
            ("@h/a/b", ReadUrl::Missing),
            ("@h/d%00", ReadUrl::Missing),
            ("@h/d#x", ReadUrl::Shape),
            ("@h/%zz", ReadUrl::Shape),
        ] {
            let text = format!("postgres://u:hunter2{rest}");
            let found = read(&text).map(|_| ()).unwrap_err();
            assert_eq!(found, error, "{rest}");
            assert!(!found.to_string().contains("hunter2"));
        }
        assert_eq!(read("postgres://h/d").unwrap_err(), ReadUrl::Missing);
        for text in ["", "host=h user=u", "mysql://u:p@h/d", "postgres:u:p@h/d"] {
            assert_eq!(read(text).map(|_| ()), Err(ReadUrl::Shape), "{text}");
        }
        let long = format!("postgres://u:p@h/{}", "x".repeat(MAX_BYTES));
        assert_eq!(read(&long).map(|_| ()), Err(ReadUrl::TooLong));
    }
}
