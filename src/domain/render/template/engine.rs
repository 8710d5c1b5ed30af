//! Running one template: bounded, strict, and silent about values.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use zeroize::Zeroizing;

use super::bcrypt::PasswordHasher;
use super::context::{Lookups, Merged};
use super::filters::{ApplyFilter, register};
use super::names::{Unknown, first_unknown};
use crate::bundle::Bundle;
use crate::keys::InstallationKey;
use crate::names::{Key, SyncId};
use crate::render::faults::shown_all;
use crate::secret::SecretValue;

/// The most bytes that one template makes: what a Secret can hold.
pub const MAX_OUTPUT_BYTES: usize = 1024 * 1024;
/// The longest template.
const MAX_SOURCE_BYTES: usize = 256 * 1024;
/// What one template may spend. The engine counts instructions, and 64 bytes of data as one of them.
const FUEL: u64 = 500_000;

/// What is wrong with a template's text, whatever the keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// It does not parse.
    #[error("the template does not parse, line {line}: {detail}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// The parser's words; they speak of the template only.
        detail: String,
    },
    /// It uses a filter, test, function or method that does not exist.
    #[error("the template uses {what} `{name}`, which does not exist")]
    Unknown {
        /// `the filter`, `the test`, `the function`, `the method`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// It is too long.
    #[error("the template is longer than {MAX_SOURCE_BYTES} bytes")]
    TooLong,
}

/// Checks a template's text: syntax, size, and that every filter and test exists, in every branch.
pub fn check_template(source: &str) -> Result<(), TemplateProblem> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(TemplateProblem::TooLong);
    }
    empty_environment()
        .template_from_str(source)
        .map_err(|error| syntax_problem(&error))?;
    let Some(unknown) = first_unknown(source) else {
        return Ok(());
    };
    let (what, name) = match unknown {
        Unknown::Filter(name) => ("the filter", name),
        Unknown::Test(name) => ("the test", name),
        Unknown::Function(name) => ("the function", name),
        Unknown::Method(name) => ("the method", name),
    };
    Err(TemplateProblem::Unknown {
        what,
        name: name.to_owned(),
    })
}

fn syntax_problem(error: &Error) -> TemplateProblem {
    let detail = error.detail().unwrap_or("it cannot be understood");
    TemplateProblem::Syntax {
        line: error.line().unwrap_or(1),
        detail: detail.chars().take(200).collect(),
    }
}

fn empty_environment<'source>() -> Environment<'source> {
    let mut environment = Environment::empty();
    let mut syntax = SyntaxConfig::builder();
    // A PEM file without its last line end is refused by half of the world.
    if let Ok(syntax) = syntax.keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_fuel(Some(FUEL));
    environment
}

/// Why a template gives nothing. No message holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::render) enum RenderTemplate {
    /// Its text is wrong.
    #[error(transparent)]
    Text(#[from] TemplateProblem),
    /// It needs keys that are not there.
    #[error("the template, line {line}, uses what is absent{}", listed(names.iter().map(String::as_str)))]
    Absent {
        /// Counted from 1.
        line: usize,
        /// Names of keys, as far as they stand in the template; empty when it computes them.
        names: BTreeSet<String>,
    },
    /// It uses bytes as text.
    #[error("the template uses as text what is not UTF-8{}", listed(names.iter().map(Key::as_str)))]
    NotText {
        /// Their keys.
        names: BTreeSet<Key>,
    },
    /// A filter refuses its input.
    #[error("the template, line {line}: {reason}")]
    Filter {
        /// Counted from 1.
        line: usize,
        /// The filter's words.
        reason: String,
    },
    /// It works too long.
    #[error("the template does more work than one template may")]
    Fuel,
    /// It writes too much.
    #[error("the template writes more than {MAX_OUTPUT_BYTES} bytes")]
    Output,
    /// Anything else.
    #[error("the template, line {line}: {what}")]
    Other {
        /// Counted from 1.
        line: usize,
        /// Our own words.
        what: &'static str,
    },
}

fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    match names.len() {
        0 => String::new(),
        _ => format!(": {}", shown_all(names)),
    }
}

/// What a template gives.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::render) enum Rendered {
    /// A value, and the keys that it was made of.
    Value(SecretValue, BTreeSet<Key>),
    /// Nothing, because it uses an optional key that is absent.
    Absent,
}

