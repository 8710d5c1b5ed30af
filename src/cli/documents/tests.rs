//! What is read, what is refused, where a problem points, and that no value is shown.

use std::path::PathBuf;
use std::sync::Arc;

use penstock_domain::names::{NamespaceName, ObjectName};
use zeroize::Zeroizing;

use super::tree::parse;
use super::*;

/// A value that no message may hold.
const VALUE: &str = "hunter2-marker";

fn namespaces() -> Namespaces {
    Namespaces {
        default: NamespaceName::new("default").unwrap(),
        operator: NamespaceName::new("penstock-system").unwrap(),
    }
}

fn input(name: &str, text: &str) -> InputText {
    InputText {
        name: Arc::from(name),
        folder: PathBuf::from("deploy"),
        trusted: false,
        text: Zeroizing::new(text.to_owned()),
    }
}

fn loaded(text: &str) -> Result<Documents, Problems> {
    load(&[input("a.yaml", text)], &namespaces())
}

fn refusal(text: &str) -> String {
    let problems = loaded(text).map(|_| ()).unwrap_err().to_string();
    assert!(!problems.contains(VALUE), "{problems}");
    problems
}

const SYNC: &str = "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {name: panbot, namespace: prod}
spec:
  sources:
  - {name: vault, store: {name: openbao}, path: apps/panbot}
  targets:
  - name: env
    secret: {}
";

