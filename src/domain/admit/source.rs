//! `spec.sources[]`.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{environment_origin, file_place, skipped};
use super::patterns::{pattern, replacement};
use super::place::Place;
use super::problems::Problems;
use super::words::{keys, literal, member, object_name, path, word};
use crate::api::http::HttpSourceOptions;
use crate::api::one_of::ReadOneOf;
use crate::api::postgres::PostgresSourceOptions;
use crate::api::select::{KeyCase as ApiCase, SourceSelect, TagSelect};
use crate::api::shared::{MaskedText, StoreKind as ApiStoreKind, StoreRef};
use crate::api::source::{
    self as api, Decode as ApiDecode, ExtractFormat as ApiFormat, ObjectKind,
    OnUnavailable as ApiUnavailable, StoreOptions, Unusable,
};
use crate::names::{Key, SourceName};
use crate::render::{DocumentPart, PropertyPath};
use crate::secret::SecretValue;
use crate::sync::{
    Decode, EntrySelection, Extract, ExtractFormat, FileFormat, KeyCase, OnUnavailable, Origin,
    Rename, SourceOptions, StoreKind, StoreReference, ValidatedSource,
};

/// Checks one source.
pub(super) fn source(
    problems: &mut Problems,
    field: &str,
    source: &api::Source,
    place: Place<'_>,
) -> Option<ValidatedSource> {
    let name = problems.name(
        &format!("{field}.name"),
        SourceName::new(source.name.as_str()),
    );
    let origin = origin(problems, field, source, place);
    beside_store(problems, field, source);
    let skipped = skipped(problems, field, source.skip_when.as_ref(), place);
    let require = keys(problems, &format!("{field}.require"), &source.require);
    let checked = ValidatedSource {
        name: name?,
        origin: origin?,
        environment: word(
            problems,
            &format!("{field}.environment"),
            source.environment.as_ref(),
        ),
        path: path(problems, &format!("{field}.path"), source.path.as_deref()),
        field: word(problems, &format!("{field}.field"), source.field.as_ref()),
        extract: extract(problems, field, source.extract.as_ref()),
        decode: source.decode.map(|decode| match decode {
            ApiDecode::Base64 => Decode::Base64,
            ApiDecode::Base64url => Decode::Base64Url,
            ApiDecode::Auto => Decode::Auto,
        }),
        version: word(
            problems,
            &format!("{field}.version"),
            source.version.as_ref(),
        ),
        options: options(problems, field, source.options.as_ref()),
        select: select(problems, field, source.select.as_ref()),
        rename: rename(problems, field, source.rename.as_ref()),
        // Nothing is required of what is not read.
        require: if skipped { Vec::new() } else { require },
        on_unavailable: match source.on_unavailable.unwrap_or_default() {
            ApiUnavailable::KeepLast => OnUnavailable::KeepLast,
            ApiUnavailable::UseOthers => OnUnavailable::UseOthers,
            ApiUnavailable::Fail => OnUnavailable::Fail,
        },
        skipped,
    };
    Some(checked)
}

fn origin(
    problems: &mut Problems,
    field: &str,
    source: &api::Source,
    place: Place<'_>,
) -> Option<Origin> {
    let variant = source
        .variant()
        .map_err(|error| problems.invalid(field, error.to_string()))
        .ok()?;
    match variant {
        api::Origin::Store(store) => {
            store_reference(problems, &format!("{field}.store"), store).map(Origin::Store)
        }
        api::Origin::Secret(object) => {
            let name = object_name(problems, &format!("{field}.secret.name"), &object.name)?;
            let optional = object.optional.unwrap_or_default();
            Some(Origin::Secret { name, optional })
        }
        api::Origin::ConfigMap(object) => {
            let name = object_name(problems, &format!("{field}.configMap.name"), &object.name)?;
            let optional = object.optional.unwrap_or_default();
            Some(Origin::ConfigMap { name, optional })
        }
        api::Origin::Literal(values) => {
            literal_values(problems, &format!("{field}.literal"), values)
        }
        api::Origin::File(file) => {
            let field = format!("{field}.file");
            let optional = file.optional.unwrap_or_default();
            let place = file_place(problems, &field, (&file.path, file.format), place)?;
            if place.format == FileFormat::GithubEnv {
                problems.invalid(
                    format!("{field}.format"),
                    "is a format to write, not to read",
                );
            }
            Some(Origin::File { place, optional })
        }
        api::Origin::ProcessEnvironment(_) => {
            environment_origin(problems, field, source.select.as_ref(), place)
        }
    }
}

