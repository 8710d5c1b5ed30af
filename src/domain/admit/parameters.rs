//! `spec.parameters`: `{{ name }}` is replaced in names, paths, environments, prefixes and patterns.
//!
//! Values are never touched: neither literals nor templates, whose `{{ }}` mean keys. In a pattern a parameter
//! stands for its text, not for syntax. The text that comes out is checked like any other.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::place::Place;
use super::problems::Problems;
use super::target::target_path;
use super::words::{member, quoted};
use crate::api::secret_sync::SecretSyncSpec;
use crate::api::source::Source;
use crate::api::target::Target;
use crate::api::transform::Transform;
use crate::text::nearest;

/// The longest value of a parameter.
const MAX_VALUE_BYTES: usize = 1024;
/// The longest text that a replacement may give: no field that takes parameters is longer.
const MAX_TEXT_BYTES: usize = 4096;

/// The spec with every parameter replaced.
pub(super) fn replaced<'a>(
    problems: &mut Problems,
    spec: &'a SecretSyncSpec,
    place: Place<'_>,
) -> Cow<'a, SecretSyncSpec> {
    if spec.parameters.is_empty() {
        return Cow::Borrowed(spec);
    }
    let values = values(problems, spec, place);
    let mut replacing = Replacing { problems, values };
    let mut spec = spec.clone();
    for (at, one) in spec.sources.iter_mut().enumerate() {
        replacing.source(&format!("spec.sources[{at}]"), one);
    }
    for (at, one) in spec.targets.iter_mut().enumerate() {
        replacing.target(&target_path(at, one), one);
    }
    if let Some(transform) = &mut spec.transform {
        replacing.transform(transform);
    }
    Cow::Owned(spec)
}

/// What each declared parameter stands for.
fn values(
    problems: &mut Problems,
    spec: &SecretSyncSpec,
    place: Place<'_>,
) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (name, parameter) in &spec.parameters {
        let field = member("spec.parameters", name);
        if !is_identifier(name) {
            problems.invalid(
                &field,
                "is no name of a parameter: use letters, digits and `_`, beginning with a letter",
            );
        }
        let given = place.parameter(name).or(parameter.default.as_deref());
        match given {
            Some(text) if text.len() > MAX_VALUE_BYTES || text.chars().any(char::is_control) => {
                let message = format!(
                    "has a value that is longer than {MAX_VALUE_BYTES} bytes or holds control characters"
                );
                problems.invalid(&field, message);
            }
            Some(_) => {}
            None => {
                let hint = match place {
                    Place::Operator => "Give it a `default`: only the CLI takes `--set`".to_owned(),
                    Place::CommandLine(_) => {
                        format!("Say `--set {name}=VALUE`, or give it a `default`")
                    }
                };
                problems.invalid_hint(&field, "has no value", hint);
            }
        }
        values.insert(name.clone(), given.unwrap_or(name).to_owned());
    }
    values
}

fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 63
        && bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

struct Replacing<'a> {
    problems: &'a mut Problems,
    values: BTreeMap<String, String>,
}

