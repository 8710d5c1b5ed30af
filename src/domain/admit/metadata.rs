//! What a target object may carry beside its content (rule 7 of the design): types, labels, annotations.
//!
//! Refused is what gives an object a meaning to Kubernetes itself, to us, or to a tool that would then take
//! the object for its own and prune it: a Secret that Argo CD, Flux or Helm believes to be theirs is deleted
//! at their next pass.

use std::collections::BTreeMap;

use super::problems::Problems;
use super::words::{member, quoted};
use crate::reserved::GROUP;
use crate::sync::SecretType;

/// Domains whose names mean something to Kubernetes or to us; so do those below them.
const SYSTEM_DOMAINS: &[&str] = &["kubernetes.io", "k8s.io", GROUP];
/// The one domain below them that is meant for everybody: the recommended labels.
const RECOMMENDED_DOMAIN: &str = "app.kubernetes.io";
/// Names by which tools recognise what is theirs.
const TRACKING_NAMES: &[&str] = &[
    "argocd.argoproj.io/tracking-id",
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
];
/// The domain of Helm's own Secrets, which hold releases.
const HELM_DOMAIN: &str = "helm.sh";

/// The longest name after the slash, and the longest label value (Kubernetes: qualified names).
const MAX_NAME: usize = 63;
/// The most bytes that all annotations of an object may have (`TotalAnnotationSizeLimitB`).
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// Checks labels for a target object.
pub(super) fn labels(
    problems: &mut Problems,
    field: &str,
    labels: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for (name, value) in labels {
        let field = member(field, name);
        check_name(problems, &field, name);
        if !is_label_value(value) {
            problems.invalid_hint(
                field,
                format!("{} is no value of a label", quoted(value)),
                "Up to 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit",
            );
        }
    }
    labels.clone()
}

/// Checks annotations for a target object.
pub(super) fn annotations(
    problems: &mut Problems,
    field: &str,
    annotations: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for name in annotations.keys() {
        check_name(problems, &member(field, name), name);
    }
    let bytes: usize = annotations
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes > MAX_ANNOTATIONS {
        problems.invalid(field, format!("is larger than {MAX_ANNOTATIONS} bytes"));
    }
    annotations.clone()
}

/// Reads the type of a Secret.
pub(super) fn secret_type(problems: &mut Problems, field: &str, text: Option<&str>) -> SecretType {
    let known = [
        SecretType::Opaque,
        SecretType::DockerConfigJson,
        SecretType::Tls,
        SecretType::SshAuth,
        SecretType::BasicAuth,
    ];
    let Some(text) = text else {
        return SecretType::Opaque;
    };
    if let Some(known) = known.into_iter().find(|known| known.as_str() == text) {
        return known;
    }
    let domain = text.split_once('/').map_or(text, |(domain, _)| domain);
    if is_system(domain) || lies_in(domain, HELM_DOMAIN) {
        problems.invalid_hint(
            field,
            format!("{} is not a type that may be written", quoted(text)),
            "Use Opaque, kubernetes.io/dockerconfigjson, kubernetes.io/tls, kubernetes.io/ssh-auth, \
             kubernetes.io/basic-auth, or a type of your own domain",
        );
    } else if text.is_empty() || text.len() > 253 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        problems.invalid(field, format!("{} is no type of a Secret", quoted(text)));
    }
    SecretType::Custom(text.to_owned())
}

fn check_name(problems: &mut Problems, field: &str, name: &str) {
    if !is_qualified_name(name) {
        problems.invalid(
            field,
            format!("{} is no name of a label or annotation", quoted(name)),
        );
        return;
    }
    let domain = name.split_once('/').map(|(domain, _)| domain);
    let system = domain.is_some_and(|domain| domain != RECOMMENDED_DOMAIN && is_system(domain));
    if system || TRACKING_NAMES.contains(&name) {
        problems.invalid_hint(
            field,
            format!("{} may not be set on a target", quoted(name)),
            "Names of Kubernetes, of Penstock, and those by which Argo CD, Flux and Helm know what is theirs \
             are refused",
        );
    }
}

fn is_system(domain: &str) -> bool {
    SYSTEM_DOMAINS.iter().any(|system| lies_in(domain, system))
}

/// Whether `domain` is `parent` or lies below it.
fn lies_in(domain: &str, parent: &str) -> bool {
    domain
        .strip_suffix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `[domain/]name` as Kubernetes wants it (`IsQualifiedName` in k8s.io/apimachinery).
pub(super) fn is_qualified_name(text: &str) -> bool {
    let (domain, name) = match text.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, text),
    };
    domain.is_none_or(|domain| crate::names::ObjectName::new(domain).is_ok())
        && !name.is_empty()
        && is_label_value(name)
}

/// Empty, or up to 63 of `[-_.a-zA-Z0-9]` with a letter or digit at both ends (`IsValidLabelValue`).
pub(super) fn is_label_value(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    text.len() <= MAX_NAME
        && edge(text.bytes().next())
        && edge(text.bytes().last())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> bool {
        let mut problems = Problems::default();
        check_name(&mut problems, "f", name);
        !problems.is_empty()
    }

    #[test]
    fn names_of_the_system_and_of_tools_are_refused() {
        for bad in [
            "kubernetes.io/service-account.name",
            "kubectl.kubernetes.io/last-applied-configuration",
            "node.k8s.io/x",
            "penstock.dev/owner",
            "sub.penstock.dev/x",
            "meta.helm.sh/release-name",
            "argocd.argoproj.io/tracking-id",
            "kustomize.toolkit.fluxcd.io/name",
            "/x",
            "a/",
            "a/b/c",
            "-a",
            "ä",
        ] {
            assert!(refused(bad), "{bad}");
        }
        for good in [
            "team",
            "example.com/team",
            "app.kubernetes.io/part-of",
            "argocd.argoproj.io/secret-type",
            "kustomize.toolkit.fluxcd.io/prune",
            "notkubernetes.io/x",
            "reloader.stakater.com/match",
        ] {
            assert!(!refused(good), "{good}");
        }
    }

    #[test]
    fn types_of_the_system_are_refused() {
        for (text, good) in [
            ("Opaque", true),
            ("kubernetes.io/tls", true),
            ("example.com/key", true),
            ("connection", true),
            ("kubernetes.io/service-account-token", false),
            ("bootstrap.kubernetes.io/token", false),
            ("kubernetes.io/dockercfg", false),
            ("helm.sh/release.v1", false),
            ("penstock.dev/record", false),
            ("a b", false),
            ("", false),
        ] {
            let mut problems = Problems::default();
            secret_type(&mut problems, "f", Some(text));
            assert_eq!(problems.is_empty(), good, "{text}");
        }
    }
}
