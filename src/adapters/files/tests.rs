//! The contracts against a folder of their own, and what only files can do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::bundle::Snapshot;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::formats::{self, Delimiter, Edit, FileFormat};
use penstock_domain::names::{Key, NamespaceName, ObjectName, SyncId};
use penstock_domain::ports::{
    Freshness, Observation, Precondition, Records, Sources, Targets, Write, Written,
};
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::{
    Destination, FileDestination, FilePlace, Origin, ValidatedSource, ValidatedTarget,
};
use penstock_domain::testing;
use penstock_domain::testing::contract::record::{self, RecordWorld};
use penstock_domain::testing::contract::source::{self, Content, SourceWorld};
use penstock_domain::testing::contract::target::{self, TargetWorld};
use tempfile::TempDir;

use super::{FileAccess, FileRecords, FileSources, FileTargets, GithubFiles, key};

/// A folder where somebody keeps documents and files.
struct World {
    folder: TempDir,
    format: FileFormat,
    sources: FileSources,
    targets: FileTargets,
    records: FileRecords,
}

impl World {
    fn new(format: FileFormat) -> Self {
        Self::with(format, FileAccess::default())
    }

    fn with(format: FileFormat, access: FileAccess) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            records: FileRecords::new(folder.path().join(".penstock")),
            folder,
            format,
            sources: FileSources::new(access.clone()),
            targets: FileTargets::new(access).unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn place(&self, name: &str) -> FilePlace {
        FilePlace {
            folder: self.folder.path().to_owned(),
            path: name.to_owned(),
            format: self.format,
        }
    }

    fn target(&self, name: &str, merge: bool) -> ValidatedTarget {
        let mut target = testing::target("file", "unused");
        target.destination = Destination::File(FileDestination {
            place: self.place(name),
            merge,
        });
        target
    }

    async fn observe(&self, target: &ValidatedTarget) -> Result<Observation, Fault> {
        self.targets.observe(&sync(), target).await
    }

    /// Writes over what is there now.
    async fn write(
        &self,
        target: &ValidatedTarget,
        pairs: &[(&str, &str)],
    ) -> Result<Written, Fault> {
        let precondition = match self.observe(target).await? {
            Observation::Absent => Precondition::Absent,
            Observation::Present(object) => Precondition::Unchanged {
                uid: object.uid,
                resource_version: object.resource_version,
            },
        };
        self.send(target, pairs, precondition).await
    }

    async fn send(
        &self,
        target: &ValidatedTarget,
        pairs: &[(&str, &str)],
        precondition: Precondition,
    ) -> Result<Written, Fault> {
        let write = Write {
            data: data(pairs),
            remove: BTreeSet::new(),
            owner: "test-installation/prod/panbot".to_owned(),
            precondition,
            recreate: false,
        };
        self.targets.write(&sync(), target, write).await
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn sync() -> SyncId {
    testing::sync_id("prod", "panbot")
}

fn data(pairs: &[(&str, &str)]) -> BTreeMap<Key, SecretValue> {
    pairs
        .iter()
        .map(|(name, value)| (Key::new(*name).unwrap(), SecretValue::from(*value)))
        .collect()
}

fn file(destination: &Destination) -> &FileDestination {
    destination.file().unwrap()
}

fn real(destination: &Destination) -> PathBuf {
    let place = &file(destination).place;
    place.folder.join(&place.path)
}

fn delimiter() -> Delimiter {
    Delimiter::from_random([1; 16])
}

#[async_trait]
impl TargetWorld for World {
    fn targets(&self) -> &dyn Targets {
        &self.targets
    }

    fn namespace(&self) -> NamespaceName {
        sync().namespace
    }

    fn destinations(&self) -> Vec<Destination> {
        vec![self.target("a", true).destination]
    }

    fn holds_bytes(&self) -> bool {
        false
    }

    fn keeps_identity(&self) -> bool {
        false
    }

    async fn plant(&self, destination: &Destination, data: &BTreeMap<Key, SecretValue>) {
        let document = formats::render(self.format, data, &delimiter()).unwrap();
        fs::write(real(destination), document.expose()).unwrap();
    }

    async fn edit(&self, destination: &Destination, key: &Key, value: Option<&SecretValue>) {
        let path = real(destination);
        let document = fs::read(&path).unwrap();
        let set = value.map(|value| (key.clone(), value.clone()));
        let (set, remove) = (set.into_iter().collect(), BTreeSet::from([key.clone()]));
        let edit = Edit {
            set: &set,
            remove: &remove,
        };
        let document = formats::merge(self.format, &document, edit, &delimiter()).unwrap();
        fs::write(path, document.expose()).unwrap();
    }

    async fn delete(&self, destination: &Destination) {
        fs::remove_file(real(destination)).unwrap();
    }
}

#[async_trait]
impl Sources for World {
    async fn read(
        &self,
        _: &SyncId,
        source: &ValidatedSource,
        _: Freshness,
    ) -> Result<Snapshot, Fault> {
        let Origin::File { place, optional } = &source.origin else {
            unreachable!("the world has files only");
        };
        self.sources.read(place, *optional).await
    }

    async fn template(&self, _: &SyncId, _: &ObjectName, _: &Key) -> Result<String, Fault> {
        unreachable!("files are no templates")
    }
}

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        self
    }

