//! Items of every kind, folders and collections, and how little a refresh costs.

use std::collections::BTreeSet;
use std::time::Duration;

use penstock_domain::bundle::SourceVersion;
use penstock_domain::conditions::Reason;
use penstock_domain::stores::Capability;
use serde_json::json;

use super::*;

const PRIVATE: &str =
    "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n";

/// What is done to an item.
type Spoil = fn(&mut serde_json::Map<String, serde_json::Value>);

fn with_field(path: &str, field: &str) -> StoreQuery {
    StoreQuery {
        field: Some(field.to_owned()),
        ..query(path)
    }
}

#[tokio::test]
async fn each_kind_of_item_has_its_usual_value() {
    let lab = Lab::new().await;
    lab.edit(|model, owner| {
        let folder = owner.folder(model, "app").unwrap();
        let mut put = |name: &str, plain| {
            owner.put(model, Some(&folder), name, plain).unwrap();
        };
        put("login", Plain::Login(Some("me"), "\0pass\n"));
        put("empty", Plain::Login(None, ""));
        put("note", Plain::Note("text\n"));
        put(
            "ssh",
            Plain::SshKey(PRIVATE, "ssh-ed25519 AAAA", "SHA256:x"),
        );
    });
    let store = lab.open().await;
    assert_eq!(
        lines(&read(&store, "app").await.unwrap()),
        [
            "app empty=".to_owned(),
            "app login=\0pass\n".to_owned(),
            "app note=text\n".to_owned(),
            format!("app ssh={PRIVATE}"),
        ]
    );
    let names = store
        .read("store", &with_field("app", "username"))
        .await
        .unwrap();
    assert_eq!(lines(&names), ["app login=me"], "who has none is left out");
    let keys = store
        .read("store", &with_field("app", "publicKey"))
        .await
        .unwrap();
    assert_eq!(lines(&keys), ["app ssh=ssh-ed25519 AAAA"]);
}

#[expect(clippy::too_many_lines, reason = "one item with every kind of field")]
#[tokio::test]
async fn one_item_is_its_fields_and_a_field_is_one_value() {
    let lab = Lab::new().await;
    let folder = lab.folder("Infra Vault", &[]);
    let id = lab.edit(|model, owner| {
        let plain = Plain::Login(Some("me"), "pass");
        let id = owner.put(model, Some(&folder), "goblin/db", plain).unwrap();
        for field in [
            (0, "HOST", "db"),
            (1, "PIN", "1234"),
            (2, "tls", "true"),
            (0, "password", "other"),
        ] {
            owner.add_field(model, &id, field).unwrap();
        }
        let cipher = model.ciphers.get_mut(&id).unwrap();
        cipher.data["login"]["totp"] = json!(owner.key.seal("JBSWY3DP").unwrap());
        let uri = json!([{"uri": owner.key.seal("https://db.example").unwrap(), "match": null}]);
        cipher.data["login"]["uris"] = uri;
        let unset = json!({"type": 0, "name": owner.key.seal("unset").unwrap(), "value": null});
        let linked = json!({
            "type": 3, "name": owner.key.seal("user").unwrap(), "value": null, "linkedId": 100,
        });
        let fields = cipher.data["fields"].as_array_mut().unwrap();
        fields.extend([unset, linked]);
        cipher.revised = "2026-01-02T03:04:05.6789012Z".to_owned();
        id
    });
    let store = lab.open().await;
    for path in [
        "Infra Vault/goblin/db".to_owned(),
        format!("Infra Vault/{id}"),
    ] {
        let snapshot = read(&store, &path).await.unwrap();
        let found: Vec<_> = snapshot
            .entries
            .iter()
            .map(|entry| entry.name.as_str())
            .collect();
        assert_eq!(
            found,
            [
                "username",
                "password",
                "uri",
                "HOST",
                "PIN",
                "tls",
                "fields.password",
                "unset",
                "user"
            ]
        );
        assert_eq!(
            snapshot.version,
            Some(SourceVersion::Counter(1_767_323_045_678))
        );
        let entry = &snapshot.entries[0];
        assert_eq!(entry.path, "Infra Vault/goblin/db");
        assert_eq!(
            entry.version.as_deref(),
            Some("2026-01-02T03:04:05.6789012Z")
        );
        for (field, value) in [
            ("password", "pass"),
            ("fields.password", "other"),
            ("totp", "JBSWY3DP"),
            ("PIN", "1234"),
            ("unset", ""),
            ("user", "me"),
        ] {
            let snapshot = store
                .read("store", &with_field(&path, field))
                .await
                .unwrap();
            let expected = format!("Infra Vault/goblin/db {field}={value}");
            assert_eq!(lines(&snapshot), [expected]);
        }
        let failure = store
            .read("store", &with_field(&path, "never"))
            .await
            .unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::NotFound);
    }
}

