//! What was found, and how it is printed: pure.

use std::fmt::Write as _;

use penstock_domain::fault::{Fault, FaultClass};
use serde::Serialize;

use crate::exit::Ending;
use crate::output::{Style, Tone, plain};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Grade {
    /// It works.
    Good,
    /// It works, and somebody should know something.
    Notice,
    /// It does not work.
    Bad,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// What it is about.
    pub about: String,
    /// What was found.
    pub message: String,
    /// What to do; none where nothing has to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    /// It works.
    pub fn good(about: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            grade: Grade::Good,
            about: about.into(),
            message: message.into(),
            advice: None,
        }
    }

    /// It works, and somebody should know something.
    pub fn notice(
        about: impl Into<String>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            grade: Grade::Notice,
            advice: Some(advice.into()),
            ..Self::good(about, message)
        }
    }

    /// It does not work.
    pub fn bad(
        about: impl Into<String>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            grade: Grade::Bad,
            ..Self::notice(about, message, advice)
        }
    }

    /// A fault, with what to do about its class where it says nothing itself.
    pub fn fault(fault: &Fault) -> Self {
        let usual = match fault.class {
            FaultClass::Unavailable => {
                "Check the address, the network, the certificate and whether it runs; then try again"
            }
            FaultClass::Throttled { .. } => "Wait, or ask for less: `spec.limits` of the store",
            FaultClass::Denied => "Grant what is missing, or log in as somebody who may",
            FaultClass::NotFound => "Make it, or correct the name or path",
            FaultClass::Invalid => "Correct what it names",
            FaultClass::Conflict => "Try again",
            FaultClass::NotSupported => "Leave it out, or use a version that can",
        };
        let advice = fault.hint.clone().unwrap_or_else(|| usual.to_owned());
        Self::bad(&fault.subject, &fault.message, advice)
    }
}

/// All that was found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Diagnosis {
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// 1 when something does not work.
    pub fn ending(&self) -> Ending {
        let bad = self
            .findings
            .iter()
            .any(|finding| finding.grade == Grade::Bad);
        if bad { Ending::Failed } else { Ending::Done }
    }

    /// For a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = String::new();
        for finding in &self.findings {
            let (word, tone) = match finding.grade {
                Grade::Good => ("ok  ", Tone::Good),
                Grade::Notice => ("note", Tone::Change),
                Grade::Bad => ("BAD ", Tone::Bad),
            };
            let word = style.paint(tone, word);
            // Writing to a String cannot fail.
            let _ = writeln!(
                page,
                "{word}  {}: {}",
                plain(&finding.about),
                plain(&finding.message)
            );
            if let Some(advice) = &finding.advice {
                let _ = writeln!(page, "      → {}", plain(advice));
            }
        }
        let count = |grade| {
            self.findings
                .iter()
                .filter(|finding| finding.grade == grade)
                .count()
        };
        let _ = writeln!(
            page,
            "{} checked, {} to note, {} bad",
            self.findings.len(),
            count(Grade::Notice),
            count(Grade::Bad)
        );
        page
    }

    /// For programs.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}
