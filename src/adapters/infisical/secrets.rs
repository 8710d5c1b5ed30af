//! Reads folders and secrets of one project.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use penstock_domain::bundle::{Snapshot, SourceEntry, SourceVersion};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::answer::{self, Asked, Rejection, Secret};
use super::client::{Client, Resource};
use super::error::InfisicalError;
use super::settings::ProjectName;
use crate::entries::Entries;
use crate::remembered::Remembered;

/// For how long a server is taken to know only the version of the API that it was found to know.
const API_MEMORY: Duration = Duration::from_hours(1);
/// The server remembers a tag for so long (`secretcache.go` of its Go part). Whatever it says about a tag, no
/// answer is older than this: a reference or an import may lead to a project whose changes the tag of this one
/// does not follow.
const TAG_MEMORY: Duration = Duration::from_mins(15);

/// Versions of the API that lists secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Api {
    /// `/api/v4/secrets`
    V4,
    /// `/api/v3/secrets/raw`
    V3,
}

/// Reads the secrets of one project.
pub(super) struct Secrets {
    client: Client,
    project: ProjectName,
    /// The project's id, where the spec has only its slug.
    id: OnceCell<String>,
    found: Mutex<Option<(Api, Instant)>>,
    remembered: Remembered<(Api, Asked), String>,
}

/// One secret that is read by its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Single<'a> {
    pub(super) name: &'a str,
    pub(super) version: Option<u64>,
}

