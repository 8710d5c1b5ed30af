//! The filters and tests of templates: pure functions whose results are bounded.
//!
//! MiniJinja's own are used only where they are linear in their input; those that can grow their input
//! (`replace`, `join`, `indent`, `split`) are written here with a bound that is checked before allocation.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use sha2::{Digest as _, Sha256};

use super::bcrypt::{DEFAULT_COST, HashPassword, PasswordHasher};
use super::context::Binary;
use super::engine::MAX_OUTPUT_BYTES;
use crate::keys::hex;
use crate::render::decode::{STANDARD, URL_SAFE};
use crate::render::pem;

/// The filters that templates may use.
pub(super) const FILTERS: &[&str] = &[
    "b64decode",
    "b64encode",
    "b64urldecode",
    "b64urlencode",
    "bcrypt",
    "default",
    "first",
    "fromjson",
    "htpasswd",
    "indent",
    "items",
    "join",
    "json",
    "last",
    "length",
    "lines",
    "lower",
    "pem",
    "pem_chain",
    "pem_leaf",
    "pem_private_key",
    "quote",
    "replace",
    "sha256",
    "split",
    "trim",
    "upper",
    "urlencode",
];

/// The filters that hash passwords.
const HASHES: [&str; 2] = ["bcrypt", "htpasswd"];

/// Whether a template names a filter that hashes passwords, be it in a text or a comment.
pub(in crate::render) fn names_hash(template: &str) -> bool {
    HASHES.iter().any(|filter| template.contains(filter))
}

/// The tests that templates may use.
pub(super) const TESTS: &[&str] = &["defined", "endingwith", "none", "startingwith", "undefined"];

/// The widest indentation.
const MAX_INDENT: usize = 64;
/// The most pieces that a text is split into.
const MAX_PIECES: usize = 10_000;

/// Why a filter refuses its input; no part of the input stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApplyFilter {
    /// A list or map where text belongs.
    #[error("a filter for text was given something else")]
    WantsText,
    /// Not base64 of the filter's alphabet.
    #[error("`{filter}` was given something that is not base64 of its alphabet")]
    NotBase64 {
        /// Which filter.
        filter: &'static str,
    },
    /// Base64 of bytes that are no text.
    #[error("`{filter}` gives bytes that are not UTF-8; use `decode` at the source instead")]
    NotText {
        /// Which filter.
        filter: &'static str,
    },
    /// Not JSON.
    #[error("`fromjson` was given something that is not JSON")]
    NotJson,
    /// A value that JSON cannot hold.
    #[error("`json` was given something that JSON cannot hold")]
    NotForJson,
    /// Not PEM.
    #[error("`{filter}` was given something that is not PEM")]
    NotPem {
        /// Which filter.
        filter: &'static str,
    },
    /// PEM without what is asked for.
    #[error("`{filter}` finds none in the PEM text that it was given")]
    NothingInPem {
        /// Which filter.
        filter: &'static str,
    },
    /// The result would be too large.
    #[error(
        "the result of `{filter}` is larger than {MAX_OUTPUT_BYTES} bytes or {MAX_PIECES} pieces"
    )]
    TooLarge {
        /// Which filter.
        filter: &'static str,
    },
    /// An indentation beyond reason.
    #[error("`indent` goes up to {MAX_INDENT}")]
    Indent,
    /// A user that the file format cannot hold.
    #[error("the user of `htpasswd` must be text without colon and control characters")]
    UserName,
    /// A password that is not hashed.
    #[error(transparent)]
    Password(#[from] HashPassword),
}

impl From<ApplyFilter> for Error {
    fn from(reason: ApplyFilter) -> Self {
        Self::new(ErrorKind::InvalidOperation, "a filter refuses its input").with_source(reason)
    }
}

/// Registers every filter and test.
pub(super) fn register(environment: &mut Environment<'_>, hasher: &Arc<PasswordHasher>) {
    register_text(environment);
    register_encodings(environment);
    register_pem(environment);
    let of = hasher.clone();
    environment.add_filter("bcrypt", move |value: &Value, options: Kwargs| {
        hash(&of, "", value, &options)
    });
    let of = hasher.clone();
    environment.add_filter(
        "htpasswd",
        move |value: &Value, user: &Value, options: Kwargs| {
            let user = user_name(user)?;
            let hash = hash(&of, &user, value, &options)?;
            Ok::<_, Error>(format!("{user}:{hash}"))
        },
    );
    environment.add_test("defined", minijinja::tests::is_defined);
    environment.add_test("undefined", minijinja::tests::is_undefined);
    environment.add_test("none", minijinja::tests::is_none);
    environment.add_test("startingwith", |value: &Value, start: &Value| {
        Ok::<_, Error>(text(value)?.starts_with(&*text(start)?))
    });
    environment.add_test("endingwith", |value: &Value, end: &Value| {
        Ok::<_, Error>(text(value)?.ends_with(&*text(end)?))
    });
}

