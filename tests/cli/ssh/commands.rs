//! A command on the host: only where it is allowed, and only after a change.

use super::super::stage::marker;
use super::host::{Corner, MERGE, Outcome, host};

/// A target that runs `run` in its folder afterwards.
fn then(corner: &Corner, run: &str) -> String {
    let folder = corner.folder.display();
    format!("{MERGE}\n    then: [{{command: {{run: \"cd {folder} && {run}\", timeout: 20s}}}}]")
}

const SYNC: &str = "sync -f app.yaml -q --allow-commands";

#[tokio::test]
async fn a_command_that_nobody_allowed_stops_the_sync_before_it_writes() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    corner.documents(&[("A", &marker("a"))], &then(&corner, "echo x >> ran"));
    let plan = corner.stage.penstock("plan -f app.yaml -q").ended(2);
    assert!(plan.stdout.contains("then runs on the host: cd "), "{plan}");
    assert!(
        plan.stdout
            .contains("without --allow-commands this is refused"),
        "{plan}"
    );
    let plan = corner
        .stage
        .penstock("plan -f app.yaml -q --output json")
        .ended(2);
    assert!(plan.stdout.contains("\"allowed\": false"), "{plan}");
    let plan = corner
        .stage
        .penstock("plan -f app.yaml -q --output markdown --allow-commands");
    assert!(plan.stdout.contains("Then runs on the host: "), "{plan}");

    let run = corner.stage.penstock("sync -f app.yaml -q").ended(1);
    assert!(
        run.stderr.contains("spec.targets[env].then[0].command"),
        "{run}"
    );
    assert!(run.stderr.contains("app.yaml:"), "it points: {run}");
    assert_eq!(corner.names(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_command_runs_once_after_each_change_and_never_without_one() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    let then = then(&corner, "echo x >> ran");
    corner.documents(&[("A", "1")], &then);
    corner.stage.penstock(SYNC).ended(0);
    corner.stage.penstock(SYNC).ended(0);
    assert_eq!(corner.read("ran").as_deref(), Some("x\n"));
    corner.documents(&[("A", "2")], &then);
    corner.stage.penstock(SYNC).ended(0);
    assert_eq!(corner.read("ran").as_deref(), Some("x\nx\n"));
    assert_eq!(corner.names(), [".env", "ran"]);
    corner.stage.penstock("plan -f app.yaml -q").ended(0);
    Ok(())
}

#[tokio::test]
async fn a_command_that_fails_is_told_and_stays_due() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    let then = then(
        &corner,
        "echo $((21*2))printed && echo x >> ran && test -e ready",
    );
    corner.documents(&[("A", "1")], &then);
    let run = corner.stage.penstock(SYNC).ended(1);
    assert!(run.to_string().contains("ended with status 1"), "{run}");
    assert!(!run.to_string().contains("42printed"), "{run}");
    assert_eq!(
        corner.read(".env").as_deref(),
        Some("A=1\n"),
        "it is written"
    );
    let plan = corner.stage.penstock("plan -f app.yaml -q").ended(2);
    assert!(plan.stdout.contains("its command is still due"), "{plan}");
    corner.put("ready", "");
    corner.stage.penstock(SYNC).ended(0);
    assert_eq!(corner.read("ran").as_deref(), Some("x\nx\n"));
    corner.stage.penstock("plan -f app.yaml -q").ended(0);
    corner.stage.penstock(SYNC).ended(0);
    assert_eq!(corner.read("ran").as_deref(), Some("x\nx\n"));
    assert_eq!(corner.names(), [".env", "ran", "ready"]);
    Ok(())
}

#[tokio::test]
async fn a_command_that_does_not_end_is_given_up_and_stays_due() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    let then = then(
        &corner,
        "until test -e ready; do read -t 1 x < /dev/zero; done",
    )
    .replace("20s", "5s");
    corner.documents(&[("A", "1")], &then);
    let run = corner.stage.penstock(SYNC).ended(1);
    assert!(run.to_string().contains("has not ended in time"), "{run}");
    corner.put("ready", "");
    corner.stage.penstock(SYNC).ended(0);
    corner.stage.penstock("plan -f app.yaml -q").ended(0);
    Ok(())
}
