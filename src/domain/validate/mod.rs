//! `spec.validate`: what a value must pass before anything is written. What a validator can judge by itself is
//! judged here, purely; what another system must be asked goes through [`crate::ports::Validators`].
//!
//! | verdict | what follows |
//! |---|---|
//! | passed | the candidate may be written |
//! | failed | the candidate is rejected, and stays so, also when the sources come back to it |
//! | inconclusive | nothing is written; it is asked again, with growing pauses, for as long as it takes |

mod entropy;
mod token;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use regex::bytes::Regex as BytesRegex;

pub use self::token::TokenExpectation;
use crate::api::shared::MaskedText;
use crate::api::then::HttpMethod;
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::names::Key;
use crate::secret::SecretValue;

/// One validator, checked.
#[derive(Debug, Clone)]
pub struct Validator {
    /// Its name, for conditions.
    pub name: String,
    /// The key whose value is judged. One that the bundle does not have is not judged: `require` and
    /// `transform.optional` say what may be absent.
    pub key: Key,
    /// What is judged.
    pub check: Check,
    /// How often the value in use is judged again.
    pub every: Option<Duration>,
    /// How long one try may take.
    pub timeout: Duration,
}

/// What is judged.
#[derive(Debug, Clone)]
pub enum Check {
    /// By looking at the value.
    Here(LocalCheck),
    /// By asking another system.
    Elsewhere(RemoteCheck),
}

/// A check that needs nothing but the value and the time.
#[derive(Debug, Clone)]
pub enum LocalCheck {
    /// A pattern that must be found in it.
    Matching(BytesRegex),
    /// Bounds of its length in bytes.
    Length {
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
    },
    /// Fewest bits of guessing effort.
    Entropy {
        /// Bits.
        min_bits: u32,
    },
    /// A JSON web token.
    Token(TokenExpectation),
}

/// A check that another system decides.
#[derive(Debug, Clone, PartialEq)]
pub enum RemoteCheck {
    /// A request made with the value.
    Http(HttpRequest),
    /// A connection.
    Connect {
        /// `host:port`; none where the value is that.
        address: Option<String>,
        /// Whether a TLS handshake must succeed, too.
        tls: bool,
    },
}

/// A request made with the value under test in the place of `{{ value }}`.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRequest {
    /// Its address, which never holds the value.
    pub url: String,
    /// Its method.
    pub method: HttpMethod,
    /// Its headers, names in lower case.
    pub headers: BTreeMap<String, MaskedText>,
    /// Its body.
    pub body: Option<MaskedText>,
    /// The status codes that accept the value; empty for 200 to 299.
    pub expect_status: Vec<u16>,
    /// What the answer, read as JSON, must hold.
    pub expect_json: Vec<ExpectedJson>,
}

/// What one place of a JSON answer must be.
#[derive(Debug, Clone)]
pub struct ExpectedJson {
    /// JSON pointer (RFC 6901).
    pub pointer: String,
    /// What must be found there; none where the place must only exist.
    pub matching: Option<regex::Regex>,
}

/// Patterns are compared by their text.
impl PartialEq for ExpectedJson {
    fn eq(&self, other: &Self) -> bool {
        let text = |one: &Self| one.matching.as_ref().map(|regex| regex.as_str().to_owned());
        self.pointer == other.pointer && text(self) == text(other)
    }
}

impl RemoteCheck {
    /// The address that is asked, where the spec names it.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Http(request) => Some(&request.url),
            Self::Connect { address, .. } => address.as_deref(),
        }
    }
}

/// What a validator came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The value works.
    Passed,
    /// It does not; why, in our own words, without the value.
    Failed(String),
    /// Nobody can say now.
    Inconclusive {
        /// Why, in our own words.
        why: String,
        /// How long the other system asks to be left alone.
        retry_after: Option<Duration>,
    },
}

/// Why a candidate may not be written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Objection {
    /// The validator's name.
    pub validator: String,
    /// The key.
    pub key: Key,
    /// Why.
    pub why: String,
}

impl Validator {
    /// What a look at the value says; none where another system must be asked.
    pub fn judge(&self, value: &SecretValue, now: Timestamp) -> Option<Verdict> {
        match &self.check {
            Check::Here(check) => Some(check.judge(value, now)),
            Check::Elsewhere(_) => None,
        }
    }

    /// An objection of this validator.
    pub fn objects(&self, why: impl Into<String>) -> Objection {
        Objection {
            validator: self.name.clone(),
            key: self.key.clone(),
            why: why.into(),
        }
    }
}