#[tokio::test]
async fn folders_nest_by_their_names() {
    let lab = Lab::new().await;
    for (folder, value) in [
        ("a", "1"),
        ("a/b", "2"),
        ("a/b/c", "3"),
        ("ab", "4"),
        ("x/y", "5"),
    ] {
        lab.folder(folder, &[("K", value)]);
    }
    lab.edit(|model, owner| {
        owner.put(model, None, "ROOT", Plain::Note("0")).unwrap();
    });
    let store = lab.open().await;
    let read_deep = async |path: &str| {
        let query = StoreQuery {
            recursive: true,
            path: RemotePath::parse(path).unwrap().as_folder(),
            ..query(path)
        };
        lines(&store.read("store", &query).await.unwrap())
    };
    assert_eq!(lines(&read(&store, "a").await.unwrap()), ["a K=1"]);
    assert_eq!(read_deep("a").await, ["a K=1", "a/b K=2", "a/b/c K=3"]);
    assert_eq!(lines(&read(&store, "").await.unwrap()), [" ROOT=0"]);
    assert_eq!(
        read_deep("").await,
        [
            " ROOT=0",
            "a K=1",
            "a/b K=2",
            "a/b/c K=3",
            "ab K=4",
            "x/y K=5"
        ]
    );
    assert!(
        read(&store, "x").await.unwrap().entries.is_empty(),
        "it holds a folder"
    );
    for path in ["b", "a/c", "a/K/", "A", "a/b/c/d"] {
        assert_eq!(class(&store, path).await, FaultClass::NotFound, "{path}");
    }
}

