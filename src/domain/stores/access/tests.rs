use proptest::prelude::*;

use super::*;
use crate::api::shared::LabelSelector;
use crate::api::store::{AllowAt, Identity, Provider};
use crate::names::ObjectName;
use crate::stores::StoreLimits;
use crate::sync::{StoreKind, StoreReference};

fn namespace(name: &str) -> NamespaceName {
    NamespaceName::new(name).unwrap()
}

fn store(kind: StoreKind, allow: Vec<Allow>) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind,
            name: ObjectName::new("shared").unwrap(),
        },
        home: namespace("penstock-system"),
        uid: "u".to_owned(),
        generation: 1,
        provider: Provider::default(),
        limits: StoreLimits::default(),
        identity: Identity::Credentials,
        allow,
    }
}

fn reading(prefixes: &[&str]) -> Allow {
    Allow {
        namespaces: Some(vec!["prod".to_owned()]),
        key_prefixes: prefixes.iter().map(|text| (*text).to_owned()).collect(),
        read: Some(true),
        ..Allow::default()
    }
}

fn may_read(allow: Vec<Allow>, caller: &str, path: &str) -> bool {
    let path = RemotePath::parse(path).unwrap();
    let reach = Reach::reading(&path);
    let name = namespace(caller);
    let caller = AskingNamespace {
        name: &name,
        labels: None,
    };
    authorise(&store(StoreKind::Cluster, allow), caller, &reach).is_ok()
}

#[test]
fn texts_that_fool_prefix_checks_are_no_paths() {
    for (text, problem) in [
        ("apps//panbot", ParsePath::EmptySegment),
        ("//apps", ParsePath::EmptySegment),
        ("apps//", ParsePath::EmptySegment),
        ("//", ParsePath::EmptySegment),
        ("apps/../secret", ParsePath::Dots),
        ("..", ParsePath::Dots),
        ("apps/..", ParsePath::Dots),
        ("apps/../", ParsePath::Dots),
        ("./apps", ParsePath::Dots),
        ("apps/%2e%2e/secret", ParsePath::Encoded),
        ("apps%2Fpanbot", ParsePath::Encoded),
        ("apps/%252e", ParsePath::Encoded),
        ("apps\\..\\secret", ParsePath::Character),
        ("apps/a\nb", ParsePath::Character),
        ("apps/a\0b", ParsePath::Character),
        ("apps/a\u{85}b", ParsePath::Character),
    ] {
        assert_eq!(RemotePath::parse(text), Err(problem), "{text:?}");
    }
    assert_eq!(
        RemotePath::parse(&"a".repeat(MAX_PATH_LENGTH + 1)),
        Err(ParsePath::TooLong)
    );
    assert_eq!(
        RemotePath::parse(&"a/".repeat(MAX_PATH_SEGMENTS + 1)),
        Err(ParsePath::TooLong)
    );
}

#[test]
fn paths_keep_what_is_unusual_and_harmless() {
    for text in [
        "...",
        "a.b",
        "..a",
        "100%",
        "50% off/x",
        "ü/é",
        "a b",
        "a?b#c",
    ] {
        assert_eq!(RemotePath::parse(text).unwrap().to_text(), text);
    }
    for text in ["", "/"] {
        let root = RemotePath::parse(text).unwrap();
        assert!(root.is_folder() && root.segments().is_empty(), "{text}");
    }
    assert_eq!(
        RemotePath::parse("/apps/").unwrap(),
        RemotePath::parse("apps/").unwrap()
    );
}

#[test]
fn a_name_in_a_listing_cannot_lead_out_of_its_folder() {
    let folder = RemotePath::parse("apps/").unwrap();
    assert_eq!(folder.join("web").unwrap().to_text(), "apps/web");
    assert!(folder.join("sub/").unwrap().is_folder());
    for name in ["..", "../x", "/etc", "", "/", ".", "a//b", "%2e%2e", "a\\b"] {
        assert!(folder.join(name).is_err(), "{name:?}");
    }
    let mut deep = folder;
    while let Ok(deeper) = deep.join("x/") {
        deep = deeper;
    }
    assert_eq!(deep.segments().len(), MAX_PATH_SEGMENTS);
}

#[test]
fn prefixes_hold_on_segment_borders_only() {
    let allow = || vec![reading(&["apps/panbot"])];
    for path in [
        "apps/panbot",
        "apps/panbot/",
        "apps/panbot/db",
        "/apps/panbot/a/b/",
    ] {
        assert!(may_read(allow(), "prod", path), "{path}");
    }
    for path in [
        "apps/panbot-evil",
        "apps/panbo",
        "apps/panbotx/db",
        "apps",
        "apps/",
        "",
        "/",
        "x/apps/panbot",
        "Apps/panbot",
        "apps/PANBOT",
        "apps/panbot ",
        "apps /panbot",
    ] {
        assert!(!may_read(allow(), "prod", path), "{path:?}");
    }
}

