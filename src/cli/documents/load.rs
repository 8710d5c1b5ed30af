//! From texts to documents: pure, and every problem at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::api::store::{ClusterSecretStore, SecretStore};
use penstock_domain::fault::Fault;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::StoreObject;
use penstock_domain::text::nearest;
use serde::de::DeserializeOwned;

use super::files::InputText;
use super::problem::{Pointer, Problem, Problems};
use super::schema::{Mismatch, check, check_fields, our_kinds};
use super::set::{
    ConfigMapDocument, Documents, ObjectId, Origin, SecretDocument, StoreDocument, SyncDocument,
};
use super::tree::{Node, parse};

/// The API version of our kinds.
const OURS: &str = "penstock.dev/v1alpha1";
/// The group of our kinds.
const OUR_GROUP: &str = "penstock.dev/";
/// The most documents of all files together.
const MAX_DOCUMENTS: usize = 20_000;
/// The uid of what has none: documents live as long as the process.
const UID: &str = "document";

/// Namespaces that documents do not name.
#[derive(Debug, Clone)]
pub struct Namespaces {
    /// That of a document which names none.
    pub default: NamespaceName,
    /// Where the credentials of ClusterSecretStores lie.
    pub operator: NamespaceName,
}

/// Reads all documents of `inputs`.
pub fn load(inputs: &[InputText], namespaces: &Namespaces) -> Result<Documents, Problems> {
    let mut loading = Loading {
        namespaces,
        documents: Documents::default(),
        problems: Problems::default(),
        count: 0,
    };
    for input in inputs {
        match parse(&input.name, &input.text) {
            Err(problem) => loading.problems.push(problem),
            Ok(nodes) => {
                let file = Place {
                    file: &input.name,
                    folder: &input.folder,
                    trusted: input.trusted,
                };
                for node in nodes {
                    loading.object(file, node);
                }
            }
        }
    }
    loading.problems.or(loading.documents)
}

/// The file that is being read.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a Arc<str>,
    folder: &'a PathBuf,
    trusted: bool,
}

impl Place<'_> {
    fn origin(self, node: Node) -> Origin {
        Origin {
            file: Arc::clone(self.file),
            folder: self.folder.clone(),
            trusted: self.trusted,
            node: Arc::new(node),
        }
    }
}

struct Loading<'a> {
    namespaces: &'a Namespaces,
    documents: Documents,
    problems: Problems,
    count: usize,
}