/// Checks a reference to a store.
pub(super) fn store_reference(
    problems: &mut Problems,
    field: &str,
    store: &StoreRef,
) -> Option<StoreReference> {
    let name = object_name(problems, &format!("{field}.name"), &store.name)?;
    let kind = match store.kind() {
        ApiStoreKind::SecretStore => StoreKind::Namespaced,
        ApiStoreKind::ClusterSecretStore => StoreKind::Cluster,
    };
    Some(StoreReference { kind, name })
}

fn literal_values(
    problems: &mut Problems,
    field: &str,
    values: &BTreeMap<String, MaskedText>,
) -> Option<Origin> {
    let mut checked = BTreeMap::new();
    for (name, value) in values {
        if let Some(key) = problems.name(&member(field, name), Key::new(name.as_str())) {
            checked.insert(key, SecretValue::from(value.expose()));
        }
    }
    (checked.len() == values.len()).then_some(Origin::Literal(checked))
}

/// Fields that describe an entry of a store mean nothing anywhere else.
fn beside_store(problems: &mut Problems, field: &str, source: &api::Source) {
    if source.store.is_some() {
        return;
    }
    let set = [
        ("environment", source.environment.is_some()),
        ("path", source.path.is_some()),
        ("field", source.field.is_some()),
        ("version", source.version.is_some()),
        ("options", source.options.is_some()),
    ];
    for (name, _) in set.iter().filter(|(_, set)| *set) {
        problems.invalid(
            format!("{field}.{name}"),
            "describes an entry of a store, and this source reads from none",
        );
    }
}

fn extract(
    problems: &mut Problems,
    field: &str,
    extract: Option<&api::Extract>,
) -> Option<Extract> {
    let extract = extract?;
    let property = extract.property.clone().unwrap_or_default();
    let field = format!("{field}.extract.property");
    if !PropertyPath::parse(&property).is_sound() {
        problems.invalid(
            &field,
            "is not a row of up to 32 names and indices joined by dots, such as `data.users.0.token`",
        );
    }
    let format = extract.format.map(|format| match format {
        ApiFormat::Json => ExtractFormat::Json,
        ApiFormat::Dotenv => ExtractFormat::Dotenv,
    });
    if format == Some(ExtractFormat::Dotenv) && !property.is_empty() {
        problems.invalid(&field, "an env file has no properties");
    }
    Some(Extract {
        // Only JSON has properties, so a path settles what the first byte would.
        format: format.or((!property.is_empty()).then_some(ExtractFormat::Json)),
        property,
    })
}

fn options(
    problems: &mut Problems,
    field: &str,
    options: Option<&api::SourceOptions>,
) -> SourceOptions {
    let Some(options) = options else {
        return SourceOptions::None;
    };
    match options.variant() {
        Ok(StoreOptions::Vault(vault)) => SourceOptions::Vault {
            mount: vault.mount.as_deref().map(|mount| {
                path(
                    problems,
                    &format!("{field}.options.vault.mount"),
                    Some(mount),
                )
            }),
        },
        Ok(StoreOptions::Kubernetes(kubernetes)) => SourceOptions::Kubernetes {
            config_map: kubernetes.kind.unwrap_or_default() == ObjectKind::ConfigMap,
        },
        Ok(StoreOptions::Infisical(infisical)) => SourceOptions::Infisical {
            imports: infisical.imports,
            references: infisical.references,
        },
        Ok(StoreOptions::GcpSecretManager(gcp)) => SourceOptions::GcpSecretManager {
            labels: gcp.labels.clone(),
            leave_out: gcp.unusable == Some(Unusable::LeaveOut),
        },
        Ok(StoreOptions::AzureKeyVault(azure)) => SourceOptions::AzureKeyVault {
            tags: azure.tags.clone(),
            leave_out: azure.unusable == Some(Unusable::LeaveOut),
        },
        Ok(StoreOptions::AwsSecretsManager(aws)) => SourceOptions::AwsSecretsManager {
            tags: aws.tags.clone(),
        },
        Ok(StoreOptions::Postgres(postgres)) => {
            postgres_options(problems, &format!("{field}.options.postgres"), postgres)
        }
        Ok(StoreOptions::Http(http)) => http_options(problems, field, http),
        Err(ReadOneOf::Nothing { .. }) => SourceOptions::None,
        Err(several @ ReadOneOf::Several { .. }) => {
            problems.invalid(
                format!("{field}.options"),
                format!("options belong to one store: {several}"),
            );
            SourceOptions::None
        }
    }
}