fn register_text(environment: &mut Environment<'_>) {
    environment.add_filter("default", minijinja::filters::default);
    environment.add_filter("first", |value: &Value| {
        minijinja::filters::first(defined(value)?)
    });
    environment.add_filter("last", |value: &Value| {
        minijinja::filters::last(defined(value)?.clone())
    });
    environment.add_filter("items", |value: &Value| {
        minijinja::filters::items(defined(value)?)
    });
    environment.add_filter("length", |value: &Value| {
        minijinja::filters::length(defined(value)?)
    });
    environment.add_filter("lower", |value: &Value| {
        Ok::<_, Error>(text(value)?.to_lowercase())
    });
    environment.add_filter("upper", |value: &Value| {
        Ok::<_, Error>(text(value)?.to_uppercase())
    });
    environment.add_filter("trim", |value: &Value| {
        Ok::<_, Error>(text(value)?.trim().to_owned())
    });
    environment.add_filter("lines", |value: &Value| {
        pieces("lines", text(value)?.lines())
    });
    environment.add_filter("split", |value: &Value, separator: &Value| {
        pieces("split", text(value)?.split(&*text(separator)?))
    });
    environment.add_filter("join", join);
    environment.add_filter("replace", replace);
    environment.add_filter("indent", indent);
    environment.add_filter("quote", |value: &Value| {
        let text = text(value)?;
        room("quote", text.len() * 4)?;
        Ok::<_, Error>(format!("'{}'", text.replace('\'', r"'\''")))
    });
    environment.add_filter("urlencode", |value: &Value| {
        let text = text(value)?;
        room("urlencode", text.len() * 3)?;
        Ok::<_, Error>(percent_encoded(text.as_bytes()))
    });
}

fn register_encodings(environment: &mut Environment<'_>) {
    environment.add_filter("b64encode", |value: &Value| {
        Ok::<_, Error>(STANDARD.encode(bytes(value)?))
    });
    environment.add_filter("b64urlencode", |value: &Value| {
        Ok::<_, Error>(URL_SAFE.encode(bytes(value)?))
    });
    environment.add_filter("b64decode", |value: &Value| {
        decoded("b64decode", &STANDARD, value)
    });
    environment.add_filter("b64urldecode", |value: &Value| {
        decoded("b64urldecode", &URL_SAFE, value)
    });
    environment.add_filter("sha256", |value: &Value| {
        Ok::<_, Error>(hex(&Sha256::digest(bytes(value)?)))
    });
    environment.add_filter("json", |value: &Value| {
        serde_json::to_string(defined(value)?).map_err(|_| Error::from(ApplyFilter::NotForJson))
    });
    environment.add_filter("fromjson", |value: &Value| {
        serde_json::from_str::<Value>(&text(value)?).map_err(|_| Error::from(ApplyFilter::NotJson))
    });
}

fn register_pem(environment: &mut Environment<'_>) {
    environment.add_filter("pem", |value: &Value, label: &Value| {
        let label = text(label)?;
        pem_blocks("pem", value, |found| found == label)
    });
    environment.add_filter("pem_leaf", |value: &Value| {
        let mut blocks = pem_blocks("pem_leaf", value, pem::is_certificate)?.into_iter();
        blocks.next().ok_or_else(|| nothing_in_pem("pem_leaf"))
    });
    environment.add_filter("pem_chain", |value: &Value| {
        let blocks = pem_blocks("pem_chain", value, pem::is_certificate)?;
        match blocks.split_first() {
            Some((_, chain)) => Ok(chain.concat()),
            None => Err(nothing_in_pem("pem_chain")),
        }
    });
    environment.add_filter("pem_private_key", |value: &Value| {
        let mut blocks = pem_blocks("pem_private_key", value, pem::is_private_key)?.into_iter();
        blocks
            .next()
            .ok_or_else(|| nothing_in_pem("pem_private_key"))
    });
}

fn nothing_in_pem(filter: &'static str) -> Error {
    ApplyFilter::NothingInPem { filter }.into()
}

