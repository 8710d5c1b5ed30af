//! What a request to the API server is about, read from its method and URL.

use std::collections::BTreeMap;
use std::fmt;

use hyper::{Method, Uri};

/// What is done, in the words of RBAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads many.
    List,
    /// Follows changes.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH: server-side apply too.
    Patch,
    /// Deletes one object.
    Delete,
    /// Deletes many.
    DeleteCollection,
}

impl Verb {
    /// Whether it changes anything. Reviews and tokens are created, too, but stored nowhere: see
    /// [`ApiRequest::is_write`].
    pub fn is_write(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        })
    }
}

/// One request for a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// What is done.
    pub verb: Verb,
    /// API group, empty for the core.
    pub group: String,
    /// Resource in the plural, such as `secrets`.
    pub resource: String,
    /// Such as `status`; empty for the object itself.
    pub subresource: String,
    /// Namespace, empty for cluster-wide requests.
    pub namespace: String,
    /// Name, empty for requests about many, and for POST.
    pub name: String,
    /// Field manager, if the request names one.
    pub field_manager: String,
}

impl ApiRequest {
    /// Reads a request; `None` where it is about no resource (`/readyz`, `/apis`, `/openapi` …).
    pub(super) fn read(method: &Method, uri: &Uri) -> Option<Self> {
        let mut parts = uri.path().split('/').filter(|part| !part.is_empty());
        let group = match parts.next()? {
            "api" => String::new(),
            "apis" => parts.next()?.to_owned(),
            _ => return None,
        };
        let _version = parts.next()?;
        let rest: Vec<&str> = parts.collect();
        let (namespace, rest) = split_namespace(&rest);
        let mut rest = rest.iter().map(|&part| part.to_owned());
        let resource = rest.next()?;
        let name = rest.next().unwrap_or_default();
        let subresource = rest.next().unwrap_or_default();
        let query = Query::of(uri);
        let verb = match *method {
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE if name.is_empty() => Verb::DeleteCollection,
            Method::DELETE => Verb::Delete,
            _ if query.is_true("watch") => Verb::Watch,
            _ if name.is_empty() => Verb::List,
            _ => Verb::Get,
        };
        let name = match verb {
            Verb::List | Verb::Watch if name.is_empty() => query.selected_name().to_owned(),
            _ => name,
        };
        Some(Self {
            verb,
            group,
            resource,
            subresource,
            namespace: namespace.to_owned(),
            name,
            field_manager: query.value("fieldManager").to_owned(),
        })
    }

    /// Whether it changes something that is stored: a write that is no review and no token.
    pub fn is_write(&self) -> bool {
        let asks_only = self.resource.ends_with("reviews") || self.subresource == "token";
        self.verb.is_write() && !asks_only
    }

    /// Whether it is an Event or a Lease, which are counted apart.
    pub fn is_chatter(&self) -> bool {
        matches!(self.resource.as_str(), "events" | "leases")
    }

    pub(super) fn count(&self) -> Count {
        Count {
            verb: self.verb,
            resource: self.resource.clone(),
            subresource: self.subresource.clone(),
        }
    }
}

impl fmt::Display for ApiRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.verb, self.resource)?;
        if !self.subresource.is_empty() {
            write!(formatter, "/{}", self.subresource)?;
        }
        write!(formatter, " {}/{}", self.namespace, self.name)
    }
}

/// `namespaces/x/pods` is about pods in x, `namespaces/x` and `namespaces/x/status` about x.
fn split_namespace<'a, 'b>(parts: &'b [&'a str]) -> (&'a str, &'b [&'a str]) {
    match parts {
        ["namespaces", name, inner, rest @ ..]
            if !(matches!(*inner, "status" | "finalize") && rest.is_empty()) =>
        {
            (name, parts.get(2..).unwrap_or_default())
        }
        _ => ("", parts),
    }
}

struct Query<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Query<'a> {
    fn of(uri: &'a Uri) -> Self {
        let pairs = uri.query().unwrap_or_default().split('&');
        Self(pairs.filter_map(|pair| pair.split_once('=')).collect())
    }

    fn value(&self, name: &str) -> &'a str {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// The one object that a list or watch selects: RBAC takes its name as the request's.
    fn selected_name(&self) -> &'a str {
        let selector = self.value("fieldSelector");
        let by_name = ["metadata.name%3D", "metadata.name="];
        let mut names = by_name
            .iter()
            .filter_map(|field| selector.strip_prefix(field));
        names.next().unwrap_or_default()
    }

    fn is_true(&self, name: &str) -> bool {
        matches!(self.value(name), "true" | "1")
    }
}

/// What requests are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// What was done.
    pub verb: Verb,
    /// To which resource.
    pub resource: String,
    /// And which part of it; empty for the object itself.
    pub subresource: String,
}

type Predicate = Box<dyn Fn(&ApiRequest) -> bool + Send + Sync>;

/// Which requests a trap is for. All conditions must hold.
pub struct Filter(Vec<Predicate>);

impl Filter {
    /// Every request.
    pub fn any() -> Self {
        Self(Vec::new())
    }