/// Renders the templates of one sync.
pub(in crate::render) struct Engine {
    environment: Environment<'static>,
    merged: Arc<Merged>,
    optional: BTreeSet<Key>,
}

impl Engine {
    /// An engine over the merged keys.
    pub(in crate::render) fn new(
        sync: &SyncId,
        key: &InstallationKey,
        merged: Arc<Bundle>,
        optional: &BTreeSet<Key>,
    ) -> Self {
        let mut environment = empty_environment();
        register(&mut environment, &Arc::new(PasswordHasher::new(key, sync)));
        Self {
            environment,
            merged: Merged::new(merged),
            optional: optional.clone(),
        }
    }

    /// Renders one template.
    pub(in crate::render) fn render(&mut self, source: &str) -> Result<Rendered, RenderTemplate> {
        check_template(source)?;
        let (mut outcome, mut lookups) = self.attempt(source, UndefinedBehavior::Strict);
        if matches!(outcome, Err(Failure::Undefined { .. }))
            && self.stumbled_over_optional(&lookups)
        {
            // `{% if KEY %}` may ask for an optional key that is absent; printing it still fails.
            (outcome, lookups) = self.attempt(source, UndefinedBehavior::SemiStrict);
        }
        match outcome {
            _ if !lookups.binary.is_empty() => Err(RenderTemplate::NotText {
                names: lookups.binary,
            }),
            Ok(value) => Ok(Rendered::Value(value, lookups.found)),
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::Undefined { .. }) if self.stumbled_over_optional(&lookups) => {
                Ok(Rendered::Absent)
            }
            Err(Failure::Undefined { line }) => Err(self.absent(source, line)),
        }
    }

    /// Names every key that is absent. The template stopped at the first, so it runs once more, leniently.
    fn absent(&mut self, source: &str, line: usize) -> RenderTemplate {
        let (_, lookups) = self.attempt(source, UndefinedBehavior::Chainable);
        // A name that the template computes may be a value: it is shown only where it stands in the
        // template anyway.
        let mut names = lookups.missed;
        names.retain(|name| !self.is_optional(name) && source.contains(name.as_str()));
        RenderTemplate::Absent { line, names }
    }

    fn stumbled_over_optional(&self, lookups: &Lookups) -> bool {
        let last = lookups.last_missed.as_deref();
        last.is_some_and(|name| self.is_optional(name))
    }

    fn is_optional(&self, name: &str) -> bool {
        self.optional.contains(name)
    }

    fn attempt(
        &mut self,
        source: &str,
        undefined: UndefinedBehavior,
    ) -> (Result<SecretValue, Failure>, Lookups) {
        self.environment.set_undefined_behavior(undefined);
        let mut output = Output::default();
        let result = self
            .environment
            .template_from_str(source)
            .and_then(|template| {
                template
                    .render_captured_to(self.merged.variables(), &mut output)
                    .map(|_| ())
            });
        let result = match result {
            _ if output.full => Err(Failure::Other(RenderTemplate::Output)),
            Ok(()) => Ok(SecretValue::new(std::mem::take(&mut *output.bytes))),
            Err(error) => Err(failure(&error)),
        };
        (result, self.merged.take_lookups())
    }
}

/// How one attempt failed.
enum Failure {
    /// By using something undefined.
    Undefined { line: usize },
    /// Otherwise.
    Other(RenderTemplate),
}

fn failure(error: &Error) -> Failure {
    let line = error.line().unwrap_or(1);
    let refused =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<ApplyFilter>());
    if let Some(reason) = refused {
        let reason = reason.to_string();
        return Failure::Other(RenderTemplate::Filter { line, reason });
    }
    // The engine's own details may quote values; only the kind of an error is used.
    let what = match error.kind() {
        ErrorKind::UndefinedError => return Failure::Undefined { line },
        ErrorKind::OutOfFuel => return Failure::Other(RenderTemplate::Fuel),
        ErrorKind::SyntaxError => return Failure::Other(syntax_problem(error).into()),
        ErrorKind::TooManyArguments | ErrorKind::MissingArgument => {
            "a filter or test is given too few or too many arguments"
        }
        _ => "an operation does not fit the kind of value that it is given",
    };
    Failure::Other(RenderTemplate::Other { line, what })
}

/// Takes output up to its bound, and zeroes it when nobody wants it.
#[derive(Default)]
struct Output {
    bytes: Zeroizing<Vec<u8>>,
    full: bool,
}

impl io::Write for Output {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + part.len() > MAX_OUTPUT_BYTES {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
