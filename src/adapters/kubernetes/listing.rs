//! Reading lists page by page.

use penstock_domain::names::NamespaceName;
use serde::de::DeserializeOwned;

use super::api_server::ApiServer;
use super::failure::{Cause, Failure};
use super::object::List;
use super::request::{Call, Page, Resource};

/// Objects in a page, unless they are so large that the page exceeds what one answer may have.
const PAGE: u32 = 100;
/// The most objects that one list may have.
const MAX_OBJECTS: usize = 20_000;

/// What to list.
#[derive(Clone, Copy)]
pub(super) struct Listing<'a> {
    pub(super) resource: Resource,
    /// One namespace, or all.
    pub(super) namespace: Option<&'a NamespaceName>,
    /// A label selector; empty for all.
    pub(super) selector: &'a str,
    /// A field selector; empty for all.
    pub(super) fields: &'a str,
    /// Only `metadata` of each object.
    pub(super) metadata_only: bool,
}

impl ApiServer {
    /// Reads all pages, and keeps of each object what `keep` makes of it, so that whole objects are held
    /// for no longer than one page.
    pub(super) async fn list<T: DeserializeOwned, K>(
        &self,
        listing: Listing<'_>,
        mut keep: impl FnMut(T) -> Option<K> + Send,
    ) -> Result<Vec<K>, Failure>
    where
        K: Send,
    {
        let mut kept = Vec::new();
        let mut continue_token = String::new();
        let (mut limit, mut seen) = (PAGE, 0);
        loop {
            let page = Page {
                selector: listing.selector,
                fields: listing.fields,
                limit,
                continue_token: &continue_token,
                metadata_only: listing.metadata_only,
            };
            let call = Call::list(listing.resource, listing.namespace, page);
            let list = match self.call::<List<T>>(&call).await {
                Err(failure) if failure.cause == Cause::BoundAnswer && limit > 1 => {
                    limit /= 2;
                    continue;
                }
                outcome => outcome?,
            };
            let items = list.items.unwrap_or_default();
            seen += items.len();
            if seen > MAX_OBJECTS {
                return Err(Failure {
                    verb: call.verb,
                    resource: call.resource,
                    cause: Cause::BoundAnswer,
                });
            }
            kept.extend(items.into_iter().filter_map(&mut keep));
            continue_token = list.metadata.continue_token;
            if continue_token.is_empty() {
                return Ok(kept);
            }
        }
    }
}
