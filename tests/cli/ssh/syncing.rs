//! Contents, changes, and what stays as it is.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use super::super::stage::marker;
use super::host::{ALONE, Corner, MERGE, Outcome, host, own_host};

#[tokio::test]
async fn a_first_sync_makes_the_file_for_its_owner_alone_and_a_second_touches_nothing() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    corner.documents(&[("A", &marker("a")), ("B", "two words")], ALONE);
    let plan = corner.stage.penstock("plan -f app.yaml -q").ended(2);
    assert!(plan.stdout.contains("HostFile vps:.env"), "{plan}");
    assert_eq!(corner.names(), [""; 0], "a plan writes nothing");

    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    let expected = format!("A={}\nB='two words'\n", marker("a"));
    assert_eq!(corner.read(".env"), Some(expected));
    assert_eq!(corner.mode(".env"), 0o600);
    assert_eq!(corner.names(), [".env"], "nothing is left beside it");

    let (standing, files) = (corner.standing(), corner.stage.files());
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    corner.stage.penstock("plan -f app.yaml -q").ended(0);
    assert_eq!(corner.standing(), standing, "unchanged costs nothing");
    assert_eq!(corner.stage.files(), files, "the record included");
    Ok(())
}

#[tokio::test]
async fn what_others_wrote_stays_and_what_is_ours_follows_the_sources() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    corner.put(".env", "# by hand\nTHEIRS=1\n");
    corner.documents(&[("A", "1"), ("B", "1")], ALONE);
    let run = corner.stage.penstock("sync -f app.yaml -q").ended(1);
    assert!(run.stdout.contains("THEIRS"), "{run}");
    assert_eq!(
        corner.read(".env").as_deref(),
        Some("# by hand\nTHEIRS=1\n")
    );

    corner.documents(&[("A", "1"), ("B", "1")], MERGE);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    corner.documents(&[("A", "2")], MERGE);
    corner.stage.penstock("sync -f app.yaml -q --yes").ended(0);
    let text = corner.read(".env").unwrap_or_default();
    assert!(text.starts_with("# by hand\nTHEIRS=1\n"), "{text}");
    assert!(text.contains("A=2") && !text.contains("B="), "{text}");
    assert_eq!(corner.mode(".env"), 0o600, "others could read it before");

    // Somebody else's change of what is ours is repaired, and their own keys stay.
    corner.put(".env", &text.replace("A=2", "A=tampered\nMORE=2"));
    let run = corner.stage.penstock("sync -f app.yaml -q").ended(0);
    assert!(run.stdout.contains("somebody else changed it"), "{run}");
    let text = corner.read(".env").unwrap_or_default();
    assert!(text.contains("A=2") && text.contains("MORE=2"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_first_contact_takes_nothing_over_unless_it_is_told_to() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    corner.put(".env", "A=theirs\n");
    corner.documents(&[("A", "ours")], MERGE);
    let run = corner.stage.penstock("sync -f app.yaml -q").ended(1);
    assert!(run.stdout.contains("ForeignTarget"), "{run}");
    assert_eq!(corner.read(".env").as_deref(), Some("A=theirs\n"));
    corner.documents(&[("A", "ours")], &format!("{MERGE}\n    adopt: always"));
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    assert_eq!(corner.read(".env").as_deref(), Some("A=ours\n"));
    Ok(())
}

#[tokio::test]
async fn a_link_stays_and_what_it_leads_to_is_replaced() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    std::fs::create_dir(corner.folder.join("shared"))?;
    corner.put("shared/real.env", "");
    symlink("shared/real.env", corner.folder.join(".env"))?;
    corner.documents(&[("A", "1")], MERGE);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    let link = std::fs::read_link(corner.folder.join(".env"))?;
    assert_eq!(link, Path::new("shared/real.env"));
    assert_eq!(corner.read("shared/real.env").as_deref(), Some("A=1\n"));
    assert_eq!(corner.names(), [".env", "shared"]);
    Ok(())
}