    fn sync(&self) -> SyncId {
        sync()
    }

    fn source(&self, place: &str) -> ValidatedSource {
        let mut source = testing::source(place);
        source.origin = Origin::File {
            place: self.place(place),
            optional: false,
        };
        source
    }

    async fn put(&self, place: &str, content: &Content) {
        let pairs: Vec<_> = content
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let document = formats::render(self.format, &data(&pairs), &delimiter()).unwrap();
        fs::write(self.path(place), document.expose()).unwrap();
    }

    async fn remove(&self, place: &str) {
        fs::remove_file(self.path(place)).unwrap();
    }
}

impl RecordWorld for World {
    fn records(&self) -> &dyn Records {
        &self.records
    }

    fn namespace(&self) -> NamespaceName {
        sync().namespace
    }
}

#[tokio::test]
#[expect(
    clippy::print_stdout,
    reason = "the last name is that of the case which fails"
)]
async fn the_contract_of_targets_holds() {
    for format in [
        FileFormat::Dotenv,
        FileFormat::Export,
        FileFormat::GithubEnv,
        FileFormat::Json,
        FileFormat::Yaml,
    ] {
        for case in target::CASES {
            println!("{format:?}: {}", case.name);
            (case.run)(&World::new(format)).await;
        }
    }
}

#[tokio::test]
#[expect(
    clippy::print_stdout,
    reason = "the last name is that of the case which fails"
)]
async fn the_contract_of_sources_holds() {
    for format in [FileFormat::Json, FileFormat::Yaml] {
        for case in source::CASES {
            println!("{format:?}: {}", case.name);
            (case.run)(&World::new(format)).await;
        }
    }
}

#[tokio::test]
#[expect(
    clippy::print_stdout,
    reason = "the last name is that of the case which fails"
)]
async fn the_contract_of_records_holds() {
    for case in record::CASES {
        println!("{}", case.name);
        (case.run)(&World::new(FileFormat::Dotenv)).await;
    }
}

#[tokio::test]
async fn a_file_is_private_and_leaves_nothing_beside_it() {
    let world = World::new(FileFormat::Dotenv);
    let target = world.target(".env", false);
    world.write(&target, &[("A", "1")]).await.unwrap();
    assert_eq!(
        (world.mode(".env"), world.text(".env")),
        (0o600, "A=1\n".to_owned())
    );

    fs::set_permissions(world.path(".env"), fs::Permissions::from_mode(0o644)).unwrap();
    let Observation::Present(open) = world.observe(&target).await.unwrap() else {
        unreachable!("it is there")
    };
    assert!(!open.metadata_matches, "others may read it");
    world.write(&target, &[("A", "1")]).await.unwrap();
    assert_eq!(world.mode(".env"), 0o600);
    assert_eq!(world.names(), [".env"]);
}

#[tokio::test]
async fn what_a_killed_run_left_behind_is_swept() {
    let world = World::new(FileFormat::Dotenv);
    fs::write(world.path(".env.penstock-0011223344556677"), "A=secret").unwrap();
    fs::write(world.path(".env.penstock"), "mine").unwrap();
    world
        .write(&world.target(".env", false), &[("A", "1")])
        .await
        .unwrap();
    assert_eq!(world.names(), [".env", ".env.penstock"]);
}

