//! `spec.validate[]`.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::bytes::RegexBuilder as BytesRegexBuilder;
use sha2::{Digest as _, Sha256};

use super::patterns::pattern;
use super::problems::Problems;
use super::words::{duration, member, unique};
use crate::api::defaults;
use crate::api::secret_sync::SecretSyncSpec;
use crate::api::shared::MaskedText;
use crate::api::then::HttpMethod;
use crate::api::validate::{
    ConnectCheck, HttpCheck, JsonExpectation, JwtCheck, LengthCheck, Validation,
    Validator as ApiValidator,
};
use crate::keys::hex;
use crate::names::Key;
use crate::sync::RulesDigest;
use crate::validate::{
    Check, ExpectedJson, HttpRequest, LocalCheck, RemoteCheck, TokenExpectation, Validator,
};

/// The longest that one try may take: the sync waits for it.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(1);
/// The shortest that one try may take.
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);
/// The shortest pause between two checks of a value in use.
const LEAST_EVERY: Duration = Duration::from_secs(10);

/// Checks the validators.
pub(super) fn validators(problems: &mut Problems, list: &[ApiValidator]) -> Vec<Validator> {
    let names = list.iter().map(|validator| validator.name.as_str());
    unique(problems, names, |at| format!("spec.validate[{at}].name"));
    let listed = list.iter().enumerate();
    listed
        .filter_map(|(at, one)| validator(problems, &format!("spec.validate[{at}]"), one))
        .collect()
}

/// Names the rules of a spec that verdicts depend on.
pub(super) fn rules(spec: &SecretSyncSpec) -> RulesDigest {
    // Structs of the API always serialise.
    let text = serde_json::to_vec(&(&spec.validate, &spec.rollout)).unwrap_or_default();
    RulesDigest(hex(&Sha256::digest(text)))
}

fn validator(problems: &mut Problems, field: &str, validator: &ApiValidator) -> Option<Validator> {
    let check = check(problems, field, validator);
    let key = if let Some(key) = &validator.key {
        problems.name(&format!("{field}.key"), Key::new(key.as_str()))
    } else {
        let message = "name the key whose value is checked";
        problems.invalid(format!("{field}.key"), message);
        None
    };
    let timeout = duration(
        problems,
        &format!("{field}.timeout"),
        validator.timeout.as_ref(),
        (defaults::CHECK_TIMEOUT, LEAST_TIMEOUT),
    );
    if timeout > LONGEST_TIMEOUT {
        let message = format!("is longer than {} s", LONGEST_TIMEOUT.as_secs());
        problems.invalid(format!("{field}.timeout"), message);
    }
    let every = validator.every.as_ref().map(|every| {
        let bounds = (LEAST_EVERY, LEAST_EVERY);
        duration(problems, &format!("{field}.every"), Some(every), bounds)
    });
    Some(Validator {
        name: validator.name.clone(),
        key: key?,
        check: check?,
        every,
        timeout,
    })
}

fn check(problems: &mut Problems, field: &str, validator: &ApiValidator) -> Option<Check> {
    let unsupported = |problems: &mut Problems, name: &str| {
        let hint = "Leave it out: it would not be checked";
        problems.unsupported(format!("{field}.{name}"), hint);
        None
    };
    let local = |check: LocalCheck| Some(Check::Here(check));
    match validator.variant() {
        Ok(Validation::Matching(text)) => {
            let field = format!("{field}.matching");
            matching(problems, &field, text).and_then(local)
        }
        Ok(Validation::Length(bounds)) => length(problems, field, bounds).and_then(local),
        Ok(Validation::Entropy(entropy)) => local(LocalCheck::Entropy {
            min_bits: entropy.min_bits,
        }),
        Ok(Validation::Jwt(expected)) => local(token(problems, field, expected)),
        Ok(Validation::Http(request)) => {
            let request = http(problems, &format!("{field}.http"), request)?;
            Some(Check::Elsewhere(RemoteCheck::Http(request)))
        }
        Ok(Validation::Connect(connect)) => {
            connection(problems, field, connect).map(Check::Elsewhere)
        }
        Ok(Validation::JsonSchema(_)) => unsupported(problems, "jsonSchema"),
        Ok(Validation::Certificate(_)) => unsupported(problems, "certificate"),
        Ok(Validation::Postgres(_)) => unsupported(problems, "postgres"),
        Ok(Validation::Mysql(_)) => unsupported(problems, "mysql"),
        Ok(Validation::Redis(_)) => unsupported(problems, "redis"),
        Ok(Validation::Expression(_)) => unsupported(problems, "expression"),
        Err(error) => {
            problems.invalid(field, error.to_string());
            None
        }
    }
}

/// A value may be any bytes, so the pattern that was checked as one for text is compiled for bytes.
fn matching(problems: &mut Problems, field: &str, text: &str) -> Option<LocalCheck> {
    let checked = pattern(problems, field, text)?;
    let size = 2 * 256 * 1024;
    let compiled = BytesRegexBuilder::new(checked.as_str())
        .size_limit(size)
        .dfa_size_limit(size)
        .build();
    if compiled.is_err() {
        problems.invalid(field, "is too complex");
    }
    compiled.ok().map(LocalCheck::Matching)
}

