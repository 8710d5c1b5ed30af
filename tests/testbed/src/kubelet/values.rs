//! What a pod is given: values of Secrets and ConfigMaps, by every way in which it can use them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, KeyToPath, Pod, Secret};
use kube::api::Api;
use kube::{Client, ResourceExt};

/// What a pod is given, or why its containers cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// All its values.
    Values(Vec<String>),
    /// A variable has no source.
    NoVariable,
    /// A file has no source.
    NoFile,
}

/// One thing that a pod refers to.
struct Reference {
    secret: bool,
    name: String,
    /// These keys; all where there are none.
    keys: Vec<String>,
    optional: bool,
    file: bool,
}

pub(super) async fn of(client: &Client, pod: &Pod) -> Result<Given, kube::Error> {
    let namespace = pod.namespace().unwrap_or_default();
    let mut known = BTreeMap::<(bool, String), Option<BTreeMap<String, String>>>::new();
    let mut values = Vec::new();
    for reference in references(pod) {
        let place = (reference.secret, reference.name.clone());
        if !known.contains_key(&place) {
            let data = read(client, &namespace, (reference.secret, &reference.name)).await?;
            known.insert(place.clone(), data);
        }
        let missing = if reference.file {
            Given::NoFile
        } else {
            Given::NoVariable
        };
        match known.get(&place).and_then(Option::as_ref) {
            None if reference.optional => {}
            None => return Ok(missing),
            Some(data) if reference.keys.is_empty() => values.extend(data.values().cloned()),
            Some(data) => {
                for key in &reference.keys {
                    match data.get(key) {
                        Some(value) => values.push(value.clone()),
                        None if reference.optional => {}
                        None => return Ok(missing),
                    }
                }
            }
        }
    }
    Ok(Given::Values(values))
}

async fn read(
    client: &Client,
    namespace: &str,
    (secret, name): (bool, &str),
) -> Result<Option<BTreeMap<String, String>>, kube::Error> {
    if secret {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let found = api.get_opt(name).await?;
        return Ok(found.map(|secret| {
            let data = secret.data.unwrap_or_default().into_iter();
            data.map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned()))
                .collect()
        }));
    }
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    Ok(api
        .get_opt(name)
        .await?
        .map(|map| map.data.unwrap_or_default()))
}

fn references(pod: &Pod) -> Vec<Reference> {
    let mut found = Vec::new();
    let Some(spec) = &pod.spec else { return found };
    for container in spec
        .init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
    {
        for source in container.env_from.iter().flatten() {
            let variable = |secret, name: &str, optional: Option<bool>| Reference {
                secret,
                name: name.to_owned(),
                keys: Vec::new(),
                optional: optional.unwrap_or_default(),
                file: false,
            };
            found.extend(
                source
                    .secret_ref
                    .iter()
                    .map(|one| variable(true, &one.name, one.optional)),
            );
            found.extend(
                source
                    .config_map_ref
                    .iter()
                    .map(|one| variable(false, &one.name, one.optional)),
            );
        }
        for from in container
            .env
            .iter()
            .flatten()
            .filter_map(|one| one.value_from.as_ref())
        {
            let variable = |secret, name: &str, key: &str, optional: Option<bool>| Reference {
                secret,
                name: name.to_owned(),
                keys: vec![key.to_owned()],
                optional: optional.unwrap_or_default(),
                file: false,
            };
            let secret = from.secret_key_ref.iter();
            found.extend(secret.map(|one| variable(true, &one.name, &one.key, one.optional)));
            let map = from.config_map_key_ref.iter();
            found.extend(map.map(|one| variable(false, &one.name, &one.key, one.optional)));
        }
    }
    for volume in spec.volumes.iter().flatten() {
        let secret = volume.secret.iter();
        found.extend(secret.map(|one| {
            let name = one.secret_name.clone().unwrap_or_default();
            file(true, name, one.items.as_deref(), one.optional)
        }));
        let map = volume.config_map.iter();
        found.extend(
            map.map(|one| file(false, one.name.clone(), one.items.as_deref(), one.optional)),
        );
        let sources = volume
            .projected
            .iter()
            .flat_map(|one| one.sources.iter().flatten());
        for source in sources {
            let secret = source.secret.iter();
            found.extend(
                secret.map(|one| file(true, one.name.clone(), one.items.as_deref(), one.optional)),
            );
            let map = source.config_map.iter();
            found.extend(
                map.map(|one| file(false, one.name.clone(), one.items.as_deref(), one.optional)),
            );
        }
    }
    // The admission of service accounts mounts this into every pod.
    found.retain(|reference| reference.name != "kube-root-ca.crt");
    found
}

fn file(
    secret: bool,
    name: String,
    items: Option<&[KeyToPath]>,
    optional: Option<bool>,
) -> Reference {
    Reference {
        secret,
        name,
        keys: items
            .unwrap_or_default()
            .iter()
            .map(|item| item.key.clone())
            .collect(),
        optional: optional.unwrap_or_default(),
        file: true,
    }
}
