//! What an Infisical holds when it starts, from a JSON document.
//!
//! ```json
//! {
//!   "identity": {"clientId": "…", "clientSecret": "…", "write": true},
//!   "project": {"id": "p-uuid", "slug": "panbot"},
//!   "secrets": [
//!     {"environment": "prod", "path": "/database", "name": "DB_URL", "value": "…", "tags": ["api"]}
//!   ],
//!   "imports": [{"environment": "prod", "path": "/app", "from": {"environment": "prod", "path": "/shared"}}]
//! }
//! ```

use std::collections::BTreeSet;

use serde::Deserialize;

use super::model::{Grant, Identity, Import, Model, id_of};

/// One project, one identity, and what they hold.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// The identity, which may do everything in the project.
    pub identity: SeedIdentity,
    /// The project.
    pub project: SeedProject,
    /// Its secrets.
    #[serde(default)]
    pub secrets: Vec<SeedSecret>,
    /// Its imports.
    #[serde(default)]
    pub imports: Vec<SeedImport>,
}

/// A machine identity with universal auth.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedIdentity {
    /// Its client id.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: String,
    /// Whether it may write.
    #[serde(default)]
    pub write: bool,
}

/// A project.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedProject {
    /// Its id.
    pub id: String,
    /// Its slug.
    pub slug: String,
}

/// A secret.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedSecret {
    /// The environment's slug.
    pub environment: String,
    /// The folder.
    #[serde(default = "root")]
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Slugs of its tags.
    #[serde(default)]
    pub tags: BTreeSet<String>,
}

/// An import.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedImport {
    /// The environment's slug.
    pub environment: String,
    /// The folder.
    #[serde(default = "root")]
    pub path: String,
    /// What it imports.
    pub from: SeedPlace,
}

/// A folder of an environment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedPlace {
    /// The environment's slug.
    pub environment: String,
    /// The folder.
    #[serde(default = "root")]
    pub path: String,
}

fn root() -> String {
    "/".to_owned()
}

impl From<Seed> for Model {
    fn from(seed: Seed) -> Self {
        let mut model = Self::default();
        let project = seed.project.id;
        let identity = Identity {
            client_id: seed.identity.client_id,
            client_secrets: BTreeSet::from([seed.identity.client_secret]),
            ttl: 7200,
            max_ttl: 43_200,
            grants: vec![Grant {
                write: seed.identity.write,
                ..Grant::reader(&project)
            }],
            ..Identity::default()
        };
        model
            .identities
            .insert(id_of("identity", &project), identity);
        model.projects.entry(project.clone()).or_default().slug = seed.project.slug;
        for secret in seed.secrets {
            let place = (
                project.as_str(),
                secret.environment.as_str(),
                secret.path.as_str(),
            );
            model.put(place, &secret.name, &secret.value);
            for slug in &secret.tags {
                let tag = id_of("tag", &format!("{project} {slug}"));
                let tags = &mut model.projects.entry(project.clone()).or_default().tags;
                tags.insert(tag, slug.clone());
            }
            let folder = model.folder(&project, &secret.environment, &secret.path);
            folder.secrets.entry(secret.name).or_default().tags = secret.tags;
        }
        for import in seed.imports {
            let folder = model.folder(&project, &import.environment, &import.path);
            folder.imports.push(Import {
                environment: import.from.environment,
                path: import.from.path,
            });
        }
        model
    }
}
