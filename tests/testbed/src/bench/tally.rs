//! What the API server was asked, from its own metrics.
//!
//! No proxy stands in the operator's way and nothing is logged: `apiserver_request_total` counts requests by
//! verb and resource, and the difference between two looks is what happened in between. It does not say by
//! whom. So only resources that the operator works with are counted, and the benchmark itself keeps quiet
//! between two looks.

use std::collections::BTreeMap;
use std::fmt;

use kube::Client;

/// The resources that the chart gives the operator rights to.
const OURS: [&str; 14] = [
    "secrets",
    "configmaps",
    "secretsyncs",
    "secretstores",
    "clustersecretstores",
    "clustersecretsyncs",
    "secretrotations",
    "deployments",
    "statefulsets",
    "daemonsets",
    "rollouts",
    "pods",
    "namespaces",
    "customresourcedefinitions",
];
/// Those that are told apart from the others.
const CHATTER: [&str; 2] = ["events", "leases"];
const METRIC: &str = "apiserver_request_total{";

/// One kind of request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Request {
    /// As the API server calls it: `APPLY`, `GET`, `LIST` …
    pub(super) verb: String,
    /// With the subresource: `secretsyncs/status`.
    pub(super) resource: String,
}

/// How often each kind of request was answered with success or refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(BTreeMap<Request, u64>);

impl Request {
    /// Whether it changes something that is stored.
    fn is_write(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "POST" | "PUT" | "PATCH" | "APPLY" | "DELETE" | "DELETECOLLECTION"
        )
    }

    /// Watches are not reads: they are asked for once, and counted when they end.
    fn is_read(&self) -> bool {
        matches!(self.verb.as_str(), "GET" | "LIST")
    }

    fn object(&self) -> &str {
        self.resource.split('/').next().unwrap_or_default()
    }
}

/// `APPLY secrets`
impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.verb, self.resource)
    }
}

impl Tally {
    /// Looks now.
    pub(super) async fn read(client: &Client) -> Result<Self, kube::Error> {
        let request = http::Request::get("/metrics").body(Vec::new());
        let request = request.map_err(kube::Error::HttpError)?;
        Ok(Self::parse(&client.request_text(request).await?))
    }

    fn parse(metrics: &str) -> Self {
        let mut counts = BTreeMap::new();
        for line in metrics.lines() {
            if let Some((request, count)) = parse_line(line) {
                *counts.entry(request).or_default() += count;
            }
        }
        Self(counts)
    }

    /// What was asked since `former`.
    pub(super) fn since(&self, former: &Self) -> Self {
        let difference = |(request, count): (&Request, &u64)| {
            let before = former.0.get(request).copied().unwrap_or(0);
            let more = count.saturating_sub(before);
            (more > 0).then(|| (request.clone(), more))
        };
        Self(self.0.iter().filter_map(difference).collect())
    }

    /// Writes, the most frequent first; no Events, no Leases.
    pub(super) fn writes(&self) -> Vec<(Request, u64)> {
        self.sorted(|request| request.is_write() && OURS.contains(&request.object()))
    }

    /// Reads, the most frequent first.
    pub(super) fn reads(&self) -> Vec<(Request, u64)> {
        self.sorted(|request| request.is_read() && OURS.contains(&request.object()))
    }

    /// How often Events or Leases were written, by anybody.
    pub(super) fn chatter(&self, resource: &str) -> u64 {
        let written = self.sorted(|request| request.is_write() && request.object() == resource);
        written.iter().map(|(_, count)| count).sum()
    }

    fn sorted(&self, wanted: impl Fn(&Request) -> bool) -> Vec<(Request, u64)> {
        let mut found: Vec<(Request, u64)> = self
            .0
            .iter()
            .filter(|(request, _)| wanted(request))
            .map(|(request, count)| (request.clone(), *count))
            .collect();
        found.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        found
    }
}

/// One line of the metrics, if it is about a resource that matters.
fn parse_line(line: &str) -> Option<(Request, u64)> {
    let (labels, count) = line.strip_prefix(METRIC)?.rsplit_once("} ")?;
    let label = |name: &str| {
        // No value of these labels holds a comma or a quote.
        let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        Some(value.trim_matches('"'))
    };
    let resource = label("resource")?;
    if !OURS.contains(&resource) && !CHATTER.contains(&resource) {
        return None;
    }
    if label("dry_run").is_some_and(|value| !value.is_empty()) {
        return None;
    }
    let subresource = label("subresource").filter(|name| !name.is_empty());
    let request = Request {
        verb: label("verb")?.to_owned(),
        resource: match subresource {
            Some(subresource) => format!("{resource}/{subresource}"),
            None => resource.to_owned(),
        },
    };
    Some((request, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"# HELP apiserver_request_total [STABLE] Counter of apiserver requests
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="APPLY",version="v1"} 10
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="APPLY",version="v1"} 5
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="nodes",scope="resource",subresource="status",verb="PATCH",version="v1"} 3
"#;
    const AFTER: &str = r#"apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="APPLY",version="v1"} 12
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="APPLY",version="v1"} 6
apiserver_request_total{code="200",component="apiserver",dry_run="",group="penstock.dev",resource="secretsyncs",scope="resource",subresource="status",verb="PATCH",version="v1alpha1"} 4
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="namespace",subresource="",verb="LIST",version="v1"} 7
apiserver_request_total{code="0",component="apiserver",dry_run="",group="",resource="secrets",scope="namespace",subresource="",verb="WATCH",version="v1"} 9
apiserver_request_total{code="201",component="apiserver",dry_run="",group="events.k8s.io",resource="events",scope="resource",subresource="",verb="POST",version="v1"} 2
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="nodes",scope="resource",subresource="status",verb="PATCH",version="v1"} 30
"#;

    fn told(requests: &[(Request, u64)]) -> Vec<String> {
        let told = requests.iter();
        told.map(|(request, count)| format!("{count} {request}"))
            .collect()
    }

    #[test]
    fn the_difference_is_told_by_verb_and_resource_over_all_codes() {
        let tally = Tally::parse(AFTER).since(&Tally::parse(BEFORE));
        assert_eq!(
            told(&tally.writes()),
            ["4 PATCH secretsyncs/status", "3 APPLY secrets"]
        );
        assert_eq!(told(&tally.reads()), ["7 LIST pods"]);
    }

    #[test]
    fn events_and_leases_are_apart_and_other_peoples_resources_are_left_out() {
        let tally = Tally::parse(AFTER);
        assert_eq!(tally.chatter("events"), 2);
        assert_eq!(tally.chatter("leases"), 0);
        assert!(
            !told(&tally.writes())
                .iter()
                .any(|line| line.contains("nodes"))
        );
    }
}
