//! The client against the strict stand-in.

use std::collections::BTreeSet;

use async_trait::async_trait;
use penstock_domain::api::one_password::{OnePasswordAuth, OnePasswordProvider};
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::bundle::SourceVersion;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::names::SyncId;
use penstock_domain::ports::Sources;
use penstock_domain::stores::{Capability, StoreProbe};
use penstock_domain::sync::ValidatedSource;
use penstock_domain::testing::contract::source::{Content, SourceWorld};
use penstock_domain::testing::sync_id;
use penstock_fakes::one_password::Field;
use penstock_fakes::outage::Outage;
use penstock_fakes::{FakeOnePassword, Listen};

use crate::test_failures::{Illness, Patient};
use crate::test_stores::{
    OneStore, cluster_store, contract_holds, lines, secret_ref, store, values,
};

const SECRETS: &[(&str, &str)] = &[("token", "ey.hunter2\n")];

/// A vault `infra` with one item, and a token for it.
async fn connect() -> (FakeOnePassword, String) {
    let fake = FakeOnePassword::start(Listen::Http).await.unwrap();
    let vault = {
        let mut model = fake.model();
        let vault = model.vault("infra");
        let foreign = model.vault("board");
        model.put(&foreign, "minutes", vec![Field::new("text", "x")]);
        let reach = [vault.clone()].into();
        model.tokens.insert("ey.hunter2".to_owned(), reach);
        let prod = Field {
            section: "prod".to_owned(),
            ..Field::new("password", "p\n")
        };
        let empty = Field {
            value: None,
            ..Field::new("notesPlain", "")
        };
        let code = Field {
            kind: "OTP".to_owned(),
            ..Field::new("code", "otpauth://totp/x?secret=JBSW")
        };
        let fields = vec![Field::new("username", "shop"), empty, prod, code];
        model.put(&vault, "db", fields);
        vault
    };
    (fake, vault)
}

fn provider(fake: &FakeOnePassword, vault: Option<&str>) -> Provider {
    let provider = OnePasswordProvider {
        address: fake.server().address(),
        vault: vault.map(str::to_owned),
        auth: OnePasswordAuth {
            token_ref: secret_ref("token"),
        },
        ..OnePasswordProvider::default()
    };
    Provider {
        one_password: Some(provider),
        ..Provider::default()
    }
}

fn infra(fake: &FakeOnePassword) -> OneStore {
    OneStore::new(store(provider(fake, Some("infra"))), SECRETS)
}

struct World {
    fake: FakeOnePassword,
    vault: String,
    store: OneStore,
}

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        &self.store.registry
    }

    fn sync(&self) -> SyncId {
        sync_id("prod", "shop")
    }

    fn source(&self, place: &str) -> ValidatedSource {
        self.store.source(place)
    }

    async fn put(&self, place: &str, content: &Content) {
        let field = |(label, value): (&String, &String)| Field::new(label, value);
        let fields = content.iter().map(field).collect();
        self.fake.model().put(&self.vault, place, fields);
    }

    async fn remove(&self, place: &str) {
        let mut model = self.fake.model();
        let vault = model.vaults.get_mut(&self.vault).unwrap();
        vault.items.retain(|_, item| item.title != place);
    }
}

#[tokio::test]
async fn the_contract_holds() {
    contract_holds(async || {
        let (fake, vault) = connect().await;
        let store = infra(&fake);
        World { fake, vault, store }
    })
    .await;
}

#[tokio::test]
async fn an_item_gives_its_fields_and_one_can_be_chosen() {
    let (fake, vault) = connect().await;
    let store = infra(&fake);
    let snapshot = store.read(&store.source("db")).await.unwrap();
    assert_eq!(
        lines(&snapshot),
        [
            "db username=shop",
            "db/prod password=p\n",
            "db code=otpauth://totp/x?secret=JBSW"
        ]
    );
    assert_eq!(snapshot.version, Some(SourceVersion::Counter(1)));
    let field = |name: &str| ValidatedSource {
        field: Some(name.to_owned()),
        ..store.source("db")
    };
    for name in ["password", "prod.password"] {
        let one = store.read(&field(name)).await.unwrap();
        assert_eq!(lines(&one), ["db/prod password=p\n"], "{name}");
    }
    for name in ["never", "test.password", "notesPlain"] {
        let fault = store.read(&field(name)).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::NotFound, "{name}");
    }
    let test = Field {
        section: "test".to_owned(),
        ..Field::new("password", "t")
    };
    {
        let mut model = fake.model();
        let items = &mut model.vaults.get_mut(&vault).unwrap().items;
        items.values_mut().next().unwrap().fields.push(test);
    }
    let fault = store.read(&field("password")).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid, "two sections have it");
}

