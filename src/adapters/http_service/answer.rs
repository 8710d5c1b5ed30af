//! What an answer means: pure decisions over status and body.

use std::collections::BTreeSet;

use penstock_domain::api::http::HttpProvider;
use penstock_domain::bundle::SourceEntry;
use penstock_domain::render::{DocumentPart, TakeApart, take_apart};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;

use crate::asking::Refusal;
use crate::http::json;
use crate::settings::ReadSettings;

/// The answer of a service that has nothing at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotFound {
    status: u16,
    property: DocumentPart,
    equals: String,
}

impl NotFound {
    /// What the spec says.
    pub(super) fn of(provider: &HttpProvider) -> Result<Option<Self>, ReadSettings> {
        let Some(told) = &provider.not_found else {
            return Ok(None);
        };
        let wrong = |message: &str| ReadSettings::field("notFound", message);
        if told.property.is_empty() {
            return Err(wrong("names no `property`, such as `error.code`"));
        }
        let property = DocumentPart::parse(&told.property)
            .map_err(|problem| wrong(&format!("has a `property` that {problem}")))?;
        let status = u16::try_from(told.status.unwrap_or(404));
        Ok(Some(Self {
            status: status.map_err(|_| wrong("has a status that is none"))?,
            property,
            equals: told.equals.clone(),
        }))
    }

    fn is(&self, status: u16, body: &[u8]) -> bool {
        if status != self.status || json::check_depth(body).is_err() {
            return false;
        }
        let found = take_apart(&SecretValue::new(body), &self.property);
        found.is_ok_and(|members| match members.as_slice() {
            [(None, value)] => value.expose() == self.equals.as_bytes(),
            _ => false,
        })
    }
}

/// The body of a good answer.
pub(super) fn good<'a>(
    status: u16,
    body: &'a [u8],
    not_found: Option<&NotFound>,
) -> Result<&'a [u8], Refusal> {
    if not_found.is_some_and(|not_found| not_found.is(status, body)) {
        return Err(Refusal::Missing);
    }
    match status {
        200 => Ok(body),
        401 => Err(Refusal::Credential),
        403 => Err(Refusal::Denied),
        400 | 405 | 406 | 413..=415 | 422 => Err(Refusal::Request),
        429 => Err(Refusal::Throttled(None)),
        500..=599 => Err(Refusal::Stumbled(status)),
        _ => Err(Refusal::Unbelievable(status)),
    }
}

/// What is wanted of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) path: &'a RemotePath,
    /// As [`DocumentPart::parse`] reads it.
    pub(super) result: &'a str,
    pub(super) raw: bool,
}

