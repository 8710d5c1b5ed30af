//! A namespace for one test.

use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use kube::{Client, Resource, ResourceExt};

use crate::objects::{ObjectError, apply};

/// A namespace that nobody else uses. It is not deleted when dropped: the control plane of a test
/// goes away as a whole. Against a cluster that stays, call [`delete`](Self::delete).
#[derive(Clone)]
pub struct Namespace {
    client: Client,
    name: String,
}

impl Namespace {
    /// Makes one whose name begins with `prefix` and ends in a few random letters.
    pub async fn create(client: &Client, prefix: &str) -> Result<Self, kube::Error> {
        let mut namespace = k8s_openapi::api::core::v1::Namespace::default();
        namespace.metadata.generate_name = Some(format!("{prefix}-"));
        let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
        let created = api.create(&PostParams::default(), &namespace).await?;
        Ok(Self {
            client: client.clone(),
            name: created.name_any(),
        })
    }

    /// One that exists already, as `client` sees it.
    pub fn named(client: &Client, name: &str) -> Self {
        Self {
            client: client.clone(),
            name: name.to_owned(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client that made it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The objects of one kind in it.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Applies the documents of a YAML text to it: see [`apply`].
    pub async fn apply(&self, yaml: &str) -> Result<Vec<DynamicObject>, ObjectError> {
        apply(&self.client, Some(&self.name), yaml).await
    }

    /// Deletes it, without waiting until it is empty.
    pub async fn delete(&self) -> Result<(), kube::Error> {
        let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.client.clone());
        api.delete(&self.name, &DeleteParams::default())
            .await
            .map(drop)
    }
}
