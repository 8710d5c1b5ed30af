//! Requests to the API server: which object, which verb, and how they look on the wire.

use std::fmt;

use http::{Method, Request};
use penstock_domain::names::NamespaceName;
use serde::Serialize;
use url::form_urlencoded::Serializer as Query;

/// The kinds of objects that this adapter touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Resource {
    Secret,
    ConfigMap,
    ServiceAccount,
    ServiceAccountToken,
    Pod,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Rollout,
    Job,
    CronJob,
    PersistentVolumeClaim,
    /// A Canary of Flagger's, which controls a workload.
    FlaggerCanary,
    SecretSync,
    Event,
    Lease,
    /// A CustomResourceDefinition.
    Definition,
    /// Who asks; not an object that is kept.
    SelfReview,
    /// What whoever asks may do; not an object that is kept.
    AccessReview,
    /// What the server serves; not an object.
    Discovery,
}

impl Resource {
    /// Group and version, as they stand in `apiVersion`.
    pub(super) fn api_version(self) -> &'static str {
        match self {
            Self::Secret
            | Self::ConfigMap
            | Self::ServiceAccount
            | Self::Pod
            | Self::PersistentVolumeClaim
            | Self::Discovery => "v1",
            Self::ServiceAccountToken | Self::SelfReview => "authentication.k8s.io/v1",
            Self::SecretSync => "penstock.dev/v1alpha1",
            Self::Event => "events.k8s.io/v1",
            Self::Lease => "coordination.k8s.io/v1",
            Self::Definition => "apiextensions.k8s.io/v1",
            Self::AccessReview => "authorization.k8s.io/v1",
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet => "apps/v1",
            Self::Rollout => "argoproj.io/v1alpha1",
            Self::Job | Self::CronJob => "batch/v1",
            Self::FlaggerCanary => "flagger.app/v1beta1",
        }
    }

    /// The name in paths and in RBAC rules.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::ConfigMap => "configmaps",
            Self::ServiceAccount => "serviceaccounts",
            Self::ServiceAccountToken => "serviceaccounts/token",
            Self::Pod => "pods",
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::ReplicaSet => "replicasets",
            Self::Rollout => "rollouts",
            Self::Job => "jobs",
            Self::CronJob => "cronjobs",
            Self::PersistentVolumeClaim => "persistentvolumeclaims",
            Self::FlaggerCanary => "canaries",
            Self::SecretSync => "secretsyncs",
            Self::Event => "events",
            Self::Lease => "leases",
            Self::Definition => "customresourcedefinitions",
            Self::SelfReview => "selfsubjectreviews",
            Self::AccessReview => "selfsubjectaccessreviews",
            Self::Discovery => "API groups",
        }
    }

    /// The name in `kind`.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::ServiceAccount => "ServiceAccount",
            Self::ServiceAccountToken => "TokenRequest",
            Self::Pod => "Pod",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Rollout => "Rollout",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::FlaggerCanary => "Canary",
            Self::SecretSync => "SecretSync",
            Self::Event => "Event",
            Self::Lease => "Lease",
            Self::Definition => "CustomResourceDefinition",
            Self::SelfReview => "SelfSubjectReview",
            Self::AccessReview => "SelfSubjectAccessReview",
            Self::Discovery => "APIGroupList",
        }
    }

    fn root(self) -> &'static str {
        match self {
            Self::Secret
            | Self::ConfigMap
            | Self::Pod
            | Self::PersistentVolumeClaim
            | Self::ServiceAccount
            | Self::ServiceAccountToken
            | Self::Discovery => "/api/v1",
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet => {
                "/apis/apps/v1"
            }
            Self::Rollout => "/apis/argoproj.io/v1alpha1",
            Self::Job | Self::CronJob => "/apis/batch/v1",
            Self::FlaggerCanary => "/apis/flagger.app/v1beta1",
            Self::SecretSync => "/apis/penstock.dev/v1alpha1",
            Self::Event => "/apis/events.k8s.io/v1",
            Self::Lease => "/apis/coordination.k8s.io/v1",
            Self::Definition => "/apis/apiextensions.k8s.io/v1",
            Self::SelfReview => "/apis/authentication.k8s.io/v1",
            Self::AccessReview => "/apis/authorization.k8s.io/v1",
        }
    }

    fn collection(self, namespace: Option<&NamespaceName>) -> String {
        let root = self.root();
        // A subresource stands below its object: `serviceaccounts/<name>/token`.
        let plural = self.plural().split('/').next().unwrap_or_default();
        match namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}"),
            None => format!("{root}/{plural}"),
        }
    }
}

