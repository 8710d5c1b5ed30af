//! The verbs against a store in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Cursor, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::formats::FileFormat;
use penstock_domain::items::{Item, ItemPlace, ItemState, StoreItems};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::sync::{SourceOptions, StoreKind, StoreReference};

use super::*;
use crate::arguments::OverviewForm;
use crate::exit::Ending;
use crate::output::Style;

type Keys = BTreeMap<String, SecretValue>;

/// A store that counts versions.
#[derive(Default)]
struct Vault {
    items: Mutex<BTreeMap<String, (u64, Keys)>>,
    /// Somebody else writes right before the next write of ours.
    meddler: Mutex<Option<(String, Keys)>>,
    /// What is written comes back as this.
    liar: bool,
}

impl Vault {
    fn holding(path: &str, pairs: &[(&str, &str)]) -> Self {
        let vault = Self::default();
        vault
            .items
            .lock()
            .unwrap()
            .insert(path.to_owned(), (3, keys(pairs)));
        vault
    }

    fn keys(&self, path: &str) -> Vec<(String, String)> {
        let items = self.items.lock().unwrap();
        let (_, keys) = items.get(path).cloned().unwrap_or_default();
        let text = |value: &SecretValue| value.expose_text().unwrap().to_owned();
        keys.iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect()
    }
}

#[async_trait]
impl StoreItems for Vault {
    async fn read(&self, place: &ItemPlace) -> Result<Item, Fault> {
        let items = self.items.lock().unwrap();
        let found = items.get(&place.path.to_text()).cloned();
        let (version, keys) = found.clone().unwrap_or_default();
        Ok(Item {
            exists: found.is_some(),
            keys,
            version: found.map(|(version, _)| version.to_string()),
            tags: BTreeSet::from(["team=shop".to_owned()]),
            state: ItemState::new(version.to_string()),
        })
    }

    async fn list(&self, _: &ItemPlace) -> Result<Vec<String>, Fault> {
        Ok(self.items.lock().unwrap().keys().cloned().collect())
    }

    async fn set(&self, place: &ItemPlace, keys: &Keys, seen: &ItemState) -> Result<(), Fault> {
        let mut items = self.items.lock().unwrap();
        if let Some((path, keys)) = self.meddler.lock().unwrap().take() {
            let (version, item) = items.entry(path).or_default();
            *version += 1;
            item.extend(keys);
        }
        let (version, item) = items.entry(place.path.to_text()).or_default();
        if version.to_string() != seen.as_str() {
            return Err(Fault::new(
                FaultClass::Conflict,
                "store",
                "somebody else changed it",
            ));
        }
        *version += 1;
        if !self.liar {
            item.extend(keys.clone());
        }
        Ok(())
    }
}

fn keys(pairs: &[(&str, &str)]) -> Keys {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), SecretValue::from(*value));
    pairs.iter().map(own).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

fn place(path: &str) -> ItemPlace {
    ItemPlace {
        namespace: NamespaceName::new("default").unwrap(),
        store: StoreReference {
            kind: StoreKind::Namespaced,
            name: ObjectName::new("openbao").unwrap(),
        },
        environment: None,
        options: SourceOptions::None,
        path: RemotePath::parse(path).unwrap(),
    }
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Streams, and all that goes to them.
fn streams(input: &str, person: bool) -> (Streams, Page) {
    let page = Page::default();
    let streams = Streams {
        out: Box::new(page.clone()),
        err: Box::new(page.clone()),
        input: Box::new(Cursor::new(input.to_owned())),
        style: Style::default(),
        error_style: Style::default(),
        person,
    };
    (streams, page)
}

fn text(page: &Page) -> String {
    String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
}

fn shown(key: Option<&str>, reveal: bool, form: OverviewForm) -> Shown<'_> {
    Shown { key, reveal, form }
}

const SHOP: &[(&str, &str)] = &[("DB_URL", "postgres://hunter2"), ("PORT", "1")];

#[tokio::test]
async fn what_is_there_is_shown_without_values_unless_they_are_asked_for() {
    let vault = Vault::holding("apps/shop", SHOP);
    let mut pages = Vec::new();
    for shown in [
        shown(None, false, OverviewForm::Text),
        shown(Some("PORT"), false, OverviewForm::Text),
        shown(Some("PORT"), true, OverviewForm::Text),
        shown(None, true, OverviewForm::Text),
        shown(None, false, OverviewForm::Json),
    ] {
        let (mut streams, page) = streams("", false);
        get(&vault, &place("apps/shop"), shown, &mut streams)
            .await
            .unwrap();
        assert_eq!(
            text(&page).contains("hunter2"),
            shown.reveal && shown.key.is_none()
        );
        pages.push(text(&page));
    }
    let (mut streams, page) = streams("", false);
    let folder = shown(None, false, OverviewForm::Text);
    get(&vault, &place("apps/"), folder, &mut streams)
        .await
        .unwrap();
    pages.push(text(&page));
    insta::assert_snapshot!(pages.join("\n----\n"));
}

