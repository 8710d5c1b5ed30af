//! PEM text (RFC 7468, and the headers of RFC 1421 that encrypted keys carry), block by block.

use base64::Engine as _;
use zeroize::Zeroizing;

use super::decode::STANDARD;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The text is not a row of well-formed PEM blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not PEM")]
pub(super) struct ReadPem;

/// One block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// What stands between `BEGIN` and the dashes: `CERTIFICATE`, `PRIVATE KEY`, …
    pub(super) label: &'a str,
    lines: Vec<&'a str>,
}

impl Block<'_> {
    /// The block as text, each line ended by `\n`.
    pub(super) fn text(&self) -> String {
        let lines: String = self.lines.iter().flat_map(|line| [line, "\n"]).collect();
        let label = self.label;
        format!("{BEGIN}{label}{DASHES}\n{lines}{END}{label}{DASHES}\n")
    }

    /// The bytes that the base64 lines stand for.
    pub(super) fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, ReadPem> {
        let body: Zeroizing<String> = Zeroizing::new(self.body().collect());
        let bytes = STANDARD.decode(body.as_bytes()).map_err(|_| ReadPem)?;
        Ok(Zeroizing::new(bytes))
    }

    /// Lines after the headers of RFC 1421, which a blank line ends.
    fn body(&self) -> impl Iterator<Item = &str> {
        let headers = match self.lines.iter().position(|line| line.contains(':')) {
            Some(_) => self
                .lines
                .iter()
                .position(|line| line.is_empty())
                .map_or(self.lines.len(), |blank| blank + 1),
            None => 0,
        };
        self.lines.iter().skip(headers).copied()
    }
}

/// Whether a block of this label is a private key of any kind.
pub(super) fn is_private_key(label: &str) -> bool {
    label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY")
}

/// Whether a block of this label is an X.509 certificate.
pub(super) fn is_certificate(label: &str) -> bool {
    matches!(label, "CERTIFICATE" | "X509 CERTIFICATE")
}

/// Every block of `text`, in order. Text between blocks means nothing (tools write subjects there); a block
/// that is not closed, empty or not base64 makes the whole no PEM.
pub(super) fn read(text: &str) -> Result<Vec<Block<'_>>, ReadPem> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in text.lines().map(str::trim) {
        match (&mut open, marker(line, BEGIN), marker(line, END)) {
            (None, Some(label), _) => {
                open = Some(Block {
                    label,
                    lines: Vec::new(),
                });
            }
            (None, None, None) => {}
            (Some(block), None, Some(label)) if label == block.label => blocks.extend(open.take()),
            (Some(block), None, None) => block.lines.push(line),
            _ => return Err(ReadPem),
        }
    }
    if open.is_some() {
        return Err(ReadPem);
    }
    for block in &blocks {
        if block.bytes()?.is_empty() {
            return Err(ReadPem);
        }
    }
    Ok(blocks)
}

fn marker<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.strip_prefix(mark)?
        .strip_suffix(DASHES)
        .filter(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_in_order_with_text_between_them() {
        let text = "subject=x\r\n-----BEGIN CERTIFICATE-----\r\nAQID\r\n-----END CERTIFICATE-----\r\n\n\
                    issuer\n  -----BEGIN EC PRIVATE KEY-----\nBAUG\n-----END EC PRIVATE KEY-----";
        let blocks = read(text).unwrap();
        assert_eq!(blocks.len(), 2);
        assert!(is_certificate(blocks[0].label) && is_private_key(blocks[1].label));
        assert_eq!(
            blocks[0].text(),
            "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n"
        );
        assert_eq!(*blocks[1].bytes().unwrap(), [4, 5, 6]);
    }

    #[test]
    fn headers_of_encrypted_keys_are_no_base64() {
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nAQID\n\
                    -----END RSA PRIVATE KEY-----\n";
        let blocks = read(text).unwrap();
        assert_eq!(*blocks[0].bytes().unwrap(), [1, 2, 3]);
        assert_eq!(blocks[0].text(), text);
    }

    #[test]
    fn what_is_not_pem_is_refused() {
        for text in [
            "-----BEGIN A-----\nAQID\n",
            "-----BEGIN A-----\nAQID\n-----END B-----",
            "-----BEGIN A-----\n-----BEGIN A-----\nAQID\n-----END A-----",
            "-----END A-----",
            "-----BEGIN A-----\nhunter2!\n-----END A-----",
            "-----BEGIN A-----\n-----END A-----",
        ] {
            assert_eq!(read(text), Err(ReadPem), "{text}");
        }
        assert_eq!(read("nothing at all"), Ok(Vec::new()));
    }
}