    /// Every request that changes something that is stored, Events and Leases apart.
    pub fn writes() -> Self {
        Self::any().and(|request| request.is_write() && !request.is_chatter())
    }

    /// Those of one resource in the plural, such as `secrets`, not of its subresources.
    #[must_use]
    pub fn resource(self, resource: &str) -> Self {
        let resource = resource.to_owned();
        self.and(move |request| request.resource == resource && request.subresource.is_empty())
    }

    /// Those of one part of a resource, such as `secretsyncs` and `status`.
    #[must_use]
    pub fn subresource(self, resource: &str, subresource: &str) -> Self {
        let (resource, subresource) = (resource.to_owned(), subresource.to_owned());
        self.and(move |request| request.resource == resource && request.subresource == subresource)
    }

    /// Those of one verb.
    #[must_use]
    pub fn verb(self, verb: Verb) -> Self {
        self.and(move |request| request.verb == verb)
    }

    /// Those in one namespace.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Self {
        let namespace = namespace.to_owned();
        self.and(move |request| request.namespace == namespace)
    }

    /// Those that name one object.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        let name = name.to_owned();
        self.and(move |request| request.name == name)
    }

    /// Those for which anything else holds.
    #[must_use]
    pub fn and(mut self, holds: impl Fn(&ApiRequest) -> bool + Send + Sync + 'static) -> Self {
        self.0.push(Box::new(holds));
        self
    }

    pub(super) fn matches(&self, request: &ApiRequest) -> bool {
        self.0.iter().all(|holds| holds(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &Method, uri: &str) -> Option<ApiRequest> {
        ApiRequest::read(method, &uri.parse().unwrap())
    }

    #[test]
    fn paths_and_methods_become_verbs_and_resources() {
        let cases = [
            ("GET", "/api/v1/namespaces/a/secrets/b", "get secrets a/b"),
            (
                "GET",
                "/api/v1/namespaces/a/secrets?limit=5",
                "list secrets a/",
            ),
            ("GET", "/api/v1/secrets?watch=true&x=1", "watch secrets /"),
            (
                "GET",
                "/api/v1/namespaces?fieldSelector=metadata.name%3Da&limit=1",
                "list namespaces /a",
            ),
            ("POST", "/api/v1/namespaces/a/secrets", "create secrets a/"),
            (
                "PATCH",
                "/apis/apps/v1/namespaces/a/deployments/d?fieldManager=m",
                "patch deployments a/d",
            ),
            (
                "PATCH",
                "/apis/penstock.dev/v1alpha1/namespaces/a/secretsyncs/s/status",
                "patch secretsyncs/status a/s",
            ),
            (
                "PUT",
                "/api/v1/namespaces/a/finalize",
                "update namespaces/finalize /a",
            ),
            ("DELETE", "/api/v1/namespaces/a", "delete namespaces /a"),
            (
                "DELETE",
                "/api/v1/namespaces/a/pods",
                "deletecollection pods a/",
            ),
            (
                "GET",
                "/api/v1/namespaces/a/status",
                "get namespaces/status /a",
            ),
            (
                "POST",
                "/api/v1/namespaces/a/serviceaccounts/s/token",
                "create serviceaccounts/token a/s",
            ),
        ];
        for (method, uri, expected) in cases {
            let request = read(&method.parse().unwrap(), uri).unwrap();
            assert_eq!(request.to_string(), expected, "{method} {uri}");
        }
    }

    #[test]
    fn what_is_about_no_resource_is_not_counted() {
        for uri in [
            "/readyz",
            "/apis",
            "/api/v1",
            "/openapi/v3/apis/apps/v1",
            "/",
        ] {
            assert_eq!(read(&Method::GET, uri), None, "{uri}");
        }
    }

    #[test]
    fn reviews_and_tokens_are_no_writes() {
        let review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        assert!(!read(&Method::POST, review).unwrap().is_write());
        let token = "/api/v1/namespaces/a/serviceaccounts/s/token";
        assert!(!read(&Method::POST, token).unwrap().is_write());
        assert!(
            read(&Method::POST, "/api/v1/namespaces/a/secrets")
                .unwrap()
                .is_write()
        );
    }

    #[test]
    fn a_filter_needs_all_its_conditions() {
        let filter = Filter::writes()
            .resource("secrets")
            .namespace("a")
            .verb(Verb::Patch);
        let matching = "/api/v1/namespaces/a/secrets/b?fieldManager=m";
        assert!(filter.matches(&read(&Method::PATCH, matching).unwrap()));
        assert!(!filter.matches(&read(&Method::PUT, matching).unwrap()));
        let elsewhere = "/api/v1/namespaces/z/secrets/b";
        assert!(!filter.matches(&read(&Method::PATCH, elsewhere).unwrap()));
    }

    #[test]
    fn the_field_manager_is_read() {
        let uri = "/api/v1/namespaces/a/secrets/b?fieldManager=penstock-1&force=true";
        assert_eq!(
            read(&Method::PATCH, uri).unwrap().field_manager,
            "penstock-1"
        );
    }
}