#[tokio::test]
async fn a_link_stays_and_the_file_that_it_leads_to_changes() {
    let world = World::new(FileFormat::Dotenv);
    fs::create_dir(world.path("shared")).unwrap();
    fs::write(world.path("shared/real"), "# kept\nA=0\n").unwrap();
    symlink("shared/real", world.path(".env")).unwrap();
    let mut target = world.target(".env", true);
    target.adopt = penstock_domain::sync::Adopt::Always;
    world.write(&target, &[("A", "1")]).await.unwrap();
    assert!(
        fs::symlink_metadata(world.path(".env"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(world.text("shared/real"), "# kept\nA=1\n");

    symlink("nowhere", world.path("dangling")).unwrap();
    let fault = world
        .observe(&world.target("dangling", true))
        .await
        .unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
}

#[tokio::test]
async fn keys_of_others_are_refused_without_merge() {
    let world = World::new(FileFormat::Dotenv);
    fs::write(world.path(".env"), "THEIRS=1\n").unwrap();
    let fault = world
        .write(&world.target(".env", false), &[("A", "1")])
        .await
        .unwrap_err();
    assert_eq!(
        (fault.class.clone(), fault.reason),
        (FaultClass::Denied, Reason::ForeignTarget)
    );
    assert!(fault.to_string().contains("THEIRS"), "{fault}");
    assert_eq!(world.text(".env"), "THEIRS=1\n");
}

#[tokio::test]
async fn a_target_stays_in_its_folder_also_through_links() {
    let outside = tempfile::tempdir().unwrap();
    let world = World::new(FileFormat::Dotenv);
    symlink(outside.path(), world.path("way")).unwrap();
    fs::create_dir_all(world.path(".git/hooks")).unwrap();
    fs::create_dir_all(world.path("sub")).unwrap();
    let absolute = outside.path().join(".env").display().to_string();
    let up = format!(
        "../{}/.env",
        outside.path().file_name().unwrap().to_str().unwrap()
    );
    for path in [
        "way/.env",
        &absolute,
        &up,
        "sub/../../x.env",
        ".git/hooks/x",
        ".git/../.git/x",
    ] {
        let fault = world
            .write(&world.target(path, true), &[("A", "1")])
            .await
            .unwrap_err();
        assert_eq!(fault.class, FaultClass::Denied, "{path}: {fault}");
        assert!(fault.hint.unwrap().contains("--allow-outside"), "{path}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);

    let access = FileAccess {
        allow_outside: true,
        ..FileAccess::default()
    };
    let free = World::with(FileFormat::Dotenv, access);
    free.write(&free.target(&absolute, true), &[("A", "1")])
        .await
        .unwrap();
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);

    let access = FileAccess {
        root: Some(outside.path().to_owned()),
        ..FileAccess::default()
    };
    let rooted = World::with(FileFormat::Dotenv, access);
    rooted
        .write(&rooted.target(&absolute, true), &[("A", "2")])
        .await
        .unwrap();
    rooted
        .write(&rooted.target(".env", true), &[("A", "2")])
        .await
        .unwrap_err();
}

#[tokio::test]
async fn what_is_no_plain_file_is_neither_read_nor_written() {
    let world = World::new(FileFormat::Dotenv);
    fs::create_dir(world.path("folder")).unwrap();
    let made = Command::new("mkfifo")
        .arg(world.path("pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    for name in ["folder", "pipe"] {
        let fault = world
            .sources
            .read(&world.place(name), true)
            .await
            .unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
        let fault = world
            .write(&world.target(name, true), &[("A", "1")])
            .await
            .unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
    }
    let device = FilePlace {
        folder: PathBuf::from("/dev"),
        path: "zero".to_owned(),
        format: FileFormat::Dotenv,
    };
    let fault = world.sources.read(&device, false).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
}

#[tokio::test]
async fn a_file_beyond_the_bound_is_refused_before_it_is_read() {
    let world = World::new(FileFormat::Dotenv);
    let file = fs::File::create(world.path("large")).unwrap();
    file.set_len(1 << 40).unwrap();
    let fault = world
        .sources
        .read(&world.place("large"), false)
        .await
        .unwrap_err();
    assert_eq!(fault.reason, Reason::TooLarge, "{fault}");
}

#[tokio::test]
async fn an_optional_file_may_be_absent_and_never_broken() {
    let world = World::new(FileFormat::Dotenv);
    for name in ["absent", "no-folder/absent"] {
        let read = world.sources.read(&world.place(name), true).await;
        assert_eq!(read, Ok(Snapshot::default()), "{name}");
        let fault = world
            .sources
            .read(&world.place(name), false)
            .await
            .unwrap_err();
        assert_eq!(fault.class, FaultClass::NotFound, "{name}");
    }
    fs::write(world.path("broken"), "A=hunter2\nB\n").unwrap();
    let fault = world
        .sources
        .read(&world.place("broken"), true)
        .await
        .unwrap_err();
    assert_eq!(fault.to_string(), "file broken: line 2 is not NAME=value");
}

#[tokio::test]
async fn of_a_name_that_stands_twice_the_last_counts() {
    let world = World::new(FileFormat::Dotenv);
    fs::write(world.path("e"), "A=1\nB=2\nA=3\n").unwrap();
    let snapshot = world.sources.read(&world.place("e"), false).await.unwrap();
    let found: Vec<_> = snapshot
        .entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.value.expose()))
        .collect();
    assert_eq!(found, [("B", &b"2"[..]), ("A", b"3")]);
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]);
    let status = command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
        .status;
    assert!(status.success(), "git {arguments:?}");
}

#[tokio::test]
async fn a_file_that_git_would_commit_is_refused() {
    let world = World::new(FileFormat::Dotenv);
    git(world.folder.path(), &["init", "--quiet"]);
    fs::write(world.path(".gitignore"), "ignored.env\nboth.env\n").unwrap();
    fs::write(world.path("both.env"), "").unwrap();
    git(world.folder.path(), &["add", "--force", "both.env"]);
    for (name, sentence) in [
        ("open.env", "git does not ignore it"),
        ("both.env", "git tracks it"),
    ] {
        let fault = world
            .write(&world.target(name, true), &[("A", "1")])
            .await
            .unwrap_err();
        assert_eq!(fault.class, FaultClass::Denied);
        assert!(fault.message.starts_with(sentence), "{fault}");
    }
    world
        .write(&world.target("ignored.env", true), &[("A", "1")])
        .await
        .unwrap();
    fs::create_dir(world.path("sub")).unwrap();
    symlink("../both.env", world.path("sub/ignored.env")).unwrap();
    world
        .write(&world.target("sub/ignored.env", true), &[("A", "1")])
        .await
        .unwrap_err();

    fs::write(world.path(".git/HEAD"), "broken").unwrap();
    let fault = world
        .observe(&world.target("ignored.env", true))
        .await
        .unwrap_err();
    assert!(fault.message.contains("git does not say"), "{fault}");
}

#[tokio::test]
async fn git_may_be_overruled() {
    let access = FileAccess {
        allow_tracked: true,
        ..FileAccess::default()
    };
    let world = World::with(FileFormat::Dotenv, access);
    git(world.folder.path(), &["init", "--quiet"]);
    world
        .write(&world.target(".env", true), &[("A", "1")])
        .await
        .unwrap();
}

#[tokio::test]
async fn what_penstock_keeps_for_itself_is_neither_source_nor_target() {
    let folder = tempfile::tempdir().unwrap();
    let records = FileRecords::new(folder.path().join(".penstock"));
    records
        .save(&sync(), b"sealed".to_vec(), None)
        .await
        .unwrap();
    let access = FileAccess {
        root: Some(folder.path().to_owned()),
        reserved: vec![records.folder().to_owned()],
        ..FileAccess::default()
    };
    let world = World::with(FileFormat::Dotenv, access);
    let path = records.path(&sync()).display().to_string();
    let fault = world
        .write(&world.target(&path, true), &[("A", "1")])
        .await
        .unwrap_err();
    assert_eq!(fault.class, FaultClass::Denied, "{fault}");
    let fault = world
        .sources
        .read(&world.place(&path), true)
        .await
        .unwrap_err();
    assert_eq!(fault.class, FaultClass::Denied, "{fault}");
}

#[tokio::test]
async fn the_runners_file_is_written_with_masks_and_its_mode_and_its_path_never() {
    let runner = tempfile::tempdir().unwrap();
    let (env, path) = (
        runner.path().join("set_env"),
        runner.path().join("add_path"),
    );
    fs::write(&env, "EARLIER=1\n").unwrap();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&env, fs::Permissions::from_mode(0o644)).unwrap();
    let printed = Arc::new(std::sync::Mutex::new(String::new()));
    let (sink, seen) = (Arc::clone(&printed), env.clone());
    let variable = |name: &str| match name {
        "GITHUB_ACTIONS" => Some("true".to_owned()),
        "GITHUB_ENV" => Some(env.display().to_string()),
        "GITHUB_PATH" => Some(path.display().to_string()),
        _ => None,
    };
    let masks = Arc::new(move |text: &str| {
        assert_eq!(
            fs::read_to_string(&seen).unwrap(),
            "EARLIER=1\n",
            "masks come first"
        );
        sink.lock().unwrap().push_str(text);
    });
    let access = FileAccess {
        github: GithubFiles::of(variable, masks),
        allow_outside: true,
        ..FileAccess::default()
    };
    let world = World::with(FileFormat::GithubEnv, access);
    world
        .write(&world.target("$GITHUB_ENV", true), &[("A", "one\ntwo")])
        .await
        .unwrap();
    let text = fs::read_to_string(&env).unwrap();
    assert!(text.starts_with("EARLIER=1\nA<<penstock_"), "{text}");
    assert_eq!(
        *printed.lock().unwrap(),
        "::add-mask::one\n::add-mask::two\n"
    );
    assert_eq!(
        fs::metadata(&env).unwrap().permissions().mode() & 0o777,
        0o644
    );

    let never = path.display().to_string();
    world
        .write(&world.target(&never, true), &[("A", "1")])
        .await
        .unwrap_err();
    let elsewhere = World::new(FileFormat::GithubEnv);
    let fault = elsewhere
        .observe(&elsewhere.target("$GITHUB_ENV", true))
        .await
        .unwrap_err();
    assert!(fault.message.contains("GITHUB_ENV"), "{fault}");
}