impl LocalCheck {
    fn judge(&self, value: &SecretValue, now: Timestamp) -> Verdict {
        let fails = |fails: bool, why: &str| fails.then(|| Verdict::Failed(why.to_owned()));
        let bytes = value.expose();
        let failed = match self {
            Self::Matching(pattern) => {
                fails(!pattern.is_match(bytes), "does not match the pattern")
            }
            Self::Length { min, max } => {
                if bytes.len() < *min {
                    Some(Verdict::Failed(format!("is shorter than {min} bytes")))
                } else {
                    let why = format!("is longer than {max} bytes");
                    (bytes.len() > *max).then_some(Verdict::Failed(why))
                }
            }
            Self::Entropy { min_bits } => {
                let why = format!("is guessed with less effort than {min_bits} bits");
                fails(entropy::bits(bytes) < f64::from(*min_bits), &why)
            }
            Self::Token(expected) => expected.judge(bytes, now).err().map(Verdict::Failed),
        };
        failed.unwrap_or(Verdict::Passed)
    }
}

impl Objection {
    /// The fault of a candidate that was rejected just now.
    pub fn rejects(&self) -> Fault {
        self.fault(FaultClass::Invalid, Reason::ValidationFailed)
            .hint("Nothing was written. Put a value that works into the source; to have this one tried again, run `penstock retry`, or `sync --retry` without a cluster")
    }

    /// The fault of a candidate that was rejected before.
    pub fn rejected_before(&self) -> Fault {
        self.fault(FaultClass::Invalid, Reason::RevisionRejected)
            .hint("It stays rejected until the source, `spec.validate` or `spec.rollout` changes, or somebody runs `penstock retry` (`sync --retry` without a cluster)")
    }

    /// The fault of a candidate that nobody can judge now.
    pub fn waits(&self, retry_after: Option<Duration>) -> Fault {
        let class = match retry_after {
            Some(_) => FaultClass::Throttled { retry_after },
            None => FaultClass::Unavailable,
        };
        self.fault(class, Reason::ValidationInconclusive)
            .hint("Nothing was written; it is asked again")
    }

    fn fault(&self, class: FaultClass, reason: Reason) -> Fault {
        let subject = format!("validator {}", self.validator);
        Fault::new(class, subject, self.to_string()).because(reason)
    }
}

/// `key LLM_API_KEY is shorter than 16 bytes`
impl std::fmt::Display for Objection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "key {} {}", self.key, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(check: &LocalCheck, value: &[u8]) -> Verdict {
        check.judge(&SecretValue::new(value), Timestamp::UNIX_EPOCH)
    }

    fn failed(why: &str) -> Verdict {
        Verdict::Failed(why.to_owned())
    }

    #[test]
    fn a_pattern_must_be_found_in_any_bytes() {
        let check = || LocalCheck::Matching(BytesRegex::new("^sk-[a-z]+$").unwrap());
        assert_eq!(judge(&check(), b"sk-abc"), Verdict::Passed);
        for bad in [b"sk-".as_slice(), b"sk-abc\n", b"\xff\xfe", b""] {
            assert_eq!(judge(&check(), bad), failed("does not match the pattern"));
        }
    }

    #[test]
    fn lengths_are_bytes_and_bounds_are_inclusive() {
        let check = || LocalCheck::Length { min: 2, max: 3 };
        assert_eq!(judge(&check(), "é".as_bytes()), Verdict::Passed);
        assert_eq!(judge(&check(), b"abc"), Verdict::Passed);
        assert_eq!(judge(&check(), b"a"), failed("is shorter than 2 bytes"));
        assert_eq!(judge(&check(), b"abcd"), failed("is longer than 3 bytes"));
    }

    #[test]
    fn no_verdict_and_no_fault_tells_the_value_or_its_length() {
        let value = b"marker-7f3a";
        let checks = [
            LocalCheck::Matching(BytesRegex::new("^nothing$").unwrap()),
            LocalCheck::Length { min: 100, max: 200 },
            LocalCheck::Entropy { min_bits: 4000 },
            LocalCheck::Token(TokenExpectation::default()),
        ];
        let validator = Validator {
            name: "v".to_owned(),
            key: Key::new("K").unwrap(),
            check: Check::Here(checks[0].clone()),
            every: None,
            timeout: Duration::from_secs(1),
        };
        for check in checks {
            let Verdict::Failed(why) = judge(&check, value) else {
                panic!("it passes");
            };
            let objection = validator.objects(why);
            let told = [
                objection.rejects(),
                objection.rejected_before(),
                objection.waits(None),
            ];
            for fault in told {
                let text = fault.to_string();
                assert!(text.contains("key K") && text.contains("validator v"));
                assert!(!text.contains("7f3a") && !text.contains("11"), "{text}");
            }
        }
    }
}