impl Secrets {
    pub(super) fn new(client: Client, project: ProjectName) -> Self {
        Self {
            client,
            project,
            id: OnceCell::new(),
            found: Mutex::default(),
            remembered: Remembered::new(TAG_MEMORY),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Reads a folder, completely or not at all. `insist`: no earlier answer will do.
    pub(super) async fn list(
        &self,
        asked: &Asked,
        insist: bool,
    ) -> Result<Snapshot, InfisicalError> {
        let mut refused = None;
        for api in self.apis() {
            match self.list_on(api, asked, insist).await {
                Err(error) if error.concerns_one_api() => {
                    refused.get_or_insert(error);
                }
                answer => return self.answered(api, answer),
            }
        }
        Err(refused.unwrap_or(NO_API))
    }

    /// Reads one secret of a folder.
    pub(super) async fn single(
        &self,
        asked: &Asked,
        single: Single<'_>,
    ) -> Result<Snapshot, InfisicalError> {
        let mut refused = None;
        for api in self.apis() {
            match self.single_on(api, asked, single).await {
                Err(error) if error.concerns_one_api() => {
                    refused.get_or_insert(error);
                }
                answer => return self.answered(api, answer),
            }
        }
        Err(refused.unwrap_or(NO_API))
    }

    /// One cheap read that needs a live token: the project, or whose the service token is.
    pub(super) async fn check(&self, environment: Option<&str>) -> Result<(), InfisicalError> {
        if self.client.is_service_token() {
            let resource = resource(&["v2", "service-token"], "the service token");
            let found = self
                .client
                .read(&resource, answer::project_of_token)
                .await?;
            return match &self.project {
                ProjectName::Id(id) if *id != found => Err(InfisicalError::OtherProject),
                _ => Ok(()),
            };
        }
        let project = self.look_up().await?;
        match environment {
            Some(environment) if !project.has(environment) => Err(InfisicalError::Environment {
                environment: environment.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// The project; servers of before version 4 call it a workspace.
    async fn look_up(&self) -> Result<answer::Project, InfisicalError> {
        let routes = match &self.project {
            ProjectName::Id(id) => [["v1", "projects", id].as_slice(), &["v1", "workspace", id]]
                .map(|segments| resource(segments, "the project")),
            ProjectName::Slug(slug) => [
                ["v1", "projects", "slug", slug].as_slice(),
                &["v2", "workspace", slug],
            ]
            .map(|segments| resource(segments, "the project")),
        };
        let [new, old] = routes;
        match self.client.read(&new, answer::project).await {
            Err(error) if error.rejection() == Some(&Rejection::NoRoute) => {
                self.client.read(&old, answer::project).await
            }
            found => found,
        }
        .map_err(InfisicalError::about_the_project)
    }

    /// The versions of the API to try, in this order.
    fn apis(&self) -> [Api; 2] {
        let found = *self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Some((Api::V3, at)) if at.elapsed() < API_MEMORY => [Api::V3, Api::V4],
            _ => [Api::V4, Api::V3],
        }
    }

    fn answered<T>(
        &self,
        api: Api,
        answer: Result<T, InfisicalError>,
    ) -> Result<T, InfisicalError> {
        if answer.is_ok() {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            if found.is_none_or(|(known, at)| known != api || at.elapsed() >= API_MEMORY) {
                *found = Some((api, Instant::now()));
            }
        }
        answer
    }

    /// The parameter that names the project. Version 4 takes no slug.
    async fn project(&self, api: Api) -> Result<(&'static str, String), InfisicalError> {
        match (&self.project, api) {
            (ProjectName::Id(id), Api::V4) => Ok(("projectId", id.clone())),
            (ProjectName::Id(id), Api::V3) => Ok(("workspaceId", id.clone())),
            (ProjectName::Slug(slug), Api::V3) => Ok(("workspaceSlug", slug.clone())),
            (ProjectName::Slug(_), Api::V4) => {
                Ok(("projectId", self.project_id().await?.to_owned()))
            }
        }
    }

    /// The project's id, which is looked up once where the spec has only its slug.
    pub(super) async fn project_id(&self) -> Result<&str, InfisicalError> {
        match &self.project {
            ProjectName::Id(id) => Ok(id),
            ProjectName::Slug(_) => {
                let look = || async { self.look_up().await.map(|project| project.id) };
                Ok(self.id.get_or_try_init(look).await?)
            }
        }
    }

    async fn list_on(
        &self,
        api: Api,
        asked: &Asked,
        insist: bool,
    ) -> Result<Snapshot, InfisicalError> {
        let earlier = self
            .remembered
            .find(&(api, asked.clone()))
            .filter(|_| !insist);
        let mut resource = self.resource(api, asked, None).await?;
        resource
            .query
            .push(("recursive", asked.recursive.to_string()));
        if api == Api::V4 {
            let parameter = ("includePersonalOverrides", "false".to_owned());
            resource.query.push(parameter);
        }
        resource.tag = earlier.as_ref().map(|(tag, _)| tag.clone());
        let response = self.client.get(&resource).await?;
        if let (304, Some((_, snapshot))) = (response.status.as_u16(), &earlier) {
            return Ok((**snapshot).clone());
        }
        let secrets = answer::good(response.status.as_u16(), response.body())
            .and_then(|body| answer::list(body, asked))
            .map_err(|rejection| InfisicalError::read(&resource.name, rejection, &response))?;
        let tag = response.etag.clone();
        drop(response);
        let snapshot = Snapshot {
            entries: entries(secrets, &resource.name)?,
            version: None,
        };
        self.remembered.keep(&(api, asked.clone()), tag, &snapshot);
        Ok(snapshot)
    }

    async fn single_on(
        &self,
        api: Api,
        asked: &Asked,
        single: Single<'_>,
    ) -> Result<Snapshot, InfisicalError> {
        let mut resource = self.resource(api, asked, Some(single.name)).await?;
        resource.query.push(("type", "shared".to_owned()));
        if let Some(version) = single.version {
            resource.query.push(("version", version.to_string()));
        }
        let understand = |body: &[u8]| {
            let secret = answer::single(body, asked, single.name)?;
            // Whoever answers another version than asked for cannot be believed.
            if single.version.is_some() && secret.version != single.version {
                return Err(Rejection::Unbelievable(200));
            }
            Ok(secret)
        };
        let secret = self.client.read(&resource, understand).await?;
        Ok(Snapshot {
            version: secret.version.map(SourceVersion::Counter),
            entries: entries(vec![secret], &resource.name)?,
        })
    }

    /// What lists and single secrets have in common. Every flag is sent: defaults differ by release, and so do
    /// the spellings of one of them.
    async fn resource(
        &self,
        api: Api,
        asked: &Asked,
        name: Option<&str>,
    ) -> Result<Resource, InfisicalError> {
        let segments: &[&str] = match api {
            Api::V4 => &["v4", "secrets"],
            Api::V3 => &["v3", "secrets", "raw"],
        };
        let folder = asked.folder.to_text();
        let slash = if folder.is_empty() || name.is_none() {
            ""
        } else {
            "/"
        };
        let shown = format!(
            "{}:/{folder}{slash}{}",
            asked.environment,
            name.unwrap_or_default()
        );
        let mut resource = resource(segments, &shown);
        resource.segments.extend(name.map(str::to_owned));
        let imports = asked.imports.to_string();
        resource.query = vec![
            self.project(api).await?,
            ("environment", asked.environment.clone()),
            ("secretPath", format!("/{folder}")),
            ("viewSecretValue", "true".to_owned()),
            ("expandSecretReferences", asked.references.to_string()),
            ("include_imports", imports.clone()),
        ];
        if api == Api::V4 {
            resource.query.push(("includeImports", imports));
        }
        Ok(resource)
    }
}

/// No version of the API was asked: there is always one.
pub(super) const NO_API: InfisicalError = InfisicalError::Ask {
    message: "there is no version of the API to ask",
};

fn resource(segments: &[&str], name: &str) -> Resource {
    Resource {
        segments: ["api"]
            .iter()
            .chain(segments)
            .map(|segment| (*segment).to_owned())
            .collect(),
        query: Vec::new(),
        name: name.to_owned(),
        tag: None,
    }
}

fn entries(secrets: Vec<Secret>, path: &str) -> Result<Vec<SourceEntry>, InfisicalError> {
    let mut entries = Entries::default();
    for secret in secrets {
        let entry = SourceEntry {
            name: secret.name,
            path: secret.folder,
            tags: secret.tags,
            version: secret.version.map(|version| version.to_string()),
            value: secret.value,
        };
        entries.add(entry).map_err(|_| InfisicalError::TooLarge {
            path: path.to_owned(),
        })?;
    }
    Ok(entries.into_list())
}
