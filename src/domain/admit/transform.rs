//! `spec.transform`.

use super::problems::Problems;
use super::words::{keys, member, object_name};
use crate::api::transform::{
    self as api, Derive, Encoding as ApiEncoding, Keep, KeyTransform, TemplatePlace,
};
use crate::names::Key;
use crate::render::check_template;
use crate::sync::{Derivation, DerivationFunction, Encoding, Making, Transform};

/// Bytes that HKDF gives where no length is set.
const HKDF_LENGTH: u32 = 32;
/// The fewest and the most bytes that HKDF may be asked for.
const HKDF_LENGTHS: std::ops::RangeInclusive<u32> = 16..=64;

/// Checks the transform.
pub(super) fn transform(problems: &mut Problems, transform: Option<&api::Transform>) -> Transform {
    let Some(transform) = transform else {
        return Transform::default();
    };
    let mut checked = Transform {
        optional: keys(problems, "spec.transform.optional", &transform.optional)
            .into_iter()
            .collect(),
        keep_only_declared: transform.keep == Some(Keep::Declared),
        ..Transform::default()
    };
    if checked.keep_only_declared && transform.data.is_empty() {
        problems.invalid_hint(
            "spec.transform.keep",
            "keeps what `data` declares, and `data` declares nothing",
            "Declare keys in `spec.transform.data`, or leave `keep` out",
        );
    }
    for (name, how) in &transform.data {
        let field = member("spec.transform.data", name);
        let key = problems.name(&field, Key::new(name.as_str()));
        if let (Some(key), Some(making)) = (key, making(problems, &field, how)) {
            checked.data.insert(key, making);
        }
    }
    checked
}

fn making(problems: &mut Problems, field: &str, how: &KeyTransform) -> Option<Making> {
    let variant = how
        .variant()
        .map_err(|error| problems.invalid(field, error.to_string()))
        .ok()?;
    match variant {
        api::Making::Template(text) => {
            if let Err(problem) = check_template(text.expose()) {
                problems.invalid(format!("{field}.template"), problem.to_string());
            }
            Some(Making::Template(text.clone()))
        }
        api::Making::TemplateFrom(from) => template_from(problems, field, from),
        api::Making::Derive(derive) => derivation(problems, &format!("{field}.derive"), derive),
        api::Making::SshPublicKey(key) => {
            let field = format!("{field}.sshPublicKey.from");
            let from = problems.name(&field, Key::new(key.from.as_str()))?;
            Some(Making::SshPublicKey { from })
        }
    }
}

fn template_from(problems: &mut Problems, field: &str, from: &api::TemplateFrom) -> Option<Making> {
    let field = format!("{field}.templateFrom");
    match from.variant() {
        Ok(TemplatePlace::ConfigMap(place)) => {
            let field = format!("{field}.configMap");
            let config_map = object_name(problems, &format!("{field}.name"), &place.name);
            let key = problems.name(&format!("{field}.key"), Key::new(place.key.as_str()));
            let (config_map, key) = (config_map?, key?);
            if !key.is_kubernetes() {
                problems.invalid(format!("{field}.key"), "is no key of a ConfigMap");
            }
            Some(Making::TemplateFrom { config_map, key })
        }
        Err(error) => {
            problems.invalid(field, error.to_string());
            None
        }
    }
}

fn derivation(problems: &mut Problems, field: &str, derive: &Derive) -> Option<Making> {
    let from = problems.name(&format!("{field}.from"), Key::new(derive.from.as_str()));
    let function = match derive.variant() {
        Ok(api::Derivation::HkdfSha256(hkdf)) => {
            let field = format!("{field}.hkdfSha256");
            let length = hkdf.length.unwrap_or(HKDF_LENGTH);
            if !HKDF_LENGTHS.contains(&length) {
                problems.invalid(format!("{field}.length"), "is not between 16 and 64");
            }
            no_columns(problems, &format!("{field}.info"), &hkdf.info);
            DerivationFunction::HkdfSha256 {
                info: hkdf.info.clone(),
                salt: hkdf.salt.clone().unwrap_or_default(),
                length: usize::try_from(length).unwrap_or_default(),
            }
        }
        Ok(api::Derivation::HmacSha256(hmac)) => {
            no_columns(
                problems,
                &format!("{field}.hmacSha256.message"),
                &hmac.message,
            );
            DerivationFunction::HmacSha256 {
                message: hmac.message.clone(),
            }
        }
        Err(error) => {
            problems.invalid(field, error.to_string());
            return None;
        }
    };
    let encode = match derive.encode.unwrap_or_default() {
        ApiEncoding::Base64url => Encoding::Base64Url,
        ApiEncoding::Base64 => Encoding::Base64,
        ApiEncoding::Hex => Encoding::Hex,
        ApiEncoding::Raw => Encoding::Raw,
    };
    Some(Making::Derive(Derivation {
        from: from?,
        function,
        encode,
    }))
}

/// `{{` in an info would be hashed as it stands now and replaced one day: another key, without a warning.
fn no_columns(problems: &mut Problems, field: &str, text: &str) {
    if text.contains("{{") {
        problems.unsupported(
            field,
            "Parameters and columns of `forEach` cannot be used yet: write the text out",
        );
    }
}
