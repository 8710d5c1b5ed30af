//! A thousand readers of one folder cost one list.

use std::collections::BTreeSet;

use futures::future::join_all;
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::stores::StoreCatalog;
use penstock_domain::sync::{EntrySelection, Origin, ValidatedSource};
use penstock_domain::testing::{self, sync_id};

use super::*;
use crate::providers::Reached;
use crate::registry::Registry;
use crate::test_ports::{FakeCatalog, FakeObjects};

const READERS: usize = 1000;

#[tokio::test]
async fn a_thousand_keys_of_one_folder_are_one_list_per_interval() {
    let fake = infisical().await;
    for number in 0..READERS {
        put(&fake, "/app", &format!("KEY_{number}"), "1");
    }
    let catalog = FakeCatalog::default();
    catalog.put(store_object(provider(&fake, universal())));
    let registry = Registry::new(Reached {
        http: Arc::new(layer()),
        catalog: Arc::new(catalog) as Arc<dyn StoreCatalog>,
        credentials: credentials(),
        objects: Arc::new(FakeObjects),
    });
    let within = Freshness::Within(std::time::Duration::from_mins(5));
    let read_all = async || {
        let reads = (0..READERS).map(|number| {
            let source = ValidatedSource {
                origin: Origin::Store(StoreReference {
                    kind: StoreKind::Namespaced,
                    name: ObjectName::new("infisical").unwrap(),
                }),
                path: "app".to_owned(),
                select: EntrySelection {
                    keys: BTreeSet::from([format!("KEY_{number}")]),
                    ..EntrySelection::default()
                },
                ..testing::source("keys")
            };
            let sync = sync_id("prod", &format!("sync-{number}"));
            let registry = &registry;
            async move { registry.read(&sync, &source, within).await.unwrap() }
        });
        join_all(reads).await
    };
    let answers = read_all().await;
    assert!(answers.iter().all(|answer| answer.entries.len() == READERS));
    read_all().await;
    assert_eq!((lists(&fake), fake.logins()), (1, 1));
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_mins(10)).await;
    tokio::time::resume();
    read_all().await;
    assert_eq!((lists(&fake), fake.logins()), (2, 1), "the second interval");
}
