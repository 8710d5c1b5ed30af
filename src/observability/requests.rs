//! Counts requests to the API server, by verb, resource and status code.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response, Uri};
use tower::{Layer, Service};

use crate::metrics::{Metrics, RequestLabels};

/// Puts a counter around a client's stack.
#[derive(Debug, Clone)]
pub struct CountRequests(Arc<Metrics>);

impl CountRequests {
    /// Counts into `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self(metrics)
    }
}

impl<S> Layer<S> for CountRequests {
    type Service = CountedService<S>;

    fn layer(&self, inner: S) -> CountedService<S> {
        CountedService {
            inner,
            metrics: Arc::clone(&self.0),
        }
    }
}

/// A client's stack with a counter around it.
#[derive(Debug, Clone)]
pub struct CountedService<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S, Q, A> Service<Request<Q>> for CountedService<S>
where
    S: Service<Request<Q>, Response = Response<A>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let (verb, resource) = classify(request.method(), request.uri());
        let metrics = Arc::clone(&self.metrics);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            let labels = RequestLabels {
                verb,
                resource,
                code,
            };
            metrics.requests.get_or_create(&labels).inc();
            answer
        })
    }
}

/// Everything that the operator asks for; each with its status, where that is written on its own.
const RESOURCES: &[&str] = &[
    "secretsyncs/status",
    "secretsyncs",
    "secretstores/status",
    "secretstores",
    "clustersecretstores/status",
    "clustersecretstores",
    "clustersecretsyncs/status",
    "clustersecretsyncs",
    "secretrotations/status",
    "secretrotations",
    "secrets",
    "configmaps",
    "serviceaccounts/token",
    "serviceaccounts",
    "deployments",
    "statefulsets",
    "daemonsets",
    "replicasets",
    "rollouts",
    "pods",
    "events",
    "leases",
    "namespaces",
    "customresourcedefinitions",
];

/// The verb as RBAC has it and the resource, from a method and an address of the Kubernetes API
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris>).
fn classify(method: &Method, uri: &Uri) -> (&'static str, &'static str) {
    let mut segments = uri.path().split('/').filter(|segment| !segment.is_empty());
    // `api/v1` and `apis/<group>/<version>`.
    let prefix = if segments.next() == Some("api") { 1 } else { 2 };
    let mut rest: Vec<&str> = segments.skip(prefix).take(5).collect();
    if rest.first() == Some(&"namespaces") && rest.len() > 2 {
        rest.drain(..2);
    }
    let name = rest.first().copied().unwrap_or_default();
    let subresource = rest.get(2).copied().unwrap_or_default();
    let matches = |known: &&&str| match known.split_once('/') {
        Some((resource, sub)) => resource == name && sub == subresource,
        None => **known == name,
    };
    let resource = RESOURCES.iter().find(matches).copied().unwrap_or("other");
    let watches = uri.query().is_some_and(|query| {
        query
            .split('&')
            .any(|pair| matches!(pair, "watch=true" | "watch=1"))
    });
    let verb = match *method {
        Method::GET if watches => "watch",
        Method::GET if rest.len() > 1 => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    };
    (verb, resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart_as_rbac_does() {
        const GROUP: &str = "/apis/penstock.dev/v1alpha1";
        for (method, address, verb, resource) in [
            (
                Method::GET,
                "/api/v1/secrets?labelSelector=a".to_owned(),
                "list",
                "secrets",
            ),
            (
                Method::GET,
                "/api/v1/namespaces/a/secrets/b".to_owned(),
                "get",
                "secrets",
            ),
            (
                Method::GET,
                "/api/v1/namespaces/a/secrets?watch=true".to_owned(),
                "watch",
                "secrets",
            ),
            (
                Method::GET,
                "/api/v1/namespaces/a".to_owned(),
                "get",
                "namespaces",
            ),
            (
                Method::GET,
                "/api/v1/namespaces".to_owned(),
                "list",
                "namespaces",
            ),
            (
                Method::PATCH,
                format!("{GROUP}/namespaces/a/secretsyncs/b"),
                "patch",
                "secretsyncs",
            ),
            (
                Method::PATCH,
                format!("{GROUP}/namespaces/a/secretsyncs/b/status"),
                "patch",
                "secretsyncs/status",
            ),
            (
                Method::PATCH,
                format!("{GROUP}/clustersecretstores/b/status"),
                "patch",
                "clustersecretstores/status",
            ),
            (
                Method::PUT,
                "/apis/coordination.k8s.io/v1/namespaces/a/leases/b".to_owned(),
                "update",
                "leases",
            ),
            (
                Method::POST,
                "/api/v1/namespaces/a/serviceaccounts/b/token".to_owned(),
                "create",
                "serviceaccounts/token",
            ),
            (Method::GET, "/version".to_owned(), "list", "other"),
            (
                Method::GET,
                "/apis/example.com/v1/hunter2".to_owned(),
                "list",
                "other",
            ),
        ] {
            let uri: Uri = address.parse().unwrap();
            assert_eq!(classify(&method, &uri), (verb, resource), "{address}");
        }
    }

    #[tokio::test]
    async fn answers_and_their_absence_are_counted() {
        let metrics = Arc::new(Metrics::new());
        let layer = CountRequests::new(Arc::clone(&metrics));
        let mut service = layer.layer(tower::service_fn(|request: Request<()>| async move {
            match request.method() {
                &Method::GET => Ok(Response::new(())),
                _ => Err("connection refused"),
            }
        }));
        let address = "/api/v1/namespaces/a/secrets/b";
        let request = |method: Method| Request::builder().method(method).uri(address).body(());
        service.call(request(Method::GET).unwrap()).await.unwrap();
        service
            .call(request(Method::DELETE).unwrap())
            .await
            .unwrap_err();
        let count = |verb, code| {
            let labels = RequestLabels {
                verb,
                resource: "secrets",
                code,
            };
            metrics
                .requests
                .get(&labels)
                .map_or(0, |counter| counter.get())
        };
        assert_eq!((count("get", 200), count("delete", 0)), (1, 1));
    }
}