#[tokio::test]
async fn a_path_is_vault_and_item_by_name_or_id() {
    let (fake, vault) = connect().await;
    let id = {
        let mut model = fake.model();
        model.put(&vault, "a/b \"c\"", vec![Field::new("k", "1")])
    };
    let open = OneStore::new(store(provider(&fake, None)), SECRETS);
    for path in [
        "infra/db".to_owned(),
        format!("{vault}/db"),
        format!("infra/{id}"),
        format!("{vault}/{id}"),
    ] {
        assert!(open.read(&open.source(&path)).await.is_ok(), "{path}");
    }
    // The vault's id was asked for once.
    let asked = fake.server().seen();
    let vaults = asked.iter().filter(|request| {
        request.path == "/v1/vaults" && request.parameter("filter") == Some("name eq \"infra\"")
    });
    assert_eq!(vaults.count(), 1);
    for path in ["", "infra/a/b", "infra/a \"b\"", "infra/a\\b"] {
        let fault = open.fault(path).await;
        assert_eq!(fault.class, FaultClass::Invalid, "{path}");
    }
    for path in ["infra/DB", "infra/never", "never/db", "board/minutes"] {
        let fault = open.fault(path).await;
        assert_eq!(fault.class, FaultClass::NotFound, "{path}");
    }
}

#[tokio::test]
async fn two_items_of_one_title_are_none_and_archived_ones_do_not_count() {
    let (fake, vault) = connect().await;
    let store = infra(&fake);
    let second = {
        let mut model = fake.model();
        let id = model.put(&vault, "second", vec![Field::new("k", "1")]);
        let items = &mut model.vaults.get_mut(&vault).unwrap().items;
        "db".clone_into(&mut items.get_mut(&id).unwrap().title);
        id
    };
    let fault = store.fault("db").await;
    assert_eq!(fault.class, FaultClass::Invalid);
    assert!(fault.hint.unwrap_or_default().contains("id"));
    assert!(store.read(&store.source(&second)).await.is_ok());
    {
        let mut model = fake.model();
        let items = &mut model.vaults.get_mut(&vault).unwrap().items;
        items.get_mut(&second).unwrap().state = Some("ARCHIVED".to_owned());
    }
    assert!(store.read(&store.source("db")).await.is_ok());
    let all = store.read(&store.source("/")).await.unwrap();
    assert!(all.entries.iter().all(|entry| entry.name != "k"));
}

#[tokio::test]
async fn a_vault_in_which_nothing_changed_is_one_request() {
    let (fake, vault) = connect().await;
    for number in 0..20 {
        let title = format!("item-{number:02}");
        let fields = vec![Field::new("password", "1")];
        fake.model().put(&vault, &title, fields);
    }
    let store = infra(&fake);
    let passwords = ValidatedSource {
        field: Some("password".to_owned()),
        ..store.source("/")
    };
    let first = store.refresh(&passwords).await.unwrap();
    assert_eq!(
        first.entries.len(),
        21,
        "each item is an entry of its title"
    );
    assert_eq!(values(&first)["item-07"], "1");
    let asked = fake.server().seen().len();
    assert!(store.refresh(&passwords).await.unwrap() == first);
    assert_eq!(fake.server().seen().len(), asked + 1);
    let fields = vec![Field::new("password", "2")];
    fake.model().put(&vault, "item-07", fields);
    let changed = store.refresh(&passwords).await.unwrap();
    assert_eq!(values(&changed)["item-07"], "2");
    {
        let mut model = fake.model();
        let items = &mut model.vaults.get_mut(&vault).unwrap().items;
        let item = items.values_mut().find(|item| item.title == "item-08");
        item.unwrap().tags = vec!["api".to_owned()];
    }
    let tagged = store.refresh(&passwords).await.unwrap();
    let entry = tagged.entries.iter().find(|entry| entry.name == "item-08");
    assert!(entry.unwrap().tags.contains("api"));
}

