//! The last net under the log: what looks like a credential is masked on its way out.
//!
//! Nothing relies on it. Values live in types that cannot be printed; this catches what a dependency, or a
//! mistake, lets through, by the shapes that credentials have in the field.

use std::borrow::Cow;

/// What stands for a masked text.
pub const MASK: &[u8] = b"***";

/// A credential that begins with a fixed text and goes on with token characters.
struct Shape {
    /// How it begins; it stays readable.
    opening: &'static [u8],
    /// How many token characters must follow before it counts.
    at_least: usize,
}

/// Openings as their makers document them: Vault and OpenBao tokens, HTTP authorization, JSON web tokens,
/// GitHub, AWS, Slack, Google, Stripe, OpenAI and Anthropic keys.
const SHAPES: &[Shape] = &[
    shape(b"hvs.", 8),
    shape(b"hvb.", 8),
    shape(b"hvr.", 8),
    shape(b"sbp_", 16),
    shape(b"Bearer ", 16),
    shape(b"bearer ", 16),
    shape(b"Basic ", 16),
    shape(b"X-Vault-Token: ", 4),
    shape(b"eyJ", 16),
    shape(b"ghp_", 16),
    shape(b"gho_", 16),
    shape(b"ghs_", 16),
    shape(b"github_pat_", 16),
    shape(b"AKIA", 16),
    shape(b"ASIA", 16),
    shape(b"xoxb-", 8),
    shape(b"xoxp-", 8),
    shape(b"AIza", 16),
    shape(b"sk_live_", 8),
    shape(b"sk-", 20),
    shape(b"dp.st.", 8),
    shape(b"FlyV1 ", 16),
];

const fn shape(opening: &'static [u8], at_least: usize) -> Shape {
    Shape { opening, at_least }
}

const KEY_OPENING: &[u8] = b"-----BEGIN ";
const KEY_MARK: &[u8] = b"PRIVATE KEY";
const KEY_CLOSING: &[u8] = b"-----END ";

/// `line` with everything masked that looks like a credential. Borrowed when there is nothing to mask.
pub fn redact(line: &[u8]) -> Cow<'_, [u8]> {
    let mut clean: Option<Vec<u8>> = None;
    let mut position = 0;
    while let Some(rest) = line.get(position..).filter(|rest| !rest.is_empty()) {
        if let Some((keep, skip)) = credential_at(rest, position == 0 || !is_word(line, position)) {
            let out = clean.get_or_insert_with(|| line.iter().copied().take(position).collect());
            out.extend(rest.iter().take(keep));
            out.extend_from_slice(MASK);
            position += keep + skip;
        } else {
            if let (Some(out), Some(byte)) = (clean.as_mut(), rest.first()) {
                out.push(*byte);
            }
            position += 1;
        }
    }
    clean.map_or(Cow::Borrowed(line), Cow::Owned)
}

/// Whether the byte before `position` belongs to a word, so that no word begins here.
fn is_word(line: &[u8], position: usize) -> bool {
    position
        .checked_sub(1)
        .and_then(|before| line.get(before))
        .is_some_and(u8::is_ascii_alphanumeric)
}

/// If a credential begins here: how many bytes stay readable, and how many after them do not.
fn credential_at(rest: &[u8], word_begins: bool) -> Option<(usize, usize)> {
    match rest.first()? {
        b':' => user_information(rest),
        b'-' => private_key(rest),
        _ if word_begins => SHAPES.iter().find_map(|shape| {
            let after = rest.strip_prefix(shape.opening)?;
            let length = after.iter().take_while(|byte| is_token(**byte)).count();
            (length >= shape.at_least).then_some((shape.opening.len(), length))
        }),
        _ => None,
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

/// `://user:password@`
fn user_information(rest: &[u8]) -> Option<(usize, usize)> {
    const OPENING: &[u8] = b"://";
    const LONGEST: usize = 512;
    let after = rest.strip_prefix(OPENING)?;
    let ends = |byte: &u8| b"/?# \t\n\"'<>\\".contains(byte);
    let length = after
        .iter()
        .take(LONGEST)
        .take_while(|byte| !ends(byte))
        .count();
    let authority = after.get(..length)?;
    let at = authority.iter().rposition(|byte| *byte == b'@')?;
    let user = authority.get(..at)?;
    let colon = user.iter().position(|byte| *byte == b':')?;
    let password = at - colon - 1;
    (password > 0).then_some((OPENING.len() + colon + 1, password))
}

/// A PEM block of a private key, up to its end or the end of the line.
fn private_key(rest: &[u8]) -> Option<(usize, usize)> {
    const TITLE: usize = 40;
    let after = rest.strip_prefix(KEY_OPENING)?;
    let title = after.get(..after.len().min(TITLE))?;
    let mark = find(title, KEY_MARK)?;
    let keep = KEY_OPENING.len() + mark + KEY_MARK.len();
    let body = rest.get(keep..)?;
    Some((keep, find(body, KEY_CLOSING).unwrap_or(body.len())))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(line: &str) -> String {
        String::from_utf8(redact(line.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn credentials_of_known_shapes_are_masked() {
        for (line, clean) in [
            (
                "token hvs.CAESIJabcdef is refused",
                "token hvs.*** is refused",
            ),
            (
                "Authorization: Bearer abc.def-1234567890",
                "Authorization: Bearer ***",
            ),
            ("jwt=eyJhbGciOiJIUzI1NiJ9.e30.sig, next", "jwt=eyJ***, next"),
            (
                "postgres://app:hunter2@db:5432/x?y=1",
                "postgres://app:***@db:5432/x?y=1",
            ),
            (
                "https://a:b@c@host/ and https://d:e@host",
                "https://a:***@host/ and https://d:***@host",
            ),
            (
                "key -----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY----- end",
                "key -----BEGIN RSA PRIVATE KEY***-----END RSA PRIVATE KEY----- end",
            ),
            (
                "cut -----BEGIN PRIVATE KEY-----\\nMIIE",
                "cut -----BEGIN PRIVATE KEY***",
            ),
            ("id AKIAIOSFODNN7EXAMPLE", "id AKIA***"),
        ] {
            assert_eq!(redacted(line), clean);
        }
    }

    #[test]
    fn ordinary_lines_pass_untouched() {
        for line in [
            "",
            "SecretSync prod/panbot: 3 keys written, revision 1a2b3c4d-00ff00ff00ff00ff",
            "GET https://vault.example.com:8200/v1/secret/data/app failed",
            "task-force and risk-averse are words, and so is Basic authentication",
            "see https://user@example.com/",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        ] {
            assert!(
                matches!(redact(line.as_bytes()), Cow::Borrowed(_)),
                "{line} became {}",
                redacted(line)
            );
        }
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        let line = [0xff, 0xfe, b':', b'/', 0x00];
        assert_eq!(redact(&line).as_ref(), &line);
    }
}