impl Wanted<'_> {
    /// The entries of a good answer.
    pub(super) fn entries(self, body: &[u8]) -> Result<Vec<SourceEntry>, Refusal> {
        if self.raw {
            return Ok(vec![self.single(SecretValue::new(body))]);
        }
        if body.trim_ascii_start().starts_with(b"<") || body.trim_ascii().is_empty() {
            // A page to log in, or nothing: whoever stands between says so with any status.
            return Err(Refusal::Unbelievable(200));
        }
        json::check_depth(body).map_err(|_| Refusal::Form("is nested too deep"))?;
        let part = DocumentPart::parse(self.result)
            .map_err(|_| Refusal::Form("has no part that options.http.result could name"))?;
        let members = take_apart(&SecretValue::new(body), &part);
        let members = members.map_err(|problem| match problem {
            TakeApart::NotJson => Refusal::Unbelievable(200),
            TakeApart::Nothing => Refusal::NoPart(format!("part `{}`", self.result)),
            TakeApart::Several => {
                Refusal::Form("has several parts where options.http.result leads: narrow it to one")
            }
            TakeApart::NotObject => {
                Refusal::Form("is no object: name the part with the entries in options.http.result")
            }
            TakeApart::TooMany => Refusal::Form("has more members than a bundle may have keys"),
        })?;
        let entry = |(name, value): (Option<String>, SecretValue)| match name {
            Some(name) => SourceEntry {
                name,
                path: self.path.to_text(),
                tags: BTreeSet::new(),
                version: None,
                value,
            },
            None => self.single(value),
        };
        let mut entries: Vec<SourceEntry> = members.into_iter().map(entry).collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    /// One entry, named like the last part of the path.
    fn single(self, value: SecretValue) -> SourceEntry {
        let (name, parent) = match self.path.segments().split_last() {
            Some((name, parent)) => (name.clone(), parent.join("/")),
            None => ("value".to_owned(), String::new()),
        };
        SourceEntry {
            name,
            path: parent,
            tags: BTreeSet::new(),
            version: None,
            value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_found() -> NotFound {
        NotFound {
            status: 404,
            property: DocumentPart::parse("error.code").unwrap(),
            equals: "NO_SUCH_KEY".to_owned(),
        }
    }

    #[test]
    fn nothing_is_there_only_in_the_shape_that_the_store_names() {
        let shape = not_found();
        let named = br#"{"error":{"code":"NO_SUCH_KEY"}}"#;
        assert_eq!(good(404, named, Some(&shape)), Err(Refusal::Missing));
        assert_eq!(good(404, named, None), Err(Refusal::Unbelievable(404)));
        for (status, body) in [
            (404, &b""[..]),
            (404, b"<html>"),
            (404, br#"{"error":{"code":"OTHER"}}"#),
            (404, br#"{"error":{"code":{"NO_SUCH_KEY":1}}}"#),
            (404, br#"["NO_SUCH_KEY"]"#),
            (410, named),
        ] {
            let refusal = Refusal::Unbelievable(status);
            assert_eq!(good(status, body, Some(&shape)), Err(refusal), "{status}");
        }
        let graphql = NotFound {
            status: 200,
            ..not_found()
        };
        assert_eq!(good(200, named, Some(&graphql)), Err(Refusal::Missing));
        assert!(good(200, b"{}", Some(&graphql)).is_ok());
    }

    #[test]
    fn every_status_has_its_meaning() {
        for (status, refusal) in [
            (204, Refusal::Unbelievable(204)),
            (301, Refusal::Unbelievable(301)),
            (400, Refusal::Request),
            (401, Refusal::Credential),
            (403, Refusal::Denied),
            (404, Refusal::Unbelievable(404)),
            (422, Refusal::Request),
            (429, Refusal::Throttled(None)),
            (503, Refusal::Stumbled(503)),
        ] {
            assert_eq!(good(status, b"{}", None), Err(refusal), "{status}");
        }
    }

    fn entries(body: &[u8], result: &str) -> Result<Vec<String>, Refusal> {
        let path = RemotePath::parse("apps/shop").unwrap();
        let wanted = Wanted {
            path: &path,
            result,
            raw: false,
        };
        let line = |entry: SourceEntry| {
            let value = entry.value.expose_text().unwrap().to_owned();
            format!("{} {}={value}", entry.path, entry.name)
        };
        wanted
            .entries(body)
            .map(|entries| entries.into_iter().map(line).collect())
    }

    #[test]
    fn an_object_gives_its_members_and_anything_else_one_value() {
        let body = br#"{"data":{"b":1.50,"a":"x\n","n":null},"list":["p","q"]}"#;
        assert_eq!(
            entries(body, "data").unwrap(),
            ["apps/shop a=x\n", "apps/shop b=1.50", "apps/shop n=null"]
        );
        for second in ["list.1", "$.list[1]", "$['list'][?@ == 'q']"] {
            assert_eq!(entries(body, second).unwrap(), ["apps shop=q"], "{second}");
        }
        assert_eq!(
            entries(body, "$.data").unwrap(),
            entries(body, "data").unwrap()
        );
        assert!(matches!(
            entries(body, "$.list[*]"),
            Err(Refusal::Form(message)) if message.contains("several")
        ));
        assert_eq!(
            entries(body, "data.c"),
            Err(Refusal::NoPart("part `data.c`".to_owned()))
        );
        assert_eq!(entries(b"{}", ""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_document_is_not_believed() {
        for body in [
            "",
            " ",
            "<html>",
            "{\"a\":",
            "{\"a\":1}{",
            "{\"a\":1,\"a\":2}",
        ] {
            let refusal = entries(body.as_bytes(), "");
            assert_eq!(refusal, Err(Refusal::Unbelievable(200)), "{body}");
        }
        for body in ["[1]", "\"x\"", "1"] {
            let refusal = entries(body.as_bytes(), "");
            assert!(matches!(refusal, Err(Refusal::Form(_))), "{body}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        assert!(entries(deep.as_bytes(), "").is_err());
    }

    #[test]
    fn a_raw_answer_is_one_entry_byte_for_byte() {
        let path = RemotePath::parse("certs/ca.pem").unwrap();
        let wanted = Wanted {
            path: &path,
            result: "",
            raw: true,
        };
        let entries = wanted.entries(b"\xff\0\n").unwrap();
        assert_eq!(entries[0].name, "ca.pem");
        assert_eq!(entries[0].path, "certs");
        assert_eq!(entries[0].value.expose(), b"\xff\0\n");
    }
}