#[tokio::test]
async fn an_outage_of_any_kind_is_no_absence() {
    let (fake, _) = connect().await;
    let store = infra(&fake);
    store.read(&store.source("db")).await.unwrap();
    for outage in [
        Outage::Stumbles(500),
        Outage::Proxy(404, "<html>not found</html>".to_owned()),
        Outage::Proxy(404, "{}".to_owned()),
        Outage::Proxy(200, "<html>log in</html>".to_owned()),
        Outage::Proxy(200, "{}".to_owned()),
        Outage::Proxy(204, String::new()),
        Outage::Proxy(401, "<html>".to_owned()),
        Outage::Proxy(403, "blocked".to_owned()),
        Outage::HangsUp,
        Outage::Half,
    ] {
        fake.model().outage = Some(outage.clone());
        for path in ["db", "/"] {
            let fault = store.fault(path).await;
            assert_eq!(fault.class, FaultClass::Unavailable, "{outage:?} {path}");
        }
        assert!(
            store.registry.check(&store.store).await.is_err(),
            "{outage:?}"
        );
    }
    fake.model().outage = None;
    store.read(&store.source("db")).await.unwrap();
}

#[tokio::test]
async fn refusals_and_patience_have_their_reasons() {
    let (fake, _) = connect().await;
    let store = infra(&fake);
    store.read(&store.source("db")).await.unwrap();
    fake.model().tokens.values_mut().for_each(BTreeSet::clear);
    let fault = store.fault("db").await;
    assert_eq!(
        (fault.class, fault.reason),
        (FaultClass::Denied, Reason::Denied)
    );
    fake.model().tokens.clear();
    let fault = store.fault("db").await;
    assert_eq!(fault.reason, Reason::CredentialsRefused);
    assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    fake.model().throttle = Some(12);
    let fault = store.fault("db").await;
    assert_eq!(fault.retry_after().unwrap().as_secs(), 12);
    let asked = fake.server().seen().len();
    assert_eq!(store.fault("db").await.reason, Reason::Throttled);
    assert_eq!(fake.server().seen().len(), asked, "nobody knocks meanwhile");
}

#[tokio::test]
async fn a_tenant_reaches_no_address_of_the_inside_and_nobody_uses_the_operators_identity() {
    let (fake, _) = connect().await;
    let inside = OneStore::allowing(store(provider(&fake, Some("infra"))), SECRETS, &[]);
    assert_eq!(inside.fault("db").await.reason, Reason::EgressDenied);
    let mut operator = cluster_store(provider(&fake, Some("infra")), &["/"]);
    operator.identity = Identity::Operator;
    let operator = OneStore::new(operator, SECRETS);
    assert_eq!(operator.fault("db").await.class, FaultClass::Invalid);
    assert!(fake.server().seen().is_empty());
}

#[tokio::test]
async fn a_namespace_reads_the_items_that_an_entry_names() {
    let (fake, vault) = connect().await;
    let id = {
        let mut model = fake.model();
        model.put(&vault, "other", vec![Field::new("k", "1")])
    };
    let store = OneStore::new(
        cluster_store(provider(&fake, Some("infra")), &["db"]),
        SECRETS,
    );
    assert!(store.read(&store.source("db")).await.is_ok());
    for path in ["other", "/", &id] {
        assert_eq!(store.fault(path).await.reason, Reason::NotAllowed, "{path}");
    }
}

#[tokio::test]
async fn the_check_looks_for_the_vault() {
    let (fake, vault) = connect().await;
    for named in [Some("infra"), Some(vault.as_str()), None] {
        let store = OneStore::new(store(provider(&fake, named)), SECRETS);
        let capabilities = store.registry.check(&store.store).await.unwrap();
        assert!(capabilities.contains(&Capability::Tags), "{named:?}");
    }
    let store = OneStore::new(store(provider(&fake, Some("board"))), SECRETS);
    let fault = store.registry.check(&store.store).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
}

/// See [`crate::test_failures`].
pub(crate) async fn patient(trusted: bool) -> Patient {
    let (fake, _) = connect().await;
    if !trusted {
        fake.model().tokens.clear();
    }
    let store = infra(&fake);
    Patient::new(store, ("db", "never"), move |illness| {
        let mut model = fake.model();
        match illness {
            Illness::Denied => model.tokens.values_mut().for_each(BTreeSet::clear),
            Illness::Throttled => model.throttle = Some(12),
            illness => model.outage = illness.outage(),
        }
        true
    })
}
