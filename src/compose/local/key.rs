//! Which installation key a verb uses.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

use penstock_adapters::files::key::{
    MAX_KEY_TEXT, default_path, generate, load, load_or_create, parse,
};
use penstock_adapters::kubernetes::installation_key;
use penstock_adapters::registry::Registry;
use penstock_cli::arguments::KeyOrigin;
use penstock_cli::local::{Invocation, read_entry};
use penstock_domain::keys::{InstallationId, InstallationKey, KEY_LENGTH};
use penstock_domain::names::SyncId;
use penstock_domain::ports::{Observation, Targets};
use penstock_domain::sync::ValidatedTarget;
use zeroize::Zeroizing;

use super::cluster::Cluster;
use super::{Given, OpenWorld, Purpose};

/// A key, and whether it is kept: hashes of one that is not mean nothing to the next run.
pub(super) struct ChosenKey {
    pub(super) key: InstallationKey,
    pub(super) kept: bool,
}

/// The key that `--key` names, else that of this machine, which is made when something will be written. Whoever only
/// looks on a machine that has none gets one that ends with the process.
pub(super) async fn choose(
    (inputs, state, purpose): Given<'_>,
    invocation: &Invocation,
    (cluster, stores): (Option<&Cluster>, &Registry),
) -> Result<ChosenKey, OpenWorld> {
    let kept = |key| ChosenKey { key, kept: true };
    match &state.key {
        Some(KeyOrigin::Descriptor(number)) => descriptor(*number).map(kept),
        Some(KeyOrigin::File(path)) => match purpose {
            Purpose::Write => Ok(kept(load_or_create(path)?)),
            Purpose::Look | Purpose::HandOn => looked_for(load(path)?),
        },
        Some(KeyOrigin::Variable(name)) => {
            let value = invocation.variables.get(name);
            let text = value.and_then(|value| value.expose_text());
            let missing = || OpenWorld::NoVariable { name: name.clone() };
            Ok(kept(parse(text.ok_or_else(missing)?)?))
        }
        Some(KeyOrigin::Store(entry)) => {
            let subject = "installation key";
            let value = read_entry(stores, &inputs.namespace, entry, subject).await?;
            Ok(kept(parse(
                value.expose_text().ok_or(OpenWorld::KeyIsNoText)?,
            )?))
        }
        Some(KeyOrigin::Cluster) => {
            let cluster = cluster.ok_or(OpenWorld::NoCluster)?;
            let namespace = &invocation.operator_namespace;
            match purpose {
                Purpose::Write => {
                    let key = installation_key::load_or_create(&cluster.api, namespace).await?;
                    Ok(kept(key))
                }
                Purpose::Look | Purpose::HandOn => {
                    looked_for(installation_key::load(&cluster.api, namespace).await?)
                }
            }
        }
        None => match (usual_path(), purpose) {
            (Some(path), Purpose::Write) => Ok(kept(load_or_create(&path)?)),
            (None, Purpose::Write) => Err(OpenWorld::NoHome),
            (Some(path), _) => looked_for(load(&path)?),
            (None, _) => looked_for(None),
        },
    }
}

/// Where the key of this machine lies.
pub(super) fn usual_path() -> Option<PathBuf> {
    default_path(|name| std::env::var(name).ok())
}

/// For each sync whose targets in a cluster another installation looks after: a key that carries that installation's
/// name, and nothing of its secret. A plan made with it compares contents; it opens no record.
pub(super) async fn standing_in(
    invocation: &Invocation,
    targets: &dyn Targets,
    own: &InstallationKey,
) -> Result<BTreeMap<SyncId, Arc<InstallationKey>>, OpenWorld> {
    let mut keys = BTreeMap::new();
    for chosen in &invocation.syncs {
        let id = &chosen.sync.id;
        let in_cluster = |target: &&ValidatedTarget| target.destination.is_object();
        let Some(target) = chosen.targets().find(in_cluster) else {
            continue;
        };
        // A target that cannot be looked at is told by the engine.
        let Ok(Observation::Present(object)) = targets.observe(id, target).await else {
            continue;
        };
        let suffix = format!("/{id}");
        let owner = object
            .owner
            .as_deref()
            .and_then(|owner| owner.strip_suffix(&suffix));
        let installation = owner.and_then(InstallationId::new);
        if let Some(installation) = installation.filter(|other| other != own.installation()) {
            let mut secret = Zeroizing::new([0; KEY_LENGTH]);
            getrandom::fill(secret.as_mut_slice()).map_err(OpenWorld::ReadRandomness)?;
            keys.insert(
                id.clone(),
                Arc::new(InstallationKey::new(*secret, installation)),
            );
        }
    }
    Ok(keys)
}

fn looked_for(found: Option<InstallationKey>) -> Result<ChosenKey, OpenWorld> {
    let kept = found.is_some();
    let key = match found {
        Some(key) => key,
        None => parse(&generate().map_err(OpenWorld::MakeKey)?)?,
    };
    Ok(ChosenKey { key, kept })
}

fn descriptor(number: u32) -> Result<InstallationKey, OpenWorld> {
    let failed = |source| OpenWorld::ReadKey {
        place: format!("file descriptor {number}"),
        source,
    };
    let mut text = Zeroizing::new(String::new());
    let limit = u64::try_from(MAX_KEY_TEXT).unwrap_or(u64::MAX);
    let file = File::open(format!("/dev/fd/{number}")).map_err(failed)?;
    let read = file
        .take(limit + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if read > MAX_KEY_TEXT {
        return Err(failed(io::Error::other("it gives too much")));
    }
    Ok(parse(&text)?)
}