#[test]
fn a_folder_prefix_holds_the_folder_and_not_its_namesake() {
    let allow = || vec![reading(&["apps/panbot/"])];
    assert!(may_read(allow(), "prod", "apps/panbot/"));
    assert!(may_read(allow(), "prod", "apps/panbot/db"));
    assert!(!may_read(allow(), "prod", "apps/panbot"));
}

#[test]
fn only_a_slash_allows_everything() {
    assert!(may_read(vec![reading(&["/"])], "prod", "anything/at/all"));
    assert!(may_read(vec![reading(&["/"])], "prod", "/"));
    for prefix in ["", " ", "//", ".", "./", "*", "..", "{{ namespace }}/.."] {
        assert!(
            !may_read(vec![reading(&[prefix])], "prod", "anything"),
            "{prefix:?}"
        );
        assert!(
            !may_read(vec![reading(&[prefix])], "prod", "/"),
            "{prefix:?}"
        );
    }
    assert!(!may_read(vec![reading(&[])], "prod", "anything"));
}

#[test]
fn the_namespace_stands_in_for_its_placeholder() {
    for prefix in ["teams/{{ namespace }}", "teams/{{namespace}}/"] {
        assert!(
            may_read(vec![reading(&[prefix])], "prod", "teams/prod/db"),
            "{prefix}"
        );
        assert!(
            !may_read(vec![reading(&[prefix])], "prod", "teams/other/db"),
            "{prefix}"
        );
        assert!(
            !may_read(vec![reading(&[prefix])], "prod", "teams/prod-2/db"),
            "{prefix}"
        );
    }
    assert!(!may_read(vec![reading(&["{{ name }}"])], "prod", "prod"));
    assert!(!may_read(vec![reading(&["{{ namespace"])], "prod", "prod"));
}

#[test]
fn an_entry_must_agree_in_every_respect() {
    assert!(!may_read(vec![], "prod", "a"), "no entry, no access");
    assert!(
        !may_read(vec![reading(&["/"])], "other", "a"),
        "another namespace"
    );
    assert!(
        !may_read(vec![reading(&["/"])], "pro", "a"),
        "a prefix of the name"
    );
    let mut silent = reading(&["/"]);
    silent.read = None;
    assert!(!may_read(vec![silent], "prod", "a"), "read is not said");
    let mut nobody = reading(&["/"]);
    nobody.namespaces = None;
    assert!(!may_read(vec![nobody], "prod", "a"), "no namespaces");
    let mut both = reading(&["/"]);
    both.namespace_selector = Some(LabelSelector::default());
    assert!(!may_read(vec![both], "prod", "a"), "two ways of naming");
    let elsewhere = Allow {
        namespaces: Some(vec!["other".to_owned()]),
        ..reading(&["/"])
    };
    assert!(
        !may_read(vec![elsewhere, reading(&["b"])], "prod", "a"),
        "two entries do not add up"
    );
}

#[test]
fn reading_is_not_writing() {
    let path = RemotePath::parse("a").unwrap();
    let reach = Reach {
        verb: Verb::Write,
        ..Reach::reading(&path)
    };
    let name = namespace("prod");
    let caller = AskingNamespace {
        name: &name,
        labels: None,
    };
    let mut entry = reading(&["/"]);
    assert!(
        authorise(
            &store(StoreKind::Cluster, vec![entry.clone()]),
            caller,
            &reach
        )
        .is_err()
    );
    entry.write = Some(true);
    assert!(authorise(&store(StoreKind::Cluster, vec![entry]), caller, &reach).is_ok());
}

#[test]
fn what_a_source_sets_must_be_named() {
    let path = RemotePath::parse("a").unwrap();
    let name = namespace("prod");
    let check = |at: Option<AllowAt>, set: Reach<'_>| {
        let allow = vec![Allow {
            at,
            ..reading(&["/"])
        }];
        let caller = AskingNamespace {
            name: &name,
            labels: None,
        };
        authorise(&store(StoreKind::Cluster, allow), caller, &set).is_ok()
    };
    let plain = || Reach::reading(&path);
    let mount = |mount| Reach {
        mount: Some(mount),
        ..plain()
    };
    let environment = |environment| Reach {
        environment: Some(environment),
        ..plain()
    };
    let kind = |kind| Reach {
        kind: Some(kind),
        ..plain()
    };
    let at = || {
        Some(AllowAt {
            table: Vec::new(),
            mount: vec!["kv".to_owned()],
            environment: vec!["dev".to_owned()],
            kind: vec![ObjectKind::Secret],
            follow: Vec::new(),
        })
    };
    assert!(check(None, plain()));
    assert!(check(at(), plain()));
    assert!(check(at(), mount("kv")));
    assert!(check(at(), environment("dev")));
    assert!(check(at(), kind(ObjectKind::Secret)));
    assert!(!check(at(), kind(ObjectKind::ConfigMap)));
    assert!(!check(at(), environment("prod")));
    for other in ["kv2", "KV", "kv/", "", "dev"] {
        assert!(!check(at(), mount(other)), "{other:?}");
    }
    assert!(!check(None, mount("kv")));
    assert!(!check(Some(AllowAt::default()), mount("kv")));
    assert!(!check(Some(AllowAt::default()), kind(ObjectKind::Secret)));
}

