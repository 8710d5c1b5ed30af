//! Records in folders of Infisical.

use penstock_domain::items::StoreItems;
use penstock_domain::ports::Records;
use penstock_domain::stores::StoreCatalog;
use penstock_domain::testing::contract::record::{CASES, RecordWorld};

use super::*;
use crate::providers::Reached;
use crate::registry::Registry;
use crate::store_records::StoreRecords;
use crate::test_ports::{FakeCatalog, FakeObjects};

/// Infisical takes no condition on a change: of two at the same time one may overwrite the other unseen.
const NOT_KEPT: &str = "of_two_saves_on_one_version_one_wins";

struct World {
    records: StoreRecords,
    _fake: FakeInfisical,
}

impl World {
    async fn new() -> Self {
        let fake = infisical().await;
        fake.model().identities.get_mut(IDENTITY).unwrap().grants[0].write = true;
        let object = store_object(provider(&fake, universal()));
        let reference = object.reference.clone();
        let catalog = FakeCatalog::default();
        catalog.put(object);
        let registry: Arc<dyn StoreItems> = Arc::new(Registry::new(Reached {
            http: Arc::new(layer()),
            catalog: Arc::new(catalog) as Arc<dyn StoreCatalog>,
            credentials: credentials(),
            objects: Arc::new(FakeObjects),
        }));
        let path = RemotePath::parse("penstock/records").unwrap();
        Self {
            records: StoreRecords::new(registry, reference, path),
            _fake: fake,
        }
    }
}

impl RecordWorld for World {
    fn records(&self) -> &dyn Records {
        &self.records
    }

    fn namespace(&self) -> NamespaceName {
        NamespaceName::new("prod").unwrap()
    }
}

#[tokio::test]
#[expect(
    clippy::print_stdout,
    reason = "the last name is that of the case which fails"
)]
async fn the_contract_of_records_holds_but_for_two_at_the_same_time() {
    assert!(CASES.iter().any(|case| case.name == NOT_KEPT));
    for case in CASES.iter().filter(|case| case.name != NOT_KEPT) {
        println!("{}", case.name);
        (case.run)(&World::new().await).await;
    }
}