impl Replacing<'_> {
    fn source(&mut self, field: &str, source: &mut Source) {
        if let Some(store) = &mut source.store {
            self.text(&format!("{field}.store.name"), &mut store.name);
        }
        if let Some(secret) = &mut source.secret {
            self.text(&format!("{field}.secret.name"), &mut secret.name);
        }
        if let Some(map) = &mut source.config_map {
            self.text(&format!("{field}.configMap.name"), &mut map.name);
        }
        if let Some(file) = &mut source.file {
            self.text(&format!("{field}.file.path"), &mut file.path);
        }
        self.optional(&format!("{field}.environment"), &mut source.environment);
        self.optional(&format!("{field}.path"), &mut source.path);
        if let Some(postgres) = source
            .options
            .as_mut()
            .and_then(|options| options.postgres.as_mut())
        {
            for (name, value) in &mut postgres.parameters {
                let field = member(&format!("{field}.options.postgres.parameters"), name);
                self.text(&field, value);
            }
        }
        if let Some(select) = &mut source.select {
            self.pattern(&format!("{field}.select.matching"), &mut select.matching);
        }
        if let Some(rename) = &mut source.rename {
            let field = format!("{field}.rename");
            self.optional(&format!("{field}.stripPrefix"), &mut rename.strip_prefix);
            self.optional(&format!("{field}.prefix"), &mut rename.prefix);
        }
    }

    fn target(&mut self, field: &str, target: &mut Target) {
        if let Some(secret) = &mut target.secret {
            self.optional(&format!("{field}.secret.name"), &mut secret.name);
        }
        if let Some(map) = &mut target.config_map {
            self.optional(&format!("{field}.configMap.name"), &mut map.name);
        }
        if let Some(store) = &mut target.store {
            self.text(&format!("{field}.store.name"), &mut store.name);
        }
        if let Some(file) = &mut target.file {
            self.text(&format!("{field}.file.path"), &mut file.path);
        }
        self.optional(&format!("{field}.path"), &mut target.path);
        if let Some(naming) = &mut target.naming {
            self.optional(&format!("{field}.naming.prefix"), &mut naming.prefix);
            self.optional(&format!("{field}.naming.suffix"), &mut naming.suffix);
        }
        if let Some(select) = &mut target.select {
            self.pattern(&format!("{field}.select.matching"), &mut select.matching);
        }
    }

    /// `info` and `message` name what a derived key is for.
    fn transform(&mut self, transform: &mut Transform) {
        for (key, how) in &mut transform.data {
            let Some(derive) = &mut how.derive else {
                continue;
            };
            let field = format!("{}.derive", member("spec.transform.data", key));
            if let Some(hkdf) = &mut derive.hkdf_sha256 {
                self.text(&format!("{field}.hkdfSha256.info"), &mut hkdf.info);
            }
            if let Some(hmac) = &mut derive.hmac_sha256 {
                self.text(&format!("{field}.hmacSha256.message"), &mut hmac.message);
            }
        }
    }

    fn optional(&mut self, field: &str, text: &mut Option<String>) {
        if let Some(text) = text {
            self.text(field, text);
        }
    }

    fn text(&mut self, field: &str, text: &mut String) {
        self.replace(field, text, str::to_owned);
    }

    fn pattern(&mut self, field: &str, text: &mut Option<String>) {
        if let Some(text) = text {
            self.replace(field, text, regex::escape);
        }
    }

    fn replace(&mut self, field: &str, text: &mut String, written: fn(&str) -> String) {
        if !text.contains("{{") {
            return;
        }
        let mut made = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            made.push_str(before);
            let Some((name, after)) = after.split_once("}}") else {
                self.problems
                    .invalid(field, "opens `{{` and never closes it");
                rest = after;
                continue;
            };
            made.push_str(&written(&self.value(field, name.trim())));
            rest = after;
        }
        made.push_str(rest);
        if made.len() > MAX_TEXT_BYTES {
            let message =
                format!("is longer than {MAX_TEXT_BYTES} bytes once its parameters are replaced");
            self.problems.invalid(field, message);
            return;
        }
        *text = made;
    }

    /// The value of a parameter; its name stands in where there is none, so that the checks go on.
    fn value(&mut self, field: &str, name: &str) -> String {
        if let Some(value) = self.values.get(name) {
            return value.clone();
        }
        let message = format!(
            "names the parameter {}, which spec.parameters does not declare",
            quoted(name)
        );
        match nearest(name, self.values.keys().map(String::as_str)) {
            Some(meant) => {
                let hint = format!("Did you mean `{meant}`?");
                self.problems.invalid_hint(field, message, hint);
            }
            None => self.problems.invalid(field, message),
        }
        name.to_owned()
    }
}