impl Loading<'_> {
    fn object(&mut self, place: Place<'_>, node: Node) {
        self.count += 1;
        if self.count > MAX_DOCUMENTS {
            if self.count == MAX_DOCUMENTS + 1 {
                let message = format!("there are more than {MAX_DOCUMENTS} documents");
                let at = node.find(place.file, "");
                self.problems.push(Problem::new(Some(at), "", message));
            }
            return;
        }
        let word = |name: &str| {
            node.get(name)
                .and_then(Node::text)
                .unwrap_or_default()
                .to_owned()
        };
        let (version, kind) = (word("apiVersion"), word("kind"));
        match (version.as_str(), kind.as_str()) {
            (OURS, "SecretSync") => self.sync(&place.origin(node)),
            (OURS, "SecretStore") => self.store(&place.origin(node)),
            (OURS, "ClusterSecretStore") => self.cluster_store(&place.origin(node)),
            ("v1", "Secret") => self.secret(&place.origin(node)),
            ("v1", "ConfigMap") => self.config_map(&place.origin(node)),
            ("v1", "List") => {
                for item in node.get("items").map(Node::items).unwrap_or_default() {
                    self.object(place, item.clone());
                }
            }
            _ if version.starts_with(OUR_GROUP) => {
                self.stranger(&place.origin(node), &version, &kind);
            }
            _ => {}
        }
    }

    /// A kind of our group that is not read here.
    fn stranger(&mut self, origin: &Origin, version: &str, kind: &str) {
        if version != OURS {
            let problem = Problem::new(
                Some(origin.find("apiVersion")),
                "apiVersion",
                "is not served",
            );
            self.problems
                .push(problem.hint(format!("This version serves {OURS}")));
        } else if !our_kinds().any(|known| known == kind) {
            let problem = Problem::new(
                Some(origin.find("kind")),
                "kind",
                "is no kind of penstock.dev",
            );
            let hint = nearest(kind, our_kinds()).map_or_else(
                || format!("There are: {}", our_kinds().collect::<Vec<_>>().join(", ")),
                |meant| format!("Did you mean `{meant}`?"),
            );
            self.problems.push(problem.hint(hint));
        }
        // ClusterSecretSyncs and SecretRotations are the operator's work.
    }

    fn sync(&mut self, origin: &Origin) {
        let Some(mut object) = self.decode::<SecretSync>("SecretSync", origin) else {
            return;
        };
        let Some(id) = self.identity("SecretSync", origin) else {
            return;
        };
        object.metadata.namespace = Some(id.namespace.to_string());
        // A document has no generation: one that was taken from a cluster is as good as its file.
        object.metadata.generation = None;
        let document = SyncDocument {
            object,
            origin: origin.clone(),
        };
        let former = self.documents.syncs.insert(id.clone(), document);
        self.once(
            "SecretSync",
            &id.to_string(),
            origin,
            former.map(|former| former.origin),
        );
    }

    fn store(&mut self, origin: &Origin) {
        let Some(mut object) = self.decode::<SecretStore>("SecretStore", origin) else {
            return;
        };
        let Some(id) = self.identity("SecretStore", origin) else {
            return;
        };
        object.metadata.namespace = Some(id.namespace.to_string());
        object.metadata.uid = Some(UID.to_owned());
        self.keep_store(origin, StoreObject::of_namespace(&object));
    }

    fn cluster_store(&mut self, origin: &Origin) {
        let Some(mut object) = self.decode::<ClusterSecretStore>("ClusterSecretStore", origin)
        else {
            return;
        };
        object.metadata.uid = Some(UID.to_owned());
        let operator = self.namespaces.operator.clone();
        self.keep_store(origin, StoreObject::of_cluster(&object, operator));
    }

    fn keep_store(&mut self, origin: &Origin, store: Result<StoreObject, Fault>) {
        let store = match store {
            Ok(store) => store,
            Err(fault) => {
                self.problems.push(origin.problem(&fault));
                return;
            }
        };
        let (home, reference) = (store.home.clone(), store.reference.clone());
        let label = reference.to_string();
        let document = StoreDocument {
            object: Arc::new(store),
            origin: origin.clone(),
        };
        let former = self.documents.stores.insert((home, reference), document);
        self.once("", &label, origin, former.map(|former| former.origin));
    }

    fn secret(&mut self, origin: &Origin) {
        let fields = [
            "apiVersion",
            "kind",
            "metadata",
            "data",
            "stringData",
            "type",
            "immutable",
        ];
        let mismatches = check_fields("Secret", &origin.node, &fields);
        let Some(id) = self
            .identity("Secret", origin)
            .filter(|_| mismatches.is_empty())
        else {
            return self.mismatches(origin, mismatches);
        };
        let mut data = self.encoded(origin, "data");
        data.extend(self.plain(origin, "stringData"));
        let annotations = self.texts(origin, "annotations");
        let document = SecretDocument {
            data,
            annotations,
            origin: origin.clone(),
        };
        let former = self.documents.secrets.insert(id.clone(), document);
        self.once(
            "Secret",
            &id.to_string(),
            origin,
            former.map(|former| former.origin),
        );
    }

    fn config_map(&mut self, origin: &Origin) {
        let fields = [
            "apiVersion",
            "kind",
            "metadata",
            "data",
            "binaryData",
            "immutable",
        ];
        let mismatches = check_fields("ConfigMap", &origin.node, &fields);
        let Some(id) = self
            .identity("ConfigMap", origin)
            .filter(|_| mismatches.is_empty())
        else {
            return self.mismatches(origin, mismatches);
        };
        let mut data = self.encoded(origin, "binaryData");
        data.extend(self.plain(origin, "data"));
        let document = ConfigMapDocument {
            data,
            origin: origin.clone(),
        };
        let former = self.documents.config_maps.insert(id.clone(), document);
        self.once(
            "ConfigMap",
            &id.to_string(),
            origin,
            former.map(|former| former.origin),
        );
    }

    /// The object, if its tree fits the schema.
    fn decode<T: DeserializeOwned>(&mut self, kind: &str, origin: &Origin) -> Option<T> {
        let mismatches = check(kind, &origin.node);
        if !mismatches.is_empty() {
            self.mismatches(origin, mismatches);
            return None;
        }
        let mut json = origin.node.to_json();
        if let Some(object) = json.as_object_mut() {
            // Whatever a cluster said about it means nothing here.
            object.remove("status");
        }
        match serde_path_to_error::deserialize(json) {
            Ok(object) => Some(object),
            Err(error) => {
                let path = error.path().to_string();
                // What serde says may quote a value.
                let message = format!("does not fit into a {kind}");
                let at = Some(origin.find(&path));
                self.problems.push(Problem::new(at, path, message));
                None
            }
        }
    }

    fn mismatches(&mut self, origin: &Origin, mismatches: Vec<Mismatch>) {
        for mismatch in mismatches {
            let at = Pointer {
                file: Arc::clone(&origin.file),
                line: mismatch.line,
                column: mismatch.column,
                field: mismatch.field,
            };
            self.problems.push(Problem {
                at: Some(at),
                subject: mismatch.path.into(),
                message: mismatch.message.into(),
                hint: mismatch.hint,
            });
        }
    }

    /// Namespace and name.
    fn identity(&mut self, kind: &str, origin: &Origin) -> Option<ObjectId> {
        let metadata = origin.node.get("metadata");
        let word = |name: &str| {
            metadata
                .and_then(|metadata| metadata.get(name))
                .and_then(Node::text)
        };
        let name = ObjectName::new(word("name").unwrap_or_default());
        let namespace = match word("namespace") {
            None => Ok(self.namespaces.default.clone()),
            Some(namespace) => NamespaceName::new(namespace),
        };
        let mut wrong = |field: &str, message: String| {
            let at = Some(origin.find(field));
            self.problems
                .push(Problem::new(at, format!("{kind} {field}"), message));
        };
        match (name, namespace) {
            (Ok(name), Ok(namespace)) => Some(ObjectId { namespace, name }),
            (name, namespace) => {
                if let Err(error) = name {
                    wrong("metadata.name", error.to_string());
                }
                if let Err(error) = namespace {
                    wrong("metadata.namespace", error.to_string());
                }
                None
            }
        }
    }

    /// Notes an object that was there before.
    fn once(&mut self, kind: &str, name: &str, origin: &Origin, former: Option<Origin>) {
        let Some(former) = former else { return };
        let label = format!("{kind} {name}");
        let message = format!("stands twice: first in {}", former.start());
        let problem = Problem::new(Some(origin.find("metadata.name")), label.trim(), message);
        self.problems
            .push(problem.hint("Remove one of them, or give it another name or namespace"));
    }

    /// The entries of a mapping of base64 texts.
    fn encoded(&mut self, origin: &Origin, field: &str) -> BTreeMap<String, SecretValue> {
        let mut values = BTreeMap::new();
        for (name, text) in self.texts_of(origin, field, origin.node.get(field)) {
            // Line breaks within are what `base64` prints without `-w0`.
            let text: zeroize::Zeroizing<String> = zeroize::Zeroizing::new(
                text.chars()
                    .filter(|character| !character.is_ascii_whitespace())
                    .collect(),
            );
            if let Ok(bytes) = STANDARD.decode(text.as_bytes()) {
                values.insert(name, SecretValue::new(bytes));
                continue;
            }
            let path = format!("{field}.{name}");
            let at = Some(origin.find_entry(field, &name));
            let problem = Problem::new(at, path, "is no base64");
            self.problems
                .push(problem.hint("Encode it, or write it out under `stringData`"));
        }
        values
    }

    fn plain(&mut self, origin: &Origin, field: &str) -> BTreeMap<String, SecretValue> {
        let texts = self.texts_of(origin, field, origin.node.get(field));
        texts
            .into_iter()
            .map(|(name, text)| (name, SecretValue::from(text)))
            .collect()
    }

    /// The texts of `metadata.<field>`.
    fn texts(&mut self, origin: &Origin, field: &str) -> BTreeMap<String, String> {
        let node = origin
            .node
            .get("metadata")
            .and_then(|metadata| metadata.get(field));
        let texts = self.texts_of(origin, field, node);
        texts
            .into_iter()
            .map(|(name, text)| (name, text.to_owned()))
            .collect()
    }

    fn texts_of<'a>(
        &mut self,
        origin: &Origin,
        field: &str,
        node: Option<&'a Node>,
    ) -> Vec<(String, &'a str)> {
        let mut texts = Vec::new();
        for entry in node.map(Node::entries).unwrap_or_default() {
            if let Some(text) = entry.value.text() {
                texts.push((entry.key.clone(), text));
                continue;
            }
            let at = Pointer {
                file: Arc::clone(&origin.file),
                line: entry.line,
                column: entry.column,
                field: Some(entry.key.clone()),
            };
            let message = format!("is {}, and a text is expected", entry.value.content.kind());
            let path = format!("{field}.{}", entry.key);
            let problem = Problem::new(Some(at), path, message);
            self.problems.push(problem.hint("Put it into quotes"));
        }
        texts
    }
}
