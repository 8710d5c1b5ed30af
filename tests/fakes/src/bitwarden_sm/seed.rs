//! What a Secrets Manager holds when it starts, from a JSON document.
//!
//! ```json
//! {"projects": [{"name": "shop", "secrets": {"DB_URL": "…"}}]}
//! ```
//!
//! One machine account may read and write all of it; its access token is told when the stand-in starts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::model::{Grant, Model};
use super::organization::Organization;
use crate::sealing::Seal;

/// Projects of one organisation.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The projects.
    #[serde(default)]
    pub projects: Vec<SeedProject>,
}

/// A project.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedProject {
    /// Its name.
    pub name: String,
    /// Its secrets.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

impl Seed {
    /// The server, and the access token.
    pub fn plant(self) -> Result<(Model, String), Seal> {
        let mut model = Model::default();
        let organization = Organization::found(&mut model)?;
        let mut projects = Vec::new();
        for project in self.projects {
            let id = organization.project(&mut model, &project.name)?;
            for (key, value) in &project.secrets {
                organization.secret(&mut model, Some(&id), (key, value, ""))?;
            }
            projects.push(id);
        }
        let all = Grant {
            read: true,
            write: true,
        };
        let grants: Vec<_> = projects.iter().map(|id| (id.as_str(), all)).collect();
        let (_, token) = organization.machine(&mut model, &grants)?;
        Ok((model, token))
    }
}