fn postgres_options(
    problems: &mut Problems,
    field: &str,
    options: &PostgresSourceOptions,
) -> SourceOptions {
    if options.table.is_some() && options.query.is_some() {
        problems.invalid(field, "a source reads one table or one query, not both");
    }
    if options.query.is_none() && !options.parameters.is_empty() {
        problems.invalid(
            format!("{field}.parameters"),
            "belong to a query, and this source names none",
        );
    }
    for (name, value) in &options.parameters {
        let field = member(&format!("{field}.parameters"), name);
        word(problems, &field, Some(value));
    }
    for (at, column) in options.columns.iter().enumerate() {
        word(problems, &format!("{field}.columns[{at}]"), Some(column));
    }
    SourceOptions::Postgres {
        table: word(problems, &format!("{field}.table"), options.table.as_ref()),
        query: word(problems, &format!("{field}.query"), options.query.as_ref()),
        parameters: options.parameters.clone(),
        columns: options.columns.clone(),
    }
}

fn http_options(problems: &mut Problems, field: &str, http: &HttpSourceOptions) -> SourceOptions {
    let result = http.result.clone().unwrap_or_default();
    let raw = http.raw.unwrap_or_default();
    if let Err(problem) = DocumentPart::parse(&result) {
        problems.invalid(format!("{field}.options.http.result"), problem.to_string());
    }
    if raw && !result.is_empty() {
        problems.invalid(
            format!("{field}.options.http"),
            "`raw` takes the whole answer: remove `result`, or remove `raw`",
        );
    }
    SourceOptions::Http { result, raw }
}

fn select(problems: &mut Problems, field: &str, select: Option<&SourceSelect>) -> EntrySelection {
    let Some(select) = select else {
        return EntrySelection::default();
    };
    let (tags_any, tags_all) = tags(select.tags.as_ref());
    EntrySelection {
        recursive: select.recursive.unwrap_or_default(),
        tags_any,
        tags_all,
        keys: select.keys.iter().cloned().collect(),
        matching: select
            .matching
            .as_deref()
            .and_then(|text| pattern(problems, &format!("{field}.select.matching"), text)),
        exclude: select.exclude.iter().cloned().collect(),
    }
}

/// The two lists of tags of a selection.
pub(super) fn tags(tags: Option<&TagSelect>) -> (BTreeSet<String>, BTreeSet<String>) {
    let set = |list: &[String]| list.iter().cloned().collect();
    tags.map(|tags| (set(&tags.any), set(&tags.all)))
        .unwrap_or_default()
}

fn rename(problems: &mut Problems, field: &str, rename: Option<&api::Rename>) -> Rename {
    let Some(rename) = rename else {
        return Rename::default();
    };
    let field = format!("{field}.rename");
    let mut replace = Vec::new();
    for (at, rule) in rename.replace.iter().enumerate() {
        let field = format!("{field}.replace[{at}]");
        let with = rule.with.clone().unwrap_or_default();
        if let Some(regex) = pattern(problems, &format!("{field}.matching"), &rule.matching) {
            replacement(problems, &format!("{field}.with"), &regex, &with);
            replace.push((regex, with));
        }
    }
    for (old, new) in &rename.map {
        let field = member(&format!("{field}.map"), old);
        problems.name(&field, Key::new(new.as_str()));
    }
    Rename {
        strip_prefix: literal(
            problems,
            &format!("{field}.stripPrefix"),
            rename.strip_prefix.as_ref(),
        ),
        replace,
        map: rename.map.clone(),
        case: rename.case.and_then(case),
        prefix: literal(problems, &format!("{field}.prefix"), rename.prefix.as_ref()),
    }
}

fn case(case: ApiCase) -> Option<KeyCase> {
    match case {
        ApiCase::Keep => None,
        ApiCase::Upper => Some(KeyCase::Upper),
        ApiCase::Lower => Some(KeyCase::Lower),
        ApiCase::Snake => Some(KeyCase::Snake),
        ApiCase::ScreamingSnake => Some(KeyCase::ScreamingSnake),
        ApiCase::Kebab => Some(KeyCase::Kebab),
        ApiCase::Camel => Some(KeyCase::Camel),
        ApiCase::Pascal => Some(KeyCase::Pascal),
    }
}