#[tokio::test]
async fn of_two_runs_on_one_file_none_loses_anything() {
    let world = Arc::new(World::new(FileFormat::Dotenv));
    let runs = (0..20).map(|number| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let target = world.target(".env", true);
            let name = format!("KEY_{number}");
            loop {
                match world.write(&target, &[(&name, "1")]).await {
                    Ok(_) => return,
                    Err(fault) => assert_eq!(fault.class, FaultClass::Conflict, "{fault}"),
                }
            }
        })
    });
    for run in futures::future::join_all(runs).await {
        run.unwrap();
    }
    assert_eq!(world.text(".env").lines().count(), 20);
}

#[tokio::test]
async fn records_lie_in_a_private_folder_that_git_ignores() {
    let world = World::new(FileFormat::Dotenv);
    world
        .records
        .save(&sync(), b"sealed".to_vec(), None)
        .await
        .unwrap();
    assert_eq!(world.mode(".penstock"), 0o700);
    assert_eq!(world.mode(".penstock/prod.panbot.record"), 0o600);
    assert_eq!(world.text(".penstock/.gitignore"), "*\n");
    fs::write(world.path(".penstock/prod.panbot.record"), "something else").unwrap();
    let fault = world.records.load(&sync()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
}

#[tokio::test]
async fn syncs_of_any_name_have_records_of_their_own() {
    let world = World::new(FileFormat::Dotenv);
    let long = |end: &str| testing::sync_id(&"n".repeat(63), &format!("{}{end}", "a".repeat(252)));
    let syncs = [
        testing::sync_id("a", "b.c"),
        testing::sync_id("a", "b"),
        long("x"),
        long("y"),
    ];
    for (at, sync) in (0..).zip(&syncs) {
        world.records.save(sync, vec![at], None).await.unwrap();
    }
    for (at, sync) in (0..).zip(&syncs) {
        let stored = world.records.load(sync).await.unwrap().unwrap();
        assert_eq!(stored.sealed, vec![at], "{sync}");
    }
}

#[test]
fn a_key_is_made_once_kept_private_and_never_made_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/penstock/installation-key");
    let first = key::load_or_create(&path).unwrap();
    let again = key::load_or_create(&path).unwrap();
    assert_eq!(
        (first.id(), first.installation()),
        (again.id(), again.installation())
    );
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let parsed = key::parse(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(parsed.id(), first.id());

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        key::load(&path).map(|_| ()).unwrap_err().class,
        FaultClass::Denied
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for broken in [
        "",
        "penstock-key-1 x",
        "penstock-key-1 0011223344556677 aGk=\n",
        "hunter2",
    ] {
        fs::write(&path, broken).unwrap();
        let fault = key::load_or_create(&path).map(|_| ()).unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid, "{broken}");
        assert!(!fault.to_string().contains("hunter2"));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            broken,
            "it stays as it was"
        );
    }
}

#[test]
fn the_key_lies_in_the_state_folder() {
    let path = |pairs: &'static [(&str, &str)]| {
        key::default_path(|name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    };
    let expected = |text: &str| Some(PathBuf::from(text));
    assert_eq!(
        path(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]),
        expected("/s/penstock/installation-key")
    );
    assert_eq!(
        path(&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")]),
        expected("/h/.local/state/penstock/installation-key")
    );
    assert_eq!(path(&[]), None);
}