#[tokio::test]
async fn what_is_in_the_bin_is_gone_and_names_must_tell_items_apart() {
    let lab = Lab::new().await;
    let folder = lab.folder("app", &[("K", "1"), ("K", "2"), ("L", "1")]);
    let store = lab.open().await;
    let snapshot = read(&store, "app").await.unwrap();
    assert_eq!(
        lines(&snapshot),
        ["app K=1", "app K=2", "app L=1"],
        "the newer comes later"
    );
    let failure = read(&store, "app/K").await.unwrap_err();
    assert_eq!(
        failure.fault.class,
        FaultClass::Invalid,
        "{}",
        failure.fault
    );
    lab.edit(|model, owner| {
        for cipher in model.ciphers.values_mut() {
            if cipher.folders.get(&owner.id) == Some(&folder) {
                cipher.deleted = Some("2026-01-02T03:04:05Z".to_owned());
            }
        }
        model.changed(Some(&owner.id), None);
    });
    assert!(read(&store, "app").await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn an_organisation_is_read_by_its_collections() {
    let mut lab = Lab::new().await;
    let (organization, plain) = {
        let mut model = lab.fake.model();
        let organization = lab.owner.found(&mut model, "Acme").unwrap();
        lab.owner.found(&mut model, "Twin").unwrap();
        lab.owner.found(&mut model, "Twin").unwrap();
        (organization, Plain::Login(Some("u"), "p"))
    };
    lab.edit(|model, owner| {
        let infra = owner.collection(model, &organization, "infra").unwrap();
        let deep = owner.collection(model, &organization, "infra/db").unwrap();
        let both = [infra.as_str(), deep.as_str()];
        for (name, collections) in [("ONE", &both[..1]), ("BOTH", &both[..])] {
            let at = (organization.as_str(), collections);
            owner.share(model, at, name, plain).unwrap();
        }
        owner.put(model, None, "MINE", plain).unwrap();
    });
    for name in ["Acme", organization.as_str()] {
        let store = lab.open_organization(name).await;
        let snapshot = read(&store, "infra").await.unwrap();
        assert_eq!(lines(&snapshot), ["infra BOTH=p", "infra ONE=p"]);
        let both = BTreeSet::from(["infra".to_owned(), "infra/db".to_owned()]);
        assert_eq!(snapshot.entries[0].tags, both);
        let all = StoreQuery {
            recursive: true,
            ..query("")
        };
        let snapshot = store.read("store", &all).await.unwrap();
        assert_eq!(
            lines(&snapshot),
            ["infra BOTH=p", "infra ONE=p"],
            "each item once"
        );
        assert!(store.probe("store").await.is_ok());
    }
    for (name, expected) in [
        ("Twin", FaultClass::Invalid),
        ("Gone", FaultClass::NotFound),
    ] {
        let store = lab.open_organization(name).await;
        assert_eq!(class(&store, "infra").await, expected, "{name}");
        assert!(store.probe("store").await.is_err());
    }
    lab.fake
        .model()
        .organizations
        .get_mut(&organization)
        .unwrap()
        .enabled = false;
    let store = lab.open_organization("Acme").await;
    assert_eq!(
        class(&store, "infra").await,
        FaultClass::Denied,
        "none of it is gone"
    );
}

#[tokio::test]
async fn an_unchanged_vault_costs_one_number() {
    let lab = Lab::new().await;
    let folder = lab.folder("app", &[("K", "1")]);
    let store = lab.open().await;
    let refresh = async || lines(&store.refresh("store", &query("app")).await.unwrap());
    for _ in 0..5 {
        assert_eq!(refresh().await, ["app K=1"]);
    }
    assert_eq!(lab.syncs(), 1);
    lab.edit(|model, owner| {
        let plain = Plain::Login(None, "2");
        owner.put(model, Some(&folder), "L", plain).unwrap();
    });
    assert_eq!(
        refresh().await,
        ["app K=1", "app L=2"],
        "a change is seen at once"
    );
    assert_eq!(lab.syncs(), 2);
    read(&store, "app").await.unwrap();
    assert_eq!(lab.syncs(), 3, "who insists gets what is now");
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(61)).await;
    tokio::time::resume();
    refresh().await;
    assert_eq!(lab.syncs(), 4, "no answer is repeated for ever");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_only_where_it_lies() {
    let lab = Lab::new().await;
    lab.folder("good", &[("K", "1")]);
    let cases: [(&str, Spoil, FaultClass); 7] = [
        (
            "cose",
            |data| data["login"]["password"] = json!("7.g1hLpQEDA3g="),
            FaultClass::Invalid,
        ),
        (
            "unknown",
            |data| data["login"]["password"] = json!("9.AAAA"),
            FaultClass::Invalid,
        ),
        (
            "mac",
            |data| {
                data["login"]["password"] = json!(
                    "2.EBESExQVFhcYGRobHB0eHw==|1zdeJ/hdKUwEADHS4nJnIA==|WykyjIIYiwRcguDgZEBhZDWtHbxiKc4XCxXSzmXXmfA="
                );
            },
            FaultClass::Unavailable,
        ),
        (
            "bare",
            |data| data["login"]["password"] = json!("hunter2"),
            FaultClass::Unavailable,
        ),
        (
            "stripped",
            |data| {
                data["login"]["password"] =
                    json!("0.EBESExQVFhcYGRobHB0eHw==|1zdeJ/hdKUwEADHS4nJnIA==");
            },
            FaultClass::Invalid,
        ),
        (
            "blob",
            |data| {
                data["login"] = serde_json::Value::Null;
                data.insert("data".to_owned(), json!("2.x"));
            },
            FaultClass::Invalid,
        ),
        (
            "hidden",
            |data| {
                data["login"]["password"] = serde_json::Value::Null;
                data.insert("viewPassword".to_owned(), json!(false));
            },
            FaultClass::Denied,
        ),
    ];
    for (folder, spoil, expected) in cases {
        let id = lab.folder(folder, &[("K", "hunter2"), ("L", "1")]);
        lab.edit(|model, owner| {
            let mut ciphers = model.ciphers.values_mut();
            let in_it = |it: &&mut penstock_fakes::bitwarden::StoredCipher| {
                it.folders.get(&owner.id) == Some(&id)
            };
            spoil(&mut ciphers.find(in_it).unwrap().data);
        });
        let store = lab.open().await;
        assert_eq!(
            lines(&read(&store, "good").await.unwrap()),
            ["good K=1"],
            "{folder}"
        );
        let failure = read(&store, folder).await.unwrap_err();
        assert_eq!(failure.fault.class, expected, "{folder}: {}", failure.fault);
        assert!(!format!("{failure:?}").contains("hunter2"), "{folder}");
        store.close().await;
        // Five a minute are ours.
        tokio::time::pause();
        tokio::time::advance(Duration::from_mins(1)).await;
        tokio::time::resume();
    }
}

#[tokio::test]
async fn types_that_are_not_known_are_passed_over() {
    let lab = Lab::new().await;
    let folder = lab.folder("app", &[("K", "1")]);
    lab.edit(|model, owner| {
        let id = owner
            .put(model, Some(&folder), "BANK", Plain::Note("x"))
            .unwrap();
        let cipher = model.ciphers.get_mut(&id).unwrap();
        cipher.data["type"] = json!(6);
        cipher.data["name"] = json!("9.AAAA");
    });
    let store = lab.open().await;
    assert_eq!(lines(&read(&store, "app").await.unwrap()), ["app K=1"]);
}

#[tokio::test]
async fn thousands_of_items_are_one_request_and_what_is_too_much_is_told() {
    let lab = Lab::new().await;
    let folder = lab.folder("many", &[]);
    let add = |count: usize| {
        lab.edit(|model, owner| {
            for number in 0..count {
                let plain = Plain::Login(None, "v");
                owner
                    .put(model, Some(&folder), &format!("K{number}"), plain)
                    .unwrap();
            }
        });
    };
    add(5000);
    let store = lab.open().await;
    let snapshot = read(&store, "many").await.unwrap();
    assert_eq!(snapshot.entries.len(), 5000);
    assert_eq!(lab.syncs(), 1);
    // The answer of a server for ten thousand is beyond the 8 MiB that anybody's answer may have.
    add(5000);
    let failure = read(&store, "many").await.unwrap_err();
    assert_eq!(failure.fault.reason, Reason::TooLarge);
}

#[tokio::test]
async fn a_check_logs_in_and_reads_one_number() {
    let lab = Lab::new().await;
    let store = lab.open().await;
    for _ in 0..2 {
        let capabilities = store.probe("store").await.unwrap();
        assert!(capabilities.contains(&Capability::Probe));
        assert!(!capabilities.contains(&Capability::Versions));
    }
    assert_eq!((lab.fake.logins(), lab.syncs()), (1, 0));
}