/// `secrets`, as in RBAC rules.
impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.plural())
    }
}

/// What a request does, in the words of RBAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    List,
    Create,
    Patch,
    Delete,
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
        })
    }
}

/// Which object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address<'a> {
    pub(super) resource: Resource,
    pub(super) namespace: &'a NamespaceName,
    /// A name that has been checked: it goes into the path as it is.
    pub(super) name: &'a str,
}

/// What must be true of an object that is to be deleted.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeletePreconditions<'a> {
    pub(super) uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resource_version: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteOptions<'a> {
    api_version: &'static str,
    kind: &'static str,
    propagation_policy: &'static str,
    preconditions: DeletePreconditions<'a>,
}

/// One page of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) selector: &'a str,
    /// A field selector; empty for all.
    pub(super) fields: &'a str,
    pub(super) limit: u32,
    pub(super) continue_token: &'a str,
    /// Only `metadata` of each object.
    pub(super) metadata_only: bool,
}

/// One operation of a JSON patch (RFC 6902).
#[derive(Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(super) enum PatchOperation<'a> {
    Test {
        path: String,
        value: &'a str,
    },
    Add {
        path: String,
        value: serde_json::Value,
    },
    Remove {
        path: String,
    },
}

/// The JSON pointer (RFC 6901) to `member` of `parent`.
pub(super) fn pointer(parent: &str, member: &str) -> String {
    format!("{parent}/{}", member.replace('~', "~0").replace('/', "~1"))
}

/// A request that is ready to be sent, any number of times.
pub(super) struct Call {
    pub(super) verb: Verb,
    pub(super) resource: Resource,
    method: Method,
    target: String,
    content_type: &'static str,
    accept: &'static str,
    /// `None` when the body could not be serialised.
    body: Option<Vec<u8>>,
}

const JSON: &str = "application/json";
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

impl Call {
    /// Reads one object.
    pub(super) fn get(address: Address<'_>) -> Self {
        Self::new(Verb::Get, Method::GET, address.resource, address.path())
    }

    /// Reads one object that lies in no namespace. The name has been checked.
    pub(super) fn get_of_cluster(resource: Resource, name: &str) -> Self {
        let target = format!("{}/{name}", resource.collection(None));
        Self::new(Verb::Get, Method::GET, resource, target)
    }

    /// Reads one path of the discovery documents.
    pub(super) fn discover(path: &str) -> Self {
        Self::new(Verb::Get, Method::GET, Resource::Discovery, path.to_owned())
    }