fn length(problems: &mut Problems, field: &str, bounds: &LengthCheck) -> Option<LocalCheck> {
    if bounds.min.is_none() && bounds.max.is_none() {
        let message = "has no bound: set min or max";
        problems.invalid(format!("{field}.length"), message);
        return None;
    }
    let size = |bound: u32| usize::try_from(bound).unwrap_or(usize::MAX);
    let (min, max) = (
        bounds.min.map_or(0, size),
        bounds.max.map_or(usize::MAX, size),
    );
    if min > max {
        problems.invalid(format!("{field}.length"), "min is above max");
        return None;
    }
    Some(LocalCheck::Length { min, max })
}

fn token(problems: &mut Problems, field: &str, expected: &JwtCheck) -> LocalCheck {
    LocalCheck::Token(TokenExpectation {
        issuer: expected.issuer.clone(),
        audience: expected.audience.clone(),
        min_validity: duration(
            problems,
            &format!("{field}.jwt.minValidity"),
            expected.min_validity.as_ref(),
            (Duration::ZERO, Duration::ZERO),
        ),
    })
}

fn http(problems: &mut Problems, field: &str, request: &HttpCheck) -> Option<HttpRequest> {
    let url = &request.url;
    if url.contains("{{") {
        problems.invalid_hint(
            format!("{field}.url"),
            "holds `{{`: a value never goes into an address, where logs would keep it",
            "Put `{{ value }}` into a header or the body",
        );
        return None;
    }
    if !is_web_address(url) {
        problems.invalid(format!("{field}.url"), "is no address of the web");
        return None;
    }
    let method = request.method.unwrap_or(HttpMethod::Get);
    if method == HttpMethod::Get && request.body.is_some() {
        problems.invalid(format!("{field}.body"), "a GET has no body: set method");
    }
    let headers = headers(problems, field, &request.header);
    if let Some(body) = &request.body {
        placeholders(problems, &format!("{field}.body"), body);
    }
    let expect_json = expected(problems, field, &request.expect_json);
    Some(HttpRequest {
        url: url.clone(),
        method,
        headers,
        body: request.body.clone(),
        expect_status: request.expect_status.clone(),
        expect_json,
    })
}

fn headers(
    problems: &mut Problems,
    field: &str,
    written: &BTreeMap<String, MaskedText>,
) -> BTreeMap<String, MaskedText> {
    let mut headers = BTreeMap::new();
    for (name, value) in written {
        let field = member(&format!("{field}.header"), name);
        if !is_header_name(name) {
            problems.invalid(field, "is no name of a header");
        } else if is_ours(name) {
            problems.invalid(field, "is set by the request itself: leave it out");
        } else if placeholders(problems, &field, value) {
            headers.insert(name.to_ascii_lowercase(), value.clone());
        }
    }
    headers
}

fn expected(
    problems: &mut Problems,
    field: &str,
    written: &[JsonExpectation],
) -> Vec<ExpectedJson> {
    let listed = written.iter().enumerate();
    let read = listed.filter_map(|(at, expected)| {
        let field = format!("{field}.expectJson[{at}]");
        if !expected.pointer.is_empty() && !expected.pointer.starts_with('/') {
            problems.invalid(format!("{field}.pointer"), "does not start with `/`");
        }
        let matching = match &expected.matching {
            None => None,
            Some(text) => Some(pattern(problems, &format!("{field}.matching"), text)?),
        };
        Some(ExpectedJson {
            pointer: expected.pointer.clone(),
            matching,
        })
    });
    read.collect()
}

/// A scheme of the web and a host, without a login; the adapter judges the rest.
pub(super) fn is_web_address(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@'))
        && !url.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// RFC 9110 §5.6.2.
pub(super) fn is_header_name(name: &str) -> bool {
    let special = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || special(byte))
}

/// Headers that say how a request is made, not what it asks.
pub(super) fn is_ours(name: &str) -> bool {
    const OURS: [&str; 8] = [
        "host",
        "content-length",
        "connection",
        "transfer-encoding",
        "upgrade",
        "te",
        "trailer",
        "accept-encoding",
    ];
    OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
        || name.to_ascii_lowercase().starts_with("proxy-")
}

/// `{{ value }}` is all that is replaced.
fn placeholders(problems: &mut Problems, field: &str, text: &MaskedText) -> bool {
    let mut rest = text.expose();
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((inside, behind)) = after.split_once("}}") else {
            problems.invalid(field, "opens `{{` and does not close it");
            return false;
        };
        if inside.trim() != "value" {
            problems.invalid(field, "only `{{ value }}` is replaced there");
            return false;
        }
        rest = behind;
    }
    true
}

fn connection(problems: &mut Problems, field: &str, connect: &ConnectCheck) -> Option<RemoteCheck> {
    if let Some(address) = &connect.address
        && !is_host_and_port(address)
    {
        let message = "must be `host:port`";
        problems.invalid(format!("{field}.connect.address"), message);
        return None;
    }
    Some(RemoteCheck::Connect {
        address: connect.address.clone(),
        tls: connect.tls.unwrap_or_default(),
    })
}

fn is_host_and_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        !host.is_empty()
            && host.bytes().all(plain)
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}