#[tokio::test]
async fn a_file_of_a_host_is_a_source_as_well() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    std::fs::create_dir(corner.folder.join("deploy"))?;
    corner.put(
        "deploy/base.env",
        &format!("A={}\nexport B='2'\n", marker("a")),
    );
    let sync = format!(
        "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {{name: app}}
spec:
  sources: [{{name: host, store: {{name: vps}}, path: deploy/base.env, extract: {{format: dotenv}}}}]
  targets: [{{name: env, file: {{path: app.env}}}}]
{}",
        corner.store()
    );
    corner.stage.file("app.yaml", &sync);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    let expected = format!("A={}\nB=2\n", marker("a"));
    assert_eq!(corner.stage.read("app.env"), Some(expected));

    corner
        .stage
        .file("app.yaml", &sync.replace("base.env", "missing.env"));
    let run = corner.stage.penstock("plan -f app.yaml -q");
    assert!(run.stdout.contains("the file does not exist"), "{run}");
    corner
        .stage
        .file("app.yaml", &sync.replace("deploy/base.env", "deploy/"));
    let run = corner.stage.penstock("plan -f app.yaml -q");
    assert!(run.stdout.contains("name one file"), "{run}");
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_down_loses_nothing() -> Outcome {
    let Some(host) = own_host().await? else {
        return Ok(());
    };
    let corner = Corner::new(&host);
    corner.documents(&[("A", "1")], MERGE);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    host.stop().await?;
    corner.documents(&[("A", "2")], MERGE);
    let run = corner.stage.penstock("sync -f app.yaml -q").ended(1);
    assert!(run.stdout.contains("(Unavailable)"), "{run}");
    let run = corner.stage.penstock("doctor -f app.yaml").ended(1);
    assert!(
        run.to_string().contains("cannot connect to the host"),
        "{run}"
    );
    assert_eq!(corner.read(".env").as_deref(), Some("A=1\n"));
    corner.documents(&[("A", "1")], MERGE);
    host.start_again().await?;
    corner.stage.penstock("plan -f app.yaml -q").ended(0);
    corner.documents(&[("A", "2")], MERGE);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    assert_eq!(corner.read(".env").as_deref(), Some("A=2\n"));
    Ok(())
}

#[tokio::test]
async fn two_syncs_at_once_on_one_file_lose_nothing() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let one = Corner::new(host);
    let mut other = Corner::new(host);
    other.folder.clone_from(&one.folder);
    let shared = format!("{MERGE}\n    share: keys");
    for round in 0..3 {
        let value = round.to_string();
        one.named("one", &[("A", &value), ("B", &value)], &shared);
        other.named("other", &[("C", &value), ("D", &value)], &shared);
        let mut runs = [&one, &other].map(|corner| {
            let mut command = corner.stage.command("sync -f app.yaml -q");
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn()
        });
        for run in &mut runs {
            match run {
                Ok(run) => run.wait()?,
                Err(error) => return Err(std::io::Error::from(error.kind()).into()),
            };
        }
        // Whoever came second may have found the file changed, and said so: then it tries again.
        for corner in [&one, &other] {
            corner.stage.penstock("sync -f app.yaml -q").ended(0);
        }
        let text = one.read(".env").unwrap_or_default();
        let expected: Vec<String> = ["A", "B", "C", "D"]
            .map(|key| format!("{key}={round}"))
            .into();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, expected);
        assert_eq!(one.names(), [".env"]);
    }
    Ok(())
}

#[tokio::test]
async fn what_a_target_that_went_left_behind_goes_where_it_said_so() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    corner.put(".env", "THEIRS=1\n");
    let merge = format!("{MERGE}\n    onDelete: delete");
    corner.documents(&[("A", "1")], &merge);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    let moved = corner.stage.read("app.yaml").unwrap_or_default();
    let moved = moved.replace("path: .env", "path: other.env");
    corner.stage.file("app.yaml", &moved);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    assert_eq!(corner.read(".env").as_deref(), Some("THEIRS=1\n"));
    assert_eq!(corner.read("other.env").as_deref(), Some("A=1\n"));
    Ok(())
}

#[tokio::test]
async fn doctor_logs_in_and_says_that_all_is_well() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    corner.documents(&[("A", "1")], MERGE);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    let run = corner.stage.penstock("doctor -f app.yaml");
    assert!(
        run.status == 0 && run.stdout.contains("SecretStore"),
        "{run}"
    );
    Ok(())
}