    /// Reads one page, of one namespace or of all.
    pub(super) fn list(
        resource: Resource,
        namespace: Option<&NamespaceName>,
        page: Page<'_>,
    ) -> Self {
        let mut query = Query::new(String::new());
        query.append_pair("limit", &page.limit.to_string());
        for (name, value) in [
            ("labelSelector", page.selector),
            ("fieldSelector", page.fields),
            ("continue", page.continue_token),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let target = format!("{}?{}", resource.collection(namespace), query.finish());
        let mut call = Self::new(Verb::List, Method::GET, resource, target);
        if page.metadata_only {
            call.accept = METADATA_LIST;
        }
        call
    }

    /// Creates an object. Fails when one of its name exists.
    pub(super) fn create(
        resource: Resource,
        namespace: &NamespaceName,
        manager: &str,
        object: &impl Serialize,
    ) -> Self {
        let target = format!("{}?{}", resource.collection(Some(namespace)), by(manager));
        Self::new(Verb::Create, Method::POST, resource, target).body(JSON, object)
    }

    /// Asks something that no namespace holds, and that leaves nothing behind.
    pub(super) fn review(resource: Resource, object: &impl Serialize) -> Self {
        Self::new(
            Verb::Create,
            Method::POST,
            resource,
            resource.collection(None),
        )
        .body(JSON, object)
    }

    /// Creates a subresource of an object: a token of a service account.
    pub(super) fn create_below(address: Address<'_>, below: &str, object: &impl Serialize) -> Self {
        let target = format!("{}/{below}", address.path());
        Self::new(Verb::Create, Method::POST, address.resource, target).body(JSON, object)
    }

    /// Server-side apply that takes fields from other managers.
    pub(super) fn apply(address: Address<'_>, manager: &str, object: &impl Serialize) -> Self {
        let target = format!("{}?{}&force=true", address.path(), by(manager));
        Self::new(Verb::Patch, Method::PATCH, address.resource, target)
            .body("application/apply-patch+yaml", object)
    }

    /// JSON merge patch (RFC 7386).
    pub(super) fn merge(address: Address<'_>, manager: &str, patch: &impl Serialize) -> Self {
        let target = format!("{}?{}", address.path(), by(manager));
        Self::new(Verb::Patch, Method::PATCH, address.resource, target)
            .body("application/merge-patch+json", patch)
    }

    /// JSON patch (RFC 6902).
    pub(super) fn json_patch(
        address: Address<'_>,
        manager: &str,
        patch: &[PatchOperation<'_>],
    ) -> Self {
        let target = format!("{}?{}", address.path(), by(manager));
        Self::new(Verb::Patch, Method::PATCH, address.resource, target)
            .body("application/json-patch+json", &patch)
    }

    /// Deletes exactly one object.
    pub(super) fn delete(address: Address<'_>, preconditions: DeletePreconditions<'_>) -> Self {
        let options = DeleteOptions {
            api_version: "v1",
            kind: "DeleteOptions",
            propagation_policy: "Background",
            preconditions,
        };
        Self::new(
            Verb::Delete,
            Method::DELETE,
            address.resource,
            address.path(),
        )
        .body(JSON, &options)
    }

    /// Asks for no more than `metadata` in the answer.
    pub(super) fn metadata_only(mut self) -> Self {
        self.accept = METADATA;
        self
    }

    fn new(verb: Verb, method: Method, resource: Resource, target: String) -> Self {
        Self {
            verb,
            resource,
            method,
            target,
            content_type: JSON,
            accept: JSON,
            body: Some(Vec::new()),
        }
    }

    fn body(mut self, content_type: &'static str, body: &impl Serialize) -> Self {
        self.content_type = content_type;
        self.body = serde_json::to_vec(body).ok();
        self
    }

    /// The request as HTTP; none when it cannot be put together.
    pub(super) fn http(&self) -> Option<Request<Vec<u8>>> {
        let body = self.body.clone()?;
        Request::builder()
            .method(self.method.clone())
            .uri(&self.target)
            .header(http::header::ACCEPT, self.accept)
            .header(http::header::CONTENT_TYPE, self.content_type)
            .body(body)
            .ok()
    }
}

impl Address<'_> {
    fn path(&self) -> String {
        let collection = self.resource.collection(Some(self.namespace));
        format!("{collection}/{}", self.name)
    }
}

fn by(manager: &str) -> String {
    Query::new(String::new())
        .append_pair("fieldManager", manager)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace() -> NamespaceName {
        NamespaceName::new("prod").unwrap()
    }

    fn line(call: &Call) -> String {
        let request = call.http().unwrap();
        format!("{} {}", request.method(), request.uri())
    }

    #[test]
    fn paths_and_queries_are_those_of_kubernetes() {
        let namespace = namespace();
        let at = |resource, name| Address {
            resource,
            namespace: &namespace,
            name,
        };
        assert_eq!(
            line(&Call::get(at(Resource::Secret, "a.b"))),
            "GET /api/v1/namespaces/prod/secrets/a.b"
        );
        assert_eq!(
            line(&Call::apply(
                at(Resource::ConfigMap, "a"),
                "penstock-00ff",
                &()
            )),
            "PATCH /api/v1/namespaces/prod/configmaps/a?fieldManager=penstock-00ff&force=true"
        );
        assert_eq!(
            line(&Call::create_below(
                at(Resource::ServiceAccountToken, "robot"),
                "token",
                &()
            )),
            "POST /api/v1/namespaces/prod/serviceaccounts/robot/token"
        );
        let page = Page {
            selector: "app=api,tier in (a,b)",
            fields: "",
            limit: 50,
            continue_token: "",
            metadata_only: false,
        };
        assert_eq!(
            line(&Call::list(Resource::Rollout, Some(&namespace), page)),
            "GET /apis/argoproj.io/v1alpha1/namespaces/prod/rollouts?limit=50\
             &labelSelector=app%3Dapi%2Ctier+in+%28a%2Cb%29"
        );
        assert_eq!(
            line(&Call::list(Resource::SecretSync, None, page)),
            "GET /apis/penstock.dev/v1alpha1/secretsyncs?limit=50\
             &labelSelector=app%3Dapi%2Ctier+in+%28a%2Cb%29"
        );
    }

    #[test]
    fn pointers_escape_what_rfc_6901_reserves() {
        assert_eq!(
            pointer("/metadata/annotations", "a.b/c~d"),
            "/metadata/annotations/a.b~1c~0d"
        );
    }
}
