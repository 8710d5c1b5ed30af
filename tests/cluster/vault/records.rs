//! The contract of records, kept by entries of the KV engine, version 2: its check-and-set is the record's.

use std::sync::Arc;

use penstock_adapters::store_records::StoreRecords;
use penstock_domain::items::StoreItems;
use penstock_domain::names::NamespaceName;
use penstock_domain::ports::Records;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::testing::contract::record::{CASES, RecordWorld};
use penstock_testbed::{Failure, Testbed};

use super::super::kubernetes::Cases;
use super::{Case, Outcome, reference, testbed};

struct World(StoreRecords);

impl World {
    /// Records at a path of their own.
    fn new(testbed: &Testbed, name: &str) -> Result<Self, Failure> {
        let case = Case::with(&testbed.openbao, |_| {})?;
        case.secrets.set("token", testbed.openbao.root_token());
        let items: Arc<dyn StoreItems> = Arc::new(case.registry);
        let path = RemotePath::parse(&format!("records/{name}")).unwrap();
        Ok(Self(StoreRecords::new(items, reference(), path)))
    }
}

impl RecordWorld for World {
    fn records(&self) -> &dyn Records {
        &self.0
    }

    fn namespace(&self) -> NamespaceName {
        NamespaceName::new("prod").unwrap()
    }
}

#[tokio::test]
async fn the_contract_of_records_holds() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let mut cases = Cases::default();
    for case in CASES {
        let world = World::new(testbed, case.name)?;
        cases.spawn(case.name, async move { (case.run)(&world).await });
    }
    cases.join().await
}
