//! What the operator may not do and needs shows as a refusal; what it may do and never does shows as a right too
//! many.

use penstock_testbed::{ApiRequest, eventually};

use super::world::{Breadth, World};
use crate::cluster::{Outcome, SOON, testbed};

/// One verb on one resource at one place.
struct Grant<'a> {
    place: &'a str,
    group: &'a str,
    resource: &'a str,
    names: Option<&'a str>,
    verb: &'a str,
}

impl<'a> Grant<'a> {
    /// All that a line of [`rights`] gives: `place group/resource,resource [name]: verb,verb`.
    fn all_of(line: &'a str) -> Vec<Self> {
        let (object, verbs) = line.rsplit_once(": ").unwrap_or_default();
        let (place, object) = object.split_once(' ').unwrap_or_default();
        let (object, names) = match object.split_once(" [") {
            Some((object, names)) => (object, Some(names.trim_end_matches(']'))),
            None => (object, None),
        };
        let (group, resources) = object.split_once('/').unwrap_or_default();
        let pairs = resources
            .split(',')
            .flat_map(|resource| verbs.split(',').map(move |verb| (resource, verb)));
        pairs
            .map(|(resource, verb)| Self {
                place,
                group,
                resource,
                names,
                verb,
            })
            .collect()
    }

    fn text(&self) -> String {
        let Self {
            place,
            group,
            resource,
            names,
            verb,
        } = self;
        format!(
            "{verb} {group}/{resource} {} in {place}",
            names.unwrap_or_default()
        )
    }

    /// Whether `request` needed it.
    fn allows(&self, request: &ApiRequest) -> bool {
        let resource = match request.subresource.as_str() {
            "" => request.resource.clone(),
            subresource => format!("{}/{subresource}", request.resource),
        };
        // A namespace lies in itself, says RBAC.
        let place = match request.resource.as_str() {
            "namespaces" => &request.name,
            _ => &request.namespace,
        };
        request.verb.to_string() == self.verb
            && request.group == self.group
            && resource == self.resource
            && (self.place == "*" || place == self.place)
            && self
                .names
                .is_none_or(|names| names.split(',').any(|name| request.name == name))
    }

    /// An apply that makes the object is a PATCH which RBAC asks `create` for, too.
    fn is_needed_by_apply(&self) -> bool {
        self.verb == "create" && self.resource == "configmaps"
    }
}

/// The rights that no request needed so far.
fn unused(world: &World) -> Vec<String> {
    let requests = world.proxy.requests();
    let grants = world.rights.iter().flat_map(|line| Grant::all_of(line));
    grants
        .filter(|grant| !grant.is_needed_by_apply())
        .filter(|grant| !requests.iter().any(|request| grant.allows(request)))
        .map(|grant| grant.text())
        .collect()
}

#[tokio::test]
async fn serving_namespaces_needs_every_right_that_it_has_and_no_other() -> Outcome {
    no_right_is_idle_and_none_is_missing(Breadth::Listed).await
}

#[tokio::test]
async fn serving_the_cluster_needs_every_right_that_it_has_and_no_other() -> Outcome {
    no_right_is_idle_and_none_is_missing(Breadth::Cluster).await
}

async fn no_right_is_idle_and_none_is_missing(breadth: Breadth) -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let world = Box::pin(World::make(testbed, breadth)).await?;
    world.live().await?;

    eventually("every right was needed", SOON, || async {
        let unused = unused(&world);
        if unused.is_empty() {
            Ok(())
        } else {
            Err(format!("nobody needed {unused:#?}"))
        }
    })
    .await?;
    let metrics = reqwest::get(&world.metrics).await?.text().await?;
    let refused: Vec<_> = metrics
        .lines()
        .filter(|line| line.contains("code=\"403\""))
        .collect();
    assert!(refused.is_empty(), "refused: {refused:#?}");
    assert!(metrics.contains("penstock_api_requests_total"), "{metrics}");
    Ok(())
}
