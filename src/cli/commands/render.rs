//! `penstock render`: the manifests that the operator would write, for GitOps.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_domain::names::{Key, NamespaceName};
use penstock_domain::render::target_data;
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::{Destination, ValidatedTarget};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::arguments::RenderArguments;
use crate::exit::{CommandError, Ending};
use crate::local::{FindContent, Session};
use crate::output::Streams;

/// Prints or writes the manifests of all targets that are objects. Secrets only where they are to be revealed.
pub async fn render(
    session: &Session,
    arguments: &RenderArguments,
    streams: &mut Streams,
) -> Result<Ending, CommandError> {
    let mut left_out = 0_usize;
    for chosen in &session.invocation.syncs {
        let prepared = session.content(chosen).await?;
        let Some(bundle) = prepared.bundle() else {
            continue;
        };
        for target in chosen.targets() {
            let secret = match &target.destination {
                Destination::Secret(_) => true,
                Destination::ConfigMap(_) => false,
                Destination::File(_) | Destination::HostFile(_) => continue,
            };
            if secret && !arguments.reveal {
                left_out += 1;
                continue;
            }
            let data = target_data(bundle, target).map_err(|faults| FindContent::Nothing {
                sync: chosen.sync.id.to_string(),
                faults,
            })?;
            let object = manifest(&chosen.sync.id.namespace, target, &data);
            let yaml =
                Zeroizing::new(serde_saphyr::to_string(&object).map_err(CommandError::WriteYaml)?);
            hand_out(&yaml, &chosen.sync.id.namespace, target, arguments, streams)?;
            if secret {
                session.note_reveal(target.destination.object_name(), data.keys());
            }
        }
    }
    if left_out > 0 {
        let what = if left_out == 1 {
            "Secret is"
        } else {
            "Secrets are"
        };
        streams.tell(format!(
            "{left_out} {what} left out: say --reveal to render with values"
        ));
    }
    streams.out.flush().map_err(CommandError::Print)?;
    Ok(Ending::Done)
}

fn hand_out(
    yaml: &str,
    namespace: &NamespaceName,
    target: &ValidatedTarget,
    arguments: &RenderArguments,
    streams: &mut Streams,
) -> Result<(), CommandError> {
    let Some(folder) = &arguments.output else {
        let text = Zeroizing::new(format!("---\n{}\n", yaml.trim_end()));
        return streams
            .out
            .write_all(text.as_bytes())
            .map_err(CommandError::Print);
    };
    let kind = target.destination.kind().to_ascii_lowercase();
    let name = format!(
        "{namespace}-{kind}-{}.yaml",
        target.destination.object_name()
    );
    let path = folder.join(name);
    write(&path, yaml.as_bytes()).map_err(|source| CommandError::WriteFile {
        path: path.clone(),
        source,
    })?;
    streams.tell(format!("wrote {}", path.display()));
    Ok(())
}

/// Whole or not at all, and for nobody else's eyes.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension("yaml.draft");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&draft)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // What is left of a failed try must not stay; why it failed counts more than why it stays.
        drop(fs::remove_file(&draft));
    }
    written
}

fn manifest(
    namespace: &NamespaceName,
    target: &ValidatedTarget,
    data: &BTreeMap<Key, SecretValue>,
) -> Value {
    let (labels, annotations, immutable) = match &target.destination {
        Destination::Secret(secret) => (&secret.labels, &secret.annotations, secret.immutable),
        Destination::ConfigMap(map) => (&map.labels, &map.annotations, map.immutable),
        Destination::File(_) | Destination::HostFile(_) => return Value::Null,
    };
    let mut metadata =
        json!({"name": target.destination.object_name(), "namespace": namespace.as_str()});
    for (field, marks) in [("labels", labels), ("annotations", annotations)] {
        if !marks.is_empty() {
            metadata[field] = json!(marks);
        }
    }
    let mut object = json!({
        "apiVersion": "v1",
        "kind": target.destination.kind(),
        "metadata": metadata,
    });
    if immutable {
        object["immutable"] = json!(true);
    }
    if let Destination::Secret(secret) = &target.destination {
        object["type"] = json!(secret.secret_type.as_str());
        object["data"] = Value::Object(encoded(data.iter()));
        return object;
    }
    let (texts, bytes): (Vec<_>, Vec<_>) = data
        .iter()
        .partition(|(_, value)| value.expose_text().is_some());
    if !texts.is_empty() {
        let texts = texts.into_iter();
        object["data"] = texts
            .filter_map(|(key, value)| Some((key.to_string(), json!(value.expose_text()?))))
            .collect();
    }
    if !bytes.is_empty() {
        object["binaryData"] = Value::Object(encoded(bytes.into_iter()));
    }
    object
}

fn encoded<'a>(data: impl Iterator<Item = (&'a Key, &'a SecretValue)>) -> Map<String, Value> {
    data.map(|(key, value)| (key.to_string(), json!(STANDARD.encode(value.expose()))))
        .collect()
}