#[tokio::test]
async fn what_is_not_there_is_told_with_what_was_meant() {
    let vault = Vault::holding("apps/shop", SHOP);
    let (mut streams, _) = streams("", false);
    let typo = shown(Some("DB_URI"), true, OverviewForm::Text);
    let error = get(&vault, &place("apps/shop"), typo, &mut streams)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("Did you mean `DB_URL`?"),
        "{error}"
    );
    let all = shown(None, true, OverviewForm::Text);
    let error = get(&vault, &place("apps/none"), all, &mut streams)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("there is nothing"), "{error}");
}

#[tokio::test]
async fn one_key_is_set_and_the_others_are_kept() {
    let vault = Vault::holding("apps/shop", SHOP);
    let (mut streams, page) = streams("8080\n", false);
    let value = take_value("PORT", false, &mut streams).unwrap();
    let at = place("apps/shop");
    set(&vault, &at, ("PORT", value.clone()), &mut streams)
        .await
        .unwrap();
    set(&vault, &at, ("PORT", value), &mut streams)
        .await
        .unwrap();
    set(
        &vault,
        &place("apps/new"),
        ("A", SecretValue::from("hunter2")),
        &mut streams,
    )
    .await
    .unwrap();
    assert_eq!(
        vault.keys("apps/shop"),
        owned(&[("DB_URL", "postgres://hunter2"), ("PORT", "8080")])
    );
    insta::assert_snapshot!(text(&page));
}

#[tokio::test]
async fn what_somebody_else_writes_meanwhile_is_not_lost() {
    let vault = Vault::holding("apps/shop", SHOP);
    *vault.meddler.lock().unwrap() = Some(("apps/shop".to_owned(), keys(&[("THEIRS", "x")])));
    let (mut streams, _) = streams("", false);
    let key = ("PORT", SecretValue::from("2"));
    let error = set(&vault, &place("apps/shop"), key, &mut streams)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("somebody else"), "{error}");
    assert!(
        vault
            .keys("apps/shop")
            .contains(&("THEIRS".to_owned(), "x".to_owned()))
    );
}

#[tokio::test]
async fn a_person_types_the_value_unseen_and_may_leave() {
    let (mut streams, page) = streams("hunter2\n", true);
    let value = take_value("PORT", false, &mut streams).unwrap();
    assert_eq!(value, SecretValue::from("hunter2"));
    assert!(!text(&page).contains("hunter2"));
    let (mut leaving, _) = tests::streams("\x03", true);
    let left = take_value("PORT", false, &mut leaving).unwrap_err();
    assert!(matches!(left, StoreVerbError::Left), "{left}");
}

fn wants(path: &str, names: &[&str]) -> Required {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Required {
        items: vec![(place(path), names)],
        unclear: vec!["default/shop source all: it reads a folder".to_owned()],
    }
}

#[tokio::test]
async fn missing_keys_are_made_after_asking_and_what_is_there_stays() {
    let wanted = wants("apps/shop", &["DB_URL", "NEW", "OTHER"]);
    let choices = InitChoices {
        generate: false,
        yes: false,
    };
    for (answer, person, made) in [
        ("y\n", true, true),
        ("n\n", true, false),
        ("", false, false),
    ] {
        let vault = Vault::holding("apps/shop", SHOP);
        let (mut streams, page) = streams(answer, person);
        init(&vault, &wanted, choices, &mut streams).await.unwrap();
        assert_eq!(
            vault.keys("apps/shop").len(),
            if made { 4 } else { 2 },
            "{answer:?}"
        );
        assert_eq!(vault.keys("apps/shop")[0].1, "postgres://hunter2");
        if made {
            insta::assert_snapshot!(text(&page));
        }
    }
}

#[tokio::test]
async fn generated_values_are_long_and_differ() {
    let vault = Vault::default();
    let choices = InitChoices {
        generate: true,
        yes: true,
    };
    let (mut streams, page) = streams("", false);
    init(
        &vault,
        &wants("apps/new", &["A", "B"]),
        choices,
        &mut streams,
    )
    .await
    .unwrap();
    let made = vault.keys("apps/new");
    assert!(
        made[0].1 != made[1].1 && made.iter().all(|(_, value)| value.len() == 43),
        "{made:?}"
    );
    assert!(made.iter().all(|(_, value)| !text(&page).contains(value)));
    let ending = init(
        &vault,
        &wants("apps/new", &["A", "B"]),
        choices,
        &mut streams,
    )
    .await
    .unwrap();
    assert_eq!((ending, vault.keys("apps/new")), (Ending::Done, made));
}

