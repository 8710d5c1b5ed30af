//! `spec.targets[]`.

use std::collections::BTreeMap;

use super::file::file_place;
use super::host_file::{host_file, is_host_file};
use super::metadata::{annotations, labels, secret_type};
use super::patterns::pattern;
use super::place::Place;
use super::problems::Problems;
use super::source::tags;
use super::words::{keys, object_name, path};
use crate::api::select::TargetSelect;
use crate::api::target::{
    self as api, Adopt as ApiAdopt, After, ConfigMapTarget, OnDelete, SecretTarget, Share,
    Tampering,
};
use crate::names::{ObjectName, SourceName, SyncId, TargetName};
use crate::sync::{
    Adopt, ConfigMapDestination, Destination, FileDestination, SecretDestination, TargetSelection,
    ValidatedSource, ValidatedTarget,
};

/// The path of a target: by name where that is one, by index otherwise.
pub(super) fn target_path(index: usize, target: &api::Target) -> String {
    match TargetName::new(target.name.as_str()) {
        Ok(name) => format!("spec.targets[{name}]"),
        Err(_) => format!("spec.targets[{index}]"),
    }
}

/// Checks one target.
pub(super) fn target(
    problems: &mut Problems,
    field: &str,
    target: &api::Target,
    (sync, place): (Option<&SyncId>, Place<'_>),
) -> Option<ValidatedTarget> {
    let name = problems.name(
        &format!("{field}.name"),
        TargetName::new(target.name.as_str()),
    );
    unsupported(problems, field, target);
    let name_of_sync = sync.map(|sync| &sync.name);
    let destination = destination(problems, field, target, (name_of_sync, place));
    let select = select(problems, field, target.select.as_ref());
    let share_keys = target.share.unwrap_or_default() == Share::Keys;
    if share_keys && recreates(target) {
        problems.invalid_hint(
            format!("{field}.share"),
            "cannot be `keys` beside `recreate: true`: making the object anew would take the keys of the others",
            "Leave `recreate` or `share` out",
        );
    }
    Some(ValidatedTarget {
        name: name?,
        destination: destination?,
        select,
        adopt: match target.adopt.unwrap_or_default() {
            ApiAdopt::Never => Adopt::Never,
            ApiAdopt::IfEqual => Adopt::IfEqual,
            ApiAdopt::Always => Adopt::Always,
        },
        share_keys,
        delete_with_sync: target.on_delete.unwrap_or_default() == OnDelete::Delete,
        repair: target.tampering.unwrap_or_default() == Tampering::Repair,
    })
}

fn unsupported(problems: &mut Problems, field: &str, target: &api::Target) {
    if target.wave.is_some() {
        problems.unsupported(
            format!("{field}.wave"),
            "Leave it out: every target is written before the restarts begin",
        );
    }
    if target.after == Some(After::Rollout) {
        problems.unsupported(
            format!("{field}.after"),
            "Leave it out, or say `immediately`",
        );
    }
    if !target.then.is_empty() && !is_host_file(target) {
        problems.unsupported(format!("{field}.then"), "Leave it out");
    }
    if target.health_check.is_some() {
        problems.unsupported(format!("{field}.healthCheck"), "Leave it out");
    }
    if target.store.is_none() {
        let set = [
            ("path", target.path.is_some()),
            ("as", target.layout.is_some()),
            ("naming", target.naming.is_some()),
            ("options", target.options.is_some()),
            ("cleanupGrace", target.cleanup_grace.is_some()),
        ];
        for (name, _) in set.iter().filter(|(_, set)| *set) {
            problems.invalid(
                format!("{field}.{name}"),
                "describes a store, and this target writes to none",
            );
        }
    }
}

fn destination(
    problems: &mut Problems,
    field: &str,
    target: &api::Target,
    (sync, place): (Option<&ObjectName>, Place<'_>),
) -> Option<Destination> {
    let variant = target
        .variant()
        .map_err(|error| problems.invalid(field, error.to_string()))
        .ok()?;
    match variant {
        api::Destination::Secret(secret) => {
            secret_destination(problems, &format!("{field}.secret"), secret, sync)
        }
        api::Destination::ConfigMap(config_map) => {
            config_map_destination(problems, &format!("{field}.configMap"), config_map, sync)
        }
        api::Destination::Store(store) if is_host_file(target) => {
            host_file(problems, field, (target, store), place).map(Destination::HostFile)
        }
        api::Destination::Store(_) => {
            problems.unsupported(
                format!("{field}.store"),
                "Targets are Secrets and ConfigMaps of the namespace so far, and in the CLI files, here or on a host \
                 (`options.ssh`)",
            );
            None
        }
        api::Destination::File(file) => {
            let named = (file.path.as_str(), file.format);
            let place = file_place(problems, &format!("{field}.file"), named, place)?;
            let merge = file.merge.unwrap_or_default();
            Some(Destination::File(FileDestination { place, merge }))
        }
    }
}

fn secret_destination(
    problems: &mut Problems,
    field: &str,
    secret: &SecretTarget,
    sync: Option<&ObjectName>,
) -> Option<Destination> {
    let name = name_or_sync(problems, field, secret.name.as_deref(), sync);
    let checked = SecretDestination {
        secret_type: secret_type(
            problems,
            &format!("{field}.type"),
            secret.secret_type.as_deref(),
        ),
        labels: labels(problems, &format!("{field}.labels"), &secret.labels),
        annotations: annotations(
            problems,
            &format!("{field}.annotations"),
            &secret.annotations,
        ),
        immutable: secret.immutable.unwrap_or_default(),
        recreate: secret.recreate.unwrap_or_default(),
        name: name?,
    };
    Some(Destination::Secret(checked))
}

fn config_map_destination(
    problems: &mut Problems,
    field: &str,
    config_map: &ConfigMapTarget,
    sync: Option<&ObjectName>,
) -> Option<Destination> {
    let name = name_or_sync(problems, field, config_map.name.as_deref(), sync);
    let checked = ConfigMapDestination {
        labels: labels(problems, &format!("{field}.labels"), &config_map.labels),
        annotations: annotations(
            problems,
            &format!("{field}.annotations"),
            &config_map.annotations,
        ),
        immutable: config_map.immutable.unwrap_or_default(),
        recreate: config_map.recreate.unwrap_or_default(),
        name: name?,
    };
    Some(Destination::ConfigMap(checked))
}

fn name_or_sync(
    problems: &mut Problems,
    field: &str,
    name: Option<&str>,
    sync: Option<&ObjectName>,
) -> Option<ObjectName> {
    let name = name.or(sync.map(ObjectName::as_str))?;
    object_name(problems, &format!("{field}.name"), name)
}

fn recreates(target: &api::Target) -> bool {
    let secret = target.secret.as_ref().and_then(|secret| secret.recreate);
    let config_map = target
        .config_map
        .as_ref()
        .and_then(|config_map| config_map.recreate);
    secret.or(config_map).unwrap_or_default()
}

fn select(problems: &mut Problems, field: &str, select: Option<&TargetSelect>) -> TargetSelection {
    let Some(select) = select else {
        return TargetSelection::default();
    };
    let field = format!("{field}.select");
    let (tags_any, tags_all) = tags(select.tags.as_ref());
    let sources = select.sources.iter().enumerate();
    let paths = select.paths.iter().enumerate();
    TargetSelection {
        tags_any,
        tags_all,
        sources: sources
            .filter_map(|(at, name)| {
                let field = format!("{field}.sources[{at}]");
                problems.name(&field, SourceName::new(name.as_str()))
            })
            .collect(),
        paths: paths
            .map(|(at, text)| {
                let path = path(problems, &format!("{field}.paths[{at}]"), Some(text));
                path.trim_end_matches('/').to_owned()
            })
            .collect(),
        keys: keys(problems, &format!("{field}.keys"), &select.keys)
            .into_iter()
            .collect(),
        matching: select
            .matching
            .as_deref()
            .and_then(|text| pattern(problems, &format!("{field}.matching"), text)),
    }
}

/// Notes what contradicts another part of the spec: two targets on one object, an object that is read and
/// written, a source that does not exist.
pub(super) fn check_across(
    problems: &mut Problems,
    sources: &[ValidatedSource],
    targets: &[ValidatedTarget],
    all_names: &[&str],
) {
    let mut taken: BTreeMap<(&str, String), &TargetName> = BTreeMap::new();
    for target in targets {
        let field = format!("spec.targets[{}]", target.name);
        let kind = target.destination.kind();
        let name = target.destination.object_name();
        let place = match &target.destination {
            Destination::File(file) => plain_path(&file.place.path),
            Destination::HostFile(_) | Destination::Secret(_) | Destination::ConfigMap(_) => {
                name.to_owned()
            }
        };
        if let Some(first) = taken.insert((kind, place), &target.name) {
            problems.invalid_hint(
                &field,
                format!("writes the {kind} `{name}`, which target `{first}` writes, too"),
                "Give it another name, or make one target of both",
            );
        }
        if let Some(at) = sources
            .iter()
            .position(|source| reads(source, &target.destination))
        {
            problems.invalid_hint(
                &field,
                format!("writes the {kind} `{name}`, which spec.sources[{at}] reads"),
                "A sync must not feed on itself: write another object",
            );
        }
        for source in &target.select.sources {
            if !all_names.contains(&source.as_str()) {
                problems.invalid(
                    format!("{field}.select.sources"),
                    format!("names the source `{source}`, which does not exist"),
                );
            }
        }
    }
}

fn reads(source: &ValidatedSource, destination: &Destination) -> bool {
    use crate::sync::Origin;
    match (&source.origin, destination) {
        (Origin::Secret { name, .. }, Destination::Secret(secret)) => *name == secret.name,
        (Origin::ConfigMap { name, .. }, Destination::ConfigMap(map)) => *name == map.name,
        (Origin::File { place, .. }, Destination::File(file)) => {
            plain_path(&place.path) == plain_path(&file.place.path)
        }
        (Origin::Store(store), Destination::HostFile(host)) => {
            *store == host.store && source.path == host.file.place.path
        }
        _ => false,
    }
}

/// One file, one spelling, as far as the spelling tells.
fn plain_path(path: &str) -> String {
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !matches!(*segment, "" | "."))
        .collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", segments.join("/"))
}
