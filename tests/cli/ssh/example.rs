//! `examples/vps`, as it is but for the places that everybody fills in.

use std::fs;
use std::path::Path;

use super::super::stage::marker;
use super::host::{Corner, Outcome, host};

#[tokio::test]
async fn the_example_renders_the_secrets_of_a_job_into_a_file_on_the_host() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    let folder = corner.folder.display().to_string();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/vps");
    let store = fs::read_to_string(examples.join("store.yaml"))?;
    let pinned = store
        .lines()
        .find_map(|line| line.trim().strip_prefix("- ssh-ed25519 "));
    let place = format!(
        "host: 127.0.0.1\n      port: {}\n      folder: {folder}",
        host.port()
    );
    let store = store
        .replace("host: vps.example.com", &place)
        .replace("user: deploy", &format!("user: {}", host.user()))
        .replace(
            &format!("ssh-ed25519 {}", pinned.unwrap_or_default()),
            &host.host_key()?,
        );
    let sync = fs::read_to_string(examples.join("sync.yaml"))?;
    let up = "docker compose --project-directory deploy up --detach";
    assert!(sync.contains(up), "{sync}");
    let sync = sync.replace(up, &format!("echo up >> {folder}/ran"));

    let mut stage = corner.stage.with("PENSTOCK_RECORD", "none");
    let key = host.private_key()?;
    for (name, value) in [
        ("VPS_PRIVATE_KEY", key.as_str()),
        ("DATABASE_URL", "postgres://app@db/app"),
        ("JWT_SECRET", &marker("jwt")),
        ("LLM_API_KEY", &marker("llm")),
    ] {
        stage = stage.with(name, value);
    }
    stage.file("vps/store.yaml", &store);
    stage.file("vps/sync.yaml", &sync);
    fs::create_dir(corner.folder.join("deploy"))?;
    fs::write(
        corner.folder.join("deploy/.env"),
        "# by hand\nCOMPOSE_PROJECT_NAME=runtime\nJWT_SECRET=old\n",
    )?;
    let read = |name: &str| fs::read_to_string(corner.folder.join(name)).unwrap_or_default();

    let command = "sync -f vps --allow-commands --yes";
    stage.penstock("sync -f vps --yes").ended(1);
    assert!(read("deploy/.env").contains("JWT_SECRET=old"));
    stage.penstock(command).ended(0);
    let text = read("deploy/.env");
    assert!(
        text.starts_with("# by hand\nCOMPOSE_PROJECT_NAME=runtime\n"),
        "{text}"
    );
    for value in [marker("jwt"), marker("llm")] {
        assert!(text.contains(&value), "{text}");
    }
    assert!(!text.contains("SENTRY_DSN"), "{text}");

    // The next job remembers nothing, and finds nothing to do.
    stage.penstock(command).ended(0);
    assert_eq!(
        (read("deploy/.env"), read("ran")),
        (text, "up\n".to_owned())
    );

    let stage = stage
        .with("LLM_API_KEY", &marker("new"))
        .with("SENTRY_DSN", "https://x@sentry.example.com/1");
    stage.penstock(command).ended(0);
    let text = read("deploy/.env");
    assert!(
        text.contains(&marker("new")) && text.contains("SENTRY_DSN="),
        "{text}"
    );
    assert_eq!(read("ran"), "up\nup\n");

    // A secret that the repository lost stops the sync, and what is there stays.
    stage.without("JWT_SECRET").penstock(command).ended(1);
    assert_eq!(read("deploy/.env"), text);
    Ok(())
}