#[test]
fn what_leads_elsewhere_must_be_named() {
    let path = RemotePath::parse("apps").unwrap();
    let name = namespace("prod");
    let check = |named: &[Follow], follow: &[Follow]| {
        let allow = vec![Allow {
            at: Some(AllowAt {
                follow: named.to_vec(),
                ..AllowAt::default()
            }),
            ..reading(&["/"])
        }];
        let caller = AskingNamespace {
            name: &name,
            labels: None,
        };
        let reach = Reach {
            follow,
            ..Reach::reading(&path)
        };
        authorise(&store(StoreKind::Cluster, allow), caller, &reach).is_ok()
    };
    let (imports, both) = (
        &[Follow::Imports][..],
        &[Follow::Imports, Follow::References][..],
    );
    assert!(check(&[], &[]) && check(both, &[]));
    assert!(check(imports, imports) && check(both, both));
    assert!(!check(&[], imports) && !check(imports, both));
    assert!(!check(imports, &[Follow::References]));
}

#[test]
fn selectors_need_known_labels() {
    let path = RemotePath::parse("a").unwrap();
    let reach = Reach::reading(&path);
    let name = namespace("prod");
    let team = |value: &str| BTreeMap::from([("team".to_owned(), value.to_owned())]);
    let check = |selector: LabelSelector, labels: Option<&BTreeMap<String, String>>| {
        let allow = vec![Allow {
            namespaces: None,
            namespace_selector: Some(selector),
            ..reading(&["/"])
        }];
        let caller = AskingNamespace {
            name: &name,
            labels,
        };
        authorise(&store(StoreKind::Cluster, allow), caller, &reach).is_ok()
    };
    let wanted = || LabelSelector {
        match_labels: team("a"),
        ..LabelSelector::default()
    };
    assert!(check(wanted(), Some(&team("a"))));
    assert!(!check(wanted(), Some(&team("b"))));
    assert!(!check(wanted(), None));
    assert!(
        check(LabelSelector::default(), Some(&BTreeMap::new())),
        "{{}} selects all"
    );
    assert!(
        !check(LabelSelector::default(), None),
        "unless nothing is known"
    );
}

#[test]
fn a_secret_store_serves_its_own_namespace() {
    let path = RemotePath::parse("a").unwrap();
    let reach = Reach {
        mount: Some("kv"),
        ..Reach::reading(&path)
    };
    let own = store(StoreKind::Namespaced, vec![reading(&["/"])]);
    for (caller, expected) in [("penstock-system", true), ("prod", false)] {
        let name = namespace(caller);
        let caller = AskingNamespace {
            name: &name,
            labels: None,
        };
        assert_eq!(authorise(&own, caller, &reach).is_ok(), expected);
    }
}

#[test]
fn a_refusal_tells_nothing_of_the_entries() {
    let path = RemotePath::parse("apps/x").unwrap();
    let reach = Reach::reading(&path);
    let name = namespace("prod");
    let caller = AskingNamespace {
        name: &name,
        labels: None,
    };
    let entries = vec![reading(&["teams/blue"])];
    let fault = authorise(&store(StoreKind::Cluster, entries), caller, &reach).unwrap_err();
    assert_eq!(
        (fault.class.clone(), fault.reason),
        (FaultClass::Denied, Reason::NotAllowed)
    );
    assert!(!fault.to_string().contains("blue"));
}

proptest! {
    /// Whatever text gets through: nothing but the prefix, or the prefix and a slash, comes first.
    #[test]
    fn nothing_outside_a_prefix_gets_through(text in "[a-z./%\\\\ ]{0,24}") {
        if let Ok(path) = RemotePath::parse(&text) {
            let inside = path.to_text() == "a/b" || path.to_text().starts_with("a/b/");
            prop_assert_eq!(may_read(vec![reading(&["a/b"])], "prod", &text), inside);
        }
    }
}