const ENV: &str = "# the shop\nDB_PASSWORD='hunter2'\nPORT=8080 # stays\n\nAPI_KEY=\"hunter3\"\n";

struct Moved {
    folder: tempfile::TempDir,
    outcome: Result<Ending, StoreVerbError>,
    said: String,
}

impl Moved {
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

/// What is chosen in a case, besides the usual.
struct Given {
    secrets: Vec<String>,
    guess: bool,
    replace: bool,
    yes: bool,
}

impl Given {
    /// Guess, and do not ask.
    fn usual() -> Self {
        Self {
            secrets: Vec::new(),
            guess: true,
            replace: false,
            yes: true,
        }
    }
}

/// Imports [`ENV`] as `.env`; `input` is what a person says, if there is one.
async fn moved(vault: &Vault, input: Option<&str>, given: Given) -> Moved {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    fs::write(&path, ENV).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let choices = ImportChoices {
        secrets: &given.secrets,
        configuration: &[],
        guess: given.guess,
        replace: given.replace,
        yes: given.yes,
        undo: &folder.path().join("state/undo"),
    };
    let (mut streams, page) = streams(input.unwrap_or_default(), input.is_some());
    let file = EnvFile::read(&path, FileFormat::Dotenv).unwrap();
    let outcome = import(vault, (&file, &place("apps/shop")), choices, &mut streams).await;
    let said = text(&page).replace(&folder.path().display().to_string(), "<folder>");
    assert!(!said.contains("hunter"), "{said}");
    Moved {
        folder,
        outcome,
        said,
    }
}

#[tokio::test]
async fn secrets_move_and_the_rest_of_the_file_stays_as_it_is() {
    let vault = Vault::holding("apps/shop", &[("API_KEY", "hunter3"), ("THEIRS", "x")]);
    let moved = moved(&vault, None, Given::usual()).await;
    assert_eq!(
        moved.outcome.as_ref().unwrap(),
        &Ending::Done,
        "{}",
        moved.said
    );
    assert_eq!(moved.read(".env"), "# the shop\nPORT=8080 # stays\n\n");
    assert_eq!(
        vault.keys("apps/shop"),
        owned(&[
            ("API_KEY", "hunter3"),
            ("DB_PASSWORD", "hunter2"),
            ("THEIRS", "x")
        ])
    );
    let mode = |name: &str| {
        let path = moved.folder.path().join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(moved.read("state/undo/.env.1"), ENV);
    assert_eq!(
        (mode("state/undo/.env.1"), mode("state/undo"), mode(".env")),
        (0o600, 0o700, 0o640)
    );
    insta::assert_snapshot!(moved.said);
}

#[tokio::test]
async fn a_person_chooses_key_by_key_and_agrees() {
    let vault = Vault::default();
    let given = Given {
        guess: false,
        yes: false,
        ..Given::usual()
    };
    let moved = moved(&vault, Some("\ns\nc\ny\n"), given).await;
    // In the order of names: API_KEY as guessed, DB_PASSWORD as chosen, PORT stays.
    assert_eq!(vault.keys("apps/shop").len(), 2, "{}", moved.said);
    insta::assert_snapshot!(moved.said);
}

#[tokio::test]
async fn nothing_moves_without_a_choice_or_over_other_values_or_from_a_store_that_lies() {
    let other = || Vault::holding("apps/shop", &[("DB_PASSWORD", "other")]);
    let of = |key: &str| Given {
        secrets: vec![key.to_owned()],
        ..Given::usual()
    };
    let silent = Given {
        guess: false,
        ..Given::usual()
    };
    let unasked = Given {
        yes: false,
        ..Given::usual()
    };
    let liar = Vault {
        liar: true,
        ..Vault::default()
    };
    let undecided = moved(&Vault::default(), None, silent).await;
    let no_key = moved(&Vault::default(), None, of("NOPE")).await;
    let differs = moved(&other(), None, of("DB_PASSWORD")).await;
    let lied_to = moved(&liar, None, Given::usual()).await;
    let unasked = moved(&Vault::default(), None, unasked).await;
    for (moved, said) in [
        (&undecided, "API_KEY, DB_PASSWORD, PORT"),
        (&no_key, "has no key `NOPE`"),
        (&differs, "other values of DB_PASSWORD"),
        (&lied_to, "does not give back"),
    ] {
        let error = moved.outcome.as_ref().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(unasked.outcome.as_ref().unwrap(), &Ending::Changes);
    for moved in [&undecided, &no_key, &differs, &lied_to, &unasked] {
        assert_eq!(moved.read(".env"), ENV);
    }
    let replaced = other();
    let replace = Given {
        replace: true,
        ..Given::usual()
    };
    moved(&replaced, None, replace).await.outcome.unwrap();
    assert_eq!(replaced.keys("apps/shop")[1].1, "hunter2");
}