#[test]
fn documents_are_told_apart_and_strangers_left_out() {
    let text = format!(
        "{SYNC}---
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {{name: openbao, namespace: prod}}
spec: {{provider: {{vault: {{address: https://bao.example.com, auth: {{token: {{secretRef: {{name: bao, key: token}}}}}}}}}}}}
---
apiVersion: penstock.dev/v1alpha1
kind: ClusterSecretStore
metadata: {{name: shared}}
spec: {{provider: {{vault: {{address: https://bao.example.com, auth: {{token: {{secretRef: {{name: bao, key: token}}}}}}}}}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: bao, namespace: prod, annotations: {{penstock.dev/from.token: env:BAO_TOKEN}}}}
type: Opaque
data: {{a: aHVudGVyMg==, tls.crt: aHVudGVyMg==}}
stringData: {{a: wins}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: app}}
data: {{app.yaml: 'x: 1'}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: x}}
spec: {{anything: [1, 2.5, true, null]}}
---
# nothing
---
kind: Kustomization
"
    );
    let documents = loaded(&text).unwrap_or_else(|problems| panic!("{problems}"));
    let sync = documents.syncs.values().next().unwrap();
    assert_eq!(sync.object.metadata.namespace.as_deref(), Some("prod"));
    assert_eq!(sync.origin.folder, PathBuf::from("deploy"));
    let homes: Vec<String> = documents
        .stores
        .keys()
        .map(|(home, reference)| format!("{home} {reference}"))
        .collect();
    assert_eq!(
        homes,
        [
            "penstock-system ClusterSecretStore shared",
            "prod SecretStore openbao"
        ]
    );
    let secret = documents.secrets.values().next().unwrap();
    assert_eq!(secret.data["a"].expose_text(), Some("wins"));
    assert_eq!(secret.data["tls.crt"].expose_text(), Some("hunter2"));
    assert_eq!(
        secret.annotations["penstock.dev/from.token"],
        "env:BAO_TOKEN"
    );
    let map = documents.config_maps.iter().next().unwrap();
    assert_eq!(map.0.to_string(), "default/app");
    assert_eq!(map.1.data["app.yaml"].expose_text(), Some("x: 1"));
}

#[test]
fn json_and_lists_and_aliases_are_documents_too() {
    let json = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v\u00e4\n"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "binaryData": {"k": "AAE="}}]}"#;
    let documents = loaded(json).unwrap();
    let id = |name: &str| ObjectId {
        namespace: NamespaceName::new("default").unwrap(),
        name: ObjectName::new(name).unwrap(),
    };
    assert_eq!(
        documents.config_maps[&id("a")].data["k"].expose_text(),
        Some("vä\n")
    );
    assert_eq!(documents.config_maps[&id("b")].data["k"].expose(), [0, 1]);
    let aliased =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: &x same, y: *x}\n";
    let documents = loaded(aliased).unwrap();
    assert_eq!(
        documents.config_maps[&id("a")].data["y"].expose_text(),
        Some("same")
    );
}

#[test]
fn a_typo_is_an_error_that_points_at_it_and_knows_what_was_meant() {
    let text = SYNC.replace("  targets:", "  conflict: firstWins\n  targets:");
    assert_eq!(
        refusal(&text),
        "a.yaml:7:3: spec.conflict: is no field of spec
  |
7 |   conflict: …
  |   ^^^^^^^^
  = Did you mean `conflicts`?"
    );
    for (from, to, problem) in [
        (
            "path:",
            "pth:",
            "a.yaml:6:43: spec.sources[0].pth: is no field of spec.sources[0]",
        ),
        ("secret: {}", "secrets: {}", "Did you mean `secret`?"),
        (
            "kind: SecretSync",
            "kind: SecretSink",
            "Did you mean `SecretSync`?",
        ),
        (
            "v1alpha1",
            "v1beta1",
            "This version serves penstock.dev/v1alpha1",
        ),
        (
            "namespace: prod",
            "namspace: prod",
            "Did you mean `namespace`?",
        ),
        ("spec:", "spce:", "Did you mean `spec`?"),
        (
            "secret: {}",
            "secret: {}\n    adopt: Always",
            "is none of never, ifEqual, always",
        ),
        (
            "name: panbot",
            "name: Panbot",
            "SecretSync metadata.name: does not consist of",
        ),
        (
            "path: apps/panbot",
            "path: 7",
            "spec.sources[0].path: is a number, and a text is expected",
        ),
        (
            "store: {name: openbao}",
            "store: openbao",
            "is a text, and a mapping is expected",
        ),
        (
            "secret: {}",
            "secret: []",
            "is a list, and a mapping is expected",
        ),
        (
            "  - name: env\n    secret: {}",
            "    []",
            "spec.targets: is empty",
        ),
        ("name: vault, ", "", "spec.sources[0].name: is missing"),
    ] {
        assert!(SYNC.contains(from), "{from}");
        let refusal = refusal(&SYNC.replacen(from, to, 1));
        assert!(refusal.contains(problem), "{to}: {refusal}");
    }
}

#[test]
fn no_problem_shows_a_value() {
    let secret =
        |data: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{data}\n");
    for (text, problem) in [
        (
            secret(&format!("data: {{token: '{VALUE} !'}}")),
            "data.token: is no base64",
        ),
        (
            secret(&format!("stringdata: {{token: {VALUE}}}")),
            "Did you mean `stringData`?",
        ),
        (
            secret("stringData: {pin: 123456}"),
            "stringData.pin: is a number, and a text is expected",
        ),
        (
            secret(&format!("stringData: {{a: {VALUE}, a: {VALUE}}}")),
            "the key stands twice: first in line 4",
        ),
        (
            secret(&format!("stringData: {{a: !!binary {VALUE}}}")),
            "has a tag",
        ),
        (
            secret(&format!("stringData:\n  a: {VALUE}\n b: [{VALUE}")),
            "is no YAML",
        ),
        (secret(&format!("stringData: \"{VALUE}")), "is no YAML"),
        (format!("{VALUE}: *{VALUE}"), "is no YAML"),
        (
            secret(&format!("stringData:\n  <<: {{a: {VALUE}}}")),
            "merge keys",
        ),
        (
            SYNC.replace("path: apps/panbot", &format!("literal: {{K: [{VALUE}]}}")),
            "literal.K: is a list",
        ),
        (
            SYNC.replace("secret: {}", &format!("secret: {{}}\n    adopt: {VALUE}")),
            "is none of",
        ),
        (
            SYNC.replace("secret: {}", &format!("secret: {{immutable: {VALUE}}}")),
            "is a text, and true or false is expected",
        ),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.contains(problem), "{refusal}");
        assert!(refusal.starts_with("a.yaml:"), "{refusal}");
    }
    let node = &parse(&Arc::from("x"), &format!("a: {VALUE}")).unwrap()[0];
    assert!(!format!("{node:?}").contains(VALUE));
}

#[test]
fn one_object_stands_once() {
    let twice = [input("a.yaml", SYNC), input("b.yaml", SYNC)];
    let refusal = load(&twice, &namespaces())
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        refusal
            .starts_with("b.yaml:3:12: SecretSync prod/panbot: stands twice: first in a.yaml:1:1"),
        "{refusal}"
    );
}

#[test]
fn problems_of_admission_point_at_their_field() {
    let documents = loaded(&SYNC.replace("secret: {}", "secret: {name: Bad}")).unwrap();
    let sync = documents.syncs.values().next().unwrap();
    for (path, line, field) in [
        ("spec.targets[env].secret.name", 9, Some("name")),
        ("spec.targets[env].wave", 8, Some("name")),
        ("spec.sources[0].path", 6, Some("path")),
        ("spec.sources[0].rename.prefix", 6, Some("name")),
        ("spec.nothing.here", 4, Some("spec")),
        ("", 1, None),
    ] {
        let at = sync.origin.find(path);
        assert_eq!((at.line, at.field.as_deref()), (line, field), "{path}");
    }
}

#[test]
fn everything_is_bounded() {
    let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
    assert!(refusal(&deep).starts_with("a.yaml:1:"));
    let levels: Vec<String> = (0..100)
        .map(|level| format!("{}a:", " ".repeat(level)))
        .collect();
    let nested = levels.join("\n");
    assert!(refusal(&nested).starts_with("a.yaml:"));
    let levels: Vec<String> = (1..9)
        .map(|level| {
            let list = vec![format!("*a{}", level - 1); 10].join(", ");
            format!("a{level}: &a{level} [{list}]\n")
        })
        .collect();
    let laughs = format!(
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}",
        levels.concat()
    );
    assert!(refusal(&laughs).contains("more than 500000 nodes"));
    let own = "a: &a [*a]";
    assert!(refusal(own).contains("a.yaml:1:"));
    let many = "kind: x\n---\n".repeat(20_001);
    assert!(refusal(&many).contains("more than 20000 documents"));
}

#[test]
fn a_secret_of_ten_thousand_keys_is_read() {
    let keys: Vec<String> = (0..10_000)
        .map(|index| format!("  KEY_{index}: value\n"))
        .collect();
    let text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n{}",
        keys.concat()
    );
    let documents = loaded(&text).unwrap();
    assert_eq!(
        documents.secrets.values().next().unwrap().data.len(),
        10_000
    );
}

#[test]
fn scalars_mean_what_yaml_1_2_says() {
    let text = "[~, null, '', x, 'null', true, \"true\", yes, 1, -1, 0o17, 0xff, 1.5, 1e3, 1.2.3, 0644, 12e, .5, +7, 99999999999999999999, \"a\\tb\"]";
    let node = &parse(&Arc::from("x"), text).unwrap()[0];
    assert_eq!(
        node.to_json(),
        serde_json::json!([
            null,
            null,
            "",
            "x",
            "null",
            true,
            "true",
            "yes",
            1,
            -1,
            15,
            255,
            1.5,
            1000.0,
            "1.2.3",
            644,
            "12e",
            0.5,
            7,
            "99999999999999999999",
            "a\tb"
        ])
    );
}

mod files {
    use std::fs;
    use std::path::Path;

    use super::super::{ReadInputs, read_inputs};

    fn names(path: &Path, recursive: bool) -> Vec<String> {
        let inputs = read_inputs(&[path.to_owned()], recursive, false).unwrap();
        let strip = |name: &str| {
            name.strip_prefix(&format!("{}/", path.display()))
                .unwrap_or(name)
                .to_owned()
        };
        inputs.iter().map(|input| strip(&input.name)).collect()
    }

    #[test]
    fn a_folder_gives_its_documents_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "c.json", "d.txt", ".hidden.yaml"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/z.yaml"), "x").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("below/up")).unwrap();
        assert_eq!(names(folder.path(), false), ["a.yml", "b.yaml", "c.json"]);
        assert_eq!(
            names(folder.path(), true),
            ["a.yml", "b.yaml", "below/z.yaml", "c.json"]
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let read = |path: &Path| {
            read_inputs(&[path.to_owned()], false, false)
                .map(|_| ())
                .unwrap_err()
        };
        assert!(matches!(read(folder.path()), ReadInputs::Empty { .. }));
        assert!(matches!(
            read(&folder.path().join("none.yaml")),
            ReadInputs::Read { .. }
        ));
        let file = folder.path().join("latin.yaml");
        fs::write(&file, b"a: \xe4").unwrap();
        assert!(matches!(read(&file), ReadInputs::NotText { .. }));
        let large = folder.path().join("large.yaml");
        fs::write(&large, vec![b'#'; 8 * 1024 * 1024 + 1]).unwrap();
        assert!(matches!(read(&large), ReadInputs::TooLarge { .. }));
    }
}
