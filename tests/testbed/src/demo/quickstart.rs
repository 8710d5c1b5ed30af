//! `examples/quickstart/` with its two marked places filled in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

/// Why the example cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QuickstartError {
    /// A file could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not YAML.
    #[error("cannot understand {file}: {why}")]
    Parse {
        /// The file.
        file: &'static str,
        /// Why.
        why: String,
    },
    /// A file has no object with a place that is to be filled.
    #[error("{file} has no {kind} with {place}")]
    Lack {
        /// The file.
        file: &'static str,
        /// The object's kind.
        kind: &'static str,
        /// JSON pointer.
        place: &'static str,
    },
}

/// What goes into the two marked places.
pub(super) struct Login<'a> {
    /// ❶ The vault's URL.
    pub(super) address: &'a str,
    /// ❶ Its authority, PEM.
    pub(super) authority: &'a str,
    /// ❷ A token that may read the path.
    pub(super) token: &'a str,
}

/// The example's files, ready to be applied.
pub(super) struct Quickstart {
    /// `store.yaml`, filled in.
    pub(super) store: String,
    /// `sync.yaml`, with a short interval.
    pub(super) sync: String,
    /// `app.yaml` as it is.
    pub(super) app: String,
}

impl Quickstart {
    /// Reads the files of `folder`, fills in `login`, and lets sources be read every `interval`.
    pub(super) fn read(
        folder: &Path,
        login: &Login<'_>,
        interval: Duration,
    ) -> Result<Self, QuickstartError> {
        Ok(Self {
            store: store(&text(folder, "store.yaml")?, login)?,
            sync: sync(&text(folder, "sync.yaml")?, interval)?,
            app: text(folder, "app.yaml")?,
        })
    }
}

fn text(folder: &Path, file: &str) -> Result<String, QuickstartError> {
    let path = folder.join(file);
    fs::read_to_string(&path).map_err(|source| QuickstartError::Read { path, source })
}

fn store(yaml: &str, login: &Login<'_>) -> Result<String, QuickstartError> {
    let mut file = Documents::parse("store.yaml", yaml)?;
    *file.place("Secret", "/stringData/token")? = json!(login.token);
    *file.place("SecretStore", "/spec/provider/vault/address")? = json!(login.address);
    file.place("SecretStore", "/spec/provider/vault")?["caBundle"] = json!(login.authority);
    Ok(file.text())
}

fn sync(yaml: &str, interval: Duration) -> Result<String, QuickstartError> {
    let mut file = Documents::parse("sync.yaml", yaml)?;
    file.place("SecretSync", "/spec")?["interval"] = json!(format!("{}s", interval.as_secs()));
    Ok(file.text())
}

/// The documents of one file.
struct Documents {
    file: &'static str,
    documents: Vec<Value>,
}

impl Documents {
    fn parse(file: &'static str, yaml: &str) -> Result<Self, QuickstartError> {
        let documents =
            serde_saphyr::from_multiple(yaml).map_err(|error| QuickstartError::Parse {
                file,
                why: error.to_string(),
            })?;
        Ok(Self { file, documents })
    }

    /// A place in the object of `kind`; it must be there already.
    fn place(
        &mut self,
        kind: &'static str,
        place: &'static str,
    ) -> Result<&mut Value, QuickstartError> {
        let file = self.file;
        self.documents
            .iter_mut()
            .find(|document| document["kind"] == kind)
            .and_then(|document| document.pointer_mut(place))
            .ok_or(QuickstartError::Lack { file, kind, place })
    }

    /// JSON documents, which are YAML.
    fn text(&self) -> String {
        let documents: Vec<String> = self.documents.iter().map(Value::to_string).collect();
        documents.join("\n---\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Login<'static> = Login {
        address: "https://127.0.0.1:8200",
        authority: "PEM",
        token: "t0ken",
    };

    #[test]
    fn the_example_itself_has_both_places() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart");
        let filled = Quickstart::read(&folder, &LOGIN, Duration::from_secs(10)).unwrap();
        for expected in ["t0ken", "https://127.0.0.1:8200", "\"caBundle\":\"PEM\""] {
            assert!(filled.store.contains(expected), "{}", filled.store);
        }
        assert!(!filled.store.contains("fill-me") && !filled.store.contains("example.com"));
        assert!(
            filled.sync.contains(r#""interval":"10s""#),
            "{}",
            filled.sync
        );
        assert!(filled.app.contains("kind: Deployment"));
    }

    #[test]
    fn a_place_that_has_moved_is_an_error() {
        let moved = "kind: Secret\nstringData: {token: x}\n---\nkind: SecretStore\nspec: {}\n";
        let error = store(moved, &LOGIN).unwrap_err().to_string();
        assert!(error.contains("/spec/provider/vault/address"), "{error}");
    }
}
