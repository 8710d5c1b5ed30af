//! What a source asks of one object.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::reserved::is_reserved_object;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::DataKind;
use penstock_domain::sync::SourceOptions;

use crate::open::StoreQuery;

const PROBE_NAME: &str = "penstock-store-check";

/// One object, or one key of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectQuery {
    pub(super) kind: DataKind,
    pub(super) name: ObjectName,
    field: Option<String>,
}

impl ObjectQuery {
    /// Reads `query` as one about an object.
    pub(super) fn of(subject: &str, query: &StoreQuery) -> Result<Self, Fault> {
        let refuse = |message: &str| Fault::new(FaultClass::Invalid, subject, message);
        if query.environment.is_some() {
            return Err(refuse(
                "Kubernetes has no environments: remove `environment`",
            ));
        }
        if query.version.is_some() {
            return Err(refuse("Kubernetes keeps no versions: remove `version`"));
        }
        let kind = match query.options {
            SourceOptions::None | SourceOptions::Kubernetes { config_map: false } => {
                DataKind::Secret
            }
            SourceOptions::Kubernetes { config_map: true } => DataKind::ConfigMap,
            _ => {
                return Err(refuse(
                    "the only options of a store of another namespace or cluster are `options.kubernetes`",
                ));
            }
        };
        let name = match query.path.segments() {
            [name] if !query.path.is_folder() => ObjectName::new(name.as_str()).ok(),
            _ => None,
        };
        let name = name.ok_or_else(|| refuse("`path` must be the name of one object"))?;
        if is_reserved_object(name.as_str()) {
            let message = "records, candidates and installation keys are never a source";
            return Err(Fault::new(FaultClass::Denied, subject, message));
        }
        Ok(Self {
            kind,
            name,
            field: query.field.clone(),
        })
    }

    /// An object whose absence is as good as its presence: asking for it shows whether we may ask.
    pub(super) fn probe(subject: &str) -> Result<Self, Fault> {
        let name = ObjectName::new(PROBE_NAME)
            .map_err(|error| Fault::new(FaultClass::Invalid, subject, error.to_string()))?;
        Ok(Self {
            kind: DataKind::Secret,
            name,
            field: None,
        })
    }

    /// `Secret shared/database`
    pub(super) fn object(&self, namespace: &NamespaceName) -> String {
        let kind = match self.kind {
            DataKind::Secret => "Secret",
            DataKind::ConfigMap => "ConfigMap",
        };
        format!("{kind} {namespace}/{}", self.name)
    }

    /// What the object holds of what is asked.
    pub(super) fn snapshot(
        &self,
        subject: &str,
        data: BTreeMap<String, SecretValue>,
    ) -> Result<Snapshot, Fault> {
        let entry = |(name, value)| SourceEntry {
            name,
            path: self.name.to_string(),
            tags: BTreeSet::new(),
            version: None,
            value,
        };
        let wanted = |(name, _): &(String, SecretValue)| {
            self.field.as_ref().is_none_or(|field| field == name)
        };
        let entries: Vec<_> = data.into_iter().filter(wanted).map(entry).collect();
        match &self.field {
            Some(field) if entries.is_empty() => Err(Fault::new(
                FaultClass::NotFound,
                subject,
                format!("the object {} has no key {field}", self.name),
            )),
            _ => Ok(Snapshot {
                entries,
                version: None,
            }),
        }
    }
}