fn pem_blocks(
    filter: &'static str,
    value: &Value,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<String>, Error> {
    let text = text(value)?;
    let blocks = pem::read(&text).map_err(|_| ApplyFilter::NotPem { filter })?;
    let blocks = blocks.iter().filter(|block| wanted(block.label));
    Ok(blocks.map(pem::Block::text).collect())
}

fn defined(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() {
        Err(ErrorKind::UndefinedError.into())
    } else {
        Ok(value)
    }
}

/// A value as text: strings, numbers, booleans.
fn text(value: &Value) -> Result<Cow<'_, str>, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Cow::Borrowed(text));
    }
    if let Some(binary) = value.downcast_object_ref::<Binary>() {
        binary.used_as_text();
        return Err(ApplyFilter::WantsText.into());
    }
    match defined(value)?.kind() {
        ValueKind::Bool | ValueKind::Number => Ok(Cow::Owned(value.to_string())),
        _ => Err(ApplyFilter::WantsText.into()),
    }
}

/// A value as bytes: text, and values that are no text.
fn bytes(value: &Value) -> Result<Cow<'_, [u8]>, Error> {
    if let Some(binary) = value.downcast_object_ref::<Binary>() {
        return Ok(Cow::Borrowed(binary.bytes()));
    }
    Ok(match text(value)? {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// Refuses a result that could be larger than a template's output may be.
fn room(filter: &'static str, bytes: usize) -> Result<(), ApplyFilter> {
    if bytes > MAX_OUTPUT_BYTES {
        return Err(ApplyFilter::TooLarge { filter });
    }
    Ok(())
}

fn pieces<'a>(
    filter: &'static str,
    pieces: impl Iterator<Item = &'a str>,
) -> Result<Vec<Value>, Error> {
    let list: Vec<Value> = pieces.take(MAX_PIECES + 1).map(Value::from).collect();
    if list.len() > MAX_PIECES {
        return Err(ApplyFilter::TooLarge { filter }.into());
    }
    Ok(list)
}

fn join(value: &Value, separator: Option<&Value>) -> Result<String, Error> {
    let separator = separator.map(text).transpose()?.unwrap_or_default();
    let mut joined = String::new();
    for (at, item) in defined(value)?.try_iter()?.enumerate() {
        let item = text(&item)?;
        room("join", joined.len() + separator.len() + item.len())?;
        if at > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&item);
    }
    Ok(joined)
}

fn replace(value: &Value, old: &Value, new: &Value) -> Result<String, Error> {
    let (value, old, new) = (text(value)?, text(old)?, text(new)?);
    let found = value.matches(&*old).count();
    room("replace", value.len() + found.saturating_mul(new.len()))?;
    Ok(value.replace(&*old, &new))
}

/// Puts blanks before every line but the first and empty ones.
fn indent(value: &Value, width: Option<usize>) -> Result<String, Error> {
    let width = width.unwrap_or(4);
    if width > MAX_INDENT {
        return Err(ApplyFilter::Indent.into());
    }
    let value = text(value)?;
    let lines = value.matches('\n').count();
    room("indent", value.len() + lines * width)?;
    let blanks = " ".repeat(width);
    let mut text = String::with_capacity(value.len() + lines * width);
    for (at, line) in value.split_inclusive('\n').enumerate() {
        if at > 0 && !line.trim_end_matches(['\r', '\n']).is_empty() {
            text.push_str(&blanks);
        }
        text.push_str(line);
    }
    Ok(text)
}

fn percent_encoded(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or('0');
    let mut text = String::with_capacity(bytes.len() * 3);
    for &byte in bytes {
        // The unreserved characters of RFC 3986 §2.3.
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    text
}

fn decoded(
    filter: &'static str,
    engine: &base64::engine::GeneralPurpose,
    value: &Value,
) -> Result<String, Error> {
    let text = text(value)?;
    let bytes = engine
        .decode(text.trim_ascii())
        .map_err(|_| ApplyFilter::NotBase64 { filter })?;
    String::from_utf8(bytes).map_err(|_| ApplyFilter::NotText { filter }.into())
}

fn hash(
    hasher: &PasswordHasher,
    user: &str,
    password: &Value,
    options: &Kwargs,
) -> Result<String, Error> {
    let cost = options.get::<Option<u32>>("cost")?.unwrap_or(DEFAULT_COST);
    options.assert_all_used()?;
    let hash = hasher
        .hash(user, &bytes(password)?, cost)
        .map_err(ApplyFilter::from)?;
    Ok(hash)
}

fn user_name(user: &Value) -> Result<Cow<'_, str>, Error> {
    let user = text(user)?;
    if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
        return Err(ApplyFilter::UserName.into());
    }
    Ok(user)
}
