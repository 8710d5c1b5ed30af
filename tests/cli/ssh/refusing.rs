//! What is refused, before anything is written or sent.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use super::super::stage::{Run, marker};
use super::host::{Corner, MERGE, Outcome, host};

/// The run must have failed with these words, and nothing has changed on the host.
fn refused(corner: &Corner, words: &[&str]) -> Run {
    corner.put(".env", "THEIRS=1\n");
    let standing = corner.standing();
    let run = corner.stage.penstock("sync -f app.yaml -q").ended(1);
    for word in words {
        assert!(run.to_string().contains(word), "{word}: {run}");
    }
    assert_eq!(corner.standing(), standing);
    run
}

#[tokio::test]
async fn a_host_with_another_key_is_told_nothing() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let (_, other) = host.other_keys()?;
    let corner = Corner::new(host).pinning(&other);
    corner.documents(&[("A", &marker("a"))], MERGE);
    let words = [
        "(Denied)",
        "none of `hostKeys`",
        "SHA256:",
        "Nothing was sent",
    ];
    refused(&corner, &words);

    // A host that has no key of the pinned kind cannot be who is meant either.
    let ecdsa = host.key_of_other_kind()?;
    let corner = Corner::new(host).pinning(&ecdsa);
    corner.documents(&[("A", "1")], MERGE);
    let run = corner.stage.penstock("plan -f app.yaml -q").ended(1);
    assert!(run.stdout.contains("has no key of the kinds"), "{run}");
    Ok(())
}

#[tokio::test]
async fn there_is_no_trust_on_first_use() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    corner.documents(&[("A", "1")], MERGE);
    let text = corner.stage.read("app.yaml").unwrap_or_default();
    let key = format!("['{}']", host.host_key()?);
    for (keys, words) in [
        ("[]", "hostKeys: is empty"),
        ("['ssh-ed25519']", "is no public key"),
        ("['vps ssh-ed25519 AAAA']", "without the host's name"),
    ] {
        corner.stage.file("app.yaml", &text.replace(&key, keys));
        refused(&corner, &[words]);
    }
    Ok(())
}

#[tokio::test]
async fn a_user_whom_the_host_does_not_know_is_denied() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let (other, _) = host.other_keys()?;
    let corner = Corner::new(host).with_key(&other);
    corner.documents(&[("A", "1")], MERGE);
    refused(&corner, &["(CredentialsRefused)", "authorized_keys"]);
    let run = corner.stage.penstock("doctor -f app.yaml").ended(1);
    assert!(run.to_string().contains("authorized_keys"), "{run}");

    let digits = other.lines().nth(1).unwrap_or_default().to_owned();
    for key in [
        "nonsense",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    ] {
        let corner = Corner::new(host).with_key(key);
        corner.documents(&[("A", "1")], MERGE);
        let run = refused(&corner, &["no private key in OpenSSH form"]);
        assert!(!run.to_string().contains(&digits), "{run}");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_lost_its_last_line_break_is_a_key() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let key = host.private_key()?.trim_end().replace('\n', "\r\n");
    let corner = Corner::new(host).with_key(&key);
    corner.documents(&[("A", "1")], MERGE);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    Ok(())
}

#[tokio::test]
async fn paths_stay_in_the_folder_also_through_links() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    let outside = host.folder().join("outside");
    std::fs::create_dir_all(&outside)?;
    symlink(&outside, corner.folder.join("way-out"))?;
    symlink("nowhere", corner.folder.join("dangling"))?;
    std::fs::create_dir_all(corner.folder.join("repository/.git"))?;
    std::fs::create_dir_all(corner.folder.join("a-folder"))?;
    corner.documents(&[("A", "1")], MERGE);
    let text = corner.stage.read("app.yaml").unwrap_or_default();
    for (path, words) in [
        ("way-out/.env", "outside of the store's folder"),
        ("dangling", "a link that leads nowhere"),
        ("missing/.env", "the folder of the file does not exist"),
        ("repository/.git/x.env", "git's own folder"),
        ("a-folder", "no plain file"),
        ("../escape.env", "`.` or `..`"),
        ("a-folder/", "names no file"),
    ] {
        let text = text.replace("path: .env", &format!("path: {path}"));
        corner.stage.file("app.yaml", &text);
        refused(&corner, &[words]);
    }
    assert!(std::fs::read_dir(&outside)?.next().is_none());
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_read() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    let file = std::fs::File::create(corner.folder.join(".env"))?;
    file.set_len(17 * 1024 * 1024)?;
    corner.documents(&[("A", "1")], MERGE);
    let run = corner.stage.penstock("sync -f app.yaml -q").ended(1);
    assert!(run.stdout.contains("(TooLarge)"), "{run}");
    Ok(())
}

#[tokio::test]
async fn what_will_be_touched_is_listed_and_strangers_bring_no_host() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let evil = TcpListener::bind("127.0.0.1:0")?;
    evil.set_nonblocking(true)?;
    let port = evil.local_addr()?.port();
    let corner = Corner::new(host).through(port);
    corner.documents(
        &[("A", "1")],
        &format!("{MERGE}\n    then: [{{command: {{run: 'touch x'}}}}]"),
    );
    let run = corner.stage.penstock("plan -f app.yaml --offline").ended(0);
    for line in [
        format!("connects to 127.0.0.1:{port} (SecretStore vps)"),
        "reads the variable VPS_KEY".to_owned(),
        "has the file .env on a host as target (SecretStore vps)".to_owned(),
        "runs a command on a host after a change, if commands are allowed (SecretStore vps): touch x".to_owned(),
    ] {
        assert!(run.stdout.lines().any(|told| told == line), "{line}: {run}");
    }
    // A verb that hands contents on connects to no target.
    let run = corner.stage.penstock("env -f app.yaml --offline").ended(0);
    assert!(!run.stdout.contains("127.0.0.1"), "{run}");

    let text = corner.stage.read("app.yaml").unwrap_or_default();
    corner.stage.file("pr/app.yaml", &text);
    corner.stage.file("trusted/none.yaml", "");
    let run = corner
        .stage
        .penstock("plan -f pr --trusted-stores trusted")
        .ended(1);
    for field in [
        "SecretStore vps",
        "Secret default/vps",
        "spec.targets[0].then",
    ] {
        assert!(run.to_string().contains(field), "{field}: {run}");
    }
    assert!(evil.accept().is_err(), "nobody has called");
    Ok(())
}

#[tokio::test]
async fn metadata_services_and_the_local_link_are_never_reached() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    corner.documents(&[("A", "1")], MERGE);
    let text = corner.stage.read("app.yaml").unwrap_or_default();
    for address in ["169.254.169.254", "169.254.1.1", "'fe80::1'"] {
        let text = text.replace("host: 127.0.0.1", &format!("host: {address}"));
        corner.stage.file("app.yaml", &text);
        let run = corner.stage.penstock("plan -f app.yaml -q").ended(1);
        assert!(run.stdout.contains("EgressDenied"), "{run}");
    }
    Ok(())
}

#[tokio::test]
async fn a_store_that_reaches_no_host_is_told_with_its_place() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    corner.documents(&[("A", "1")], MERGE);
    let text = corner.stage.read("app.yaml").unwrap_or_default();
    let (sync, _) = text.split_once("---").unwrap_or_default();
    corner.stage.file("app.yaml", sync);
    let run = corner.stage.penstock("plan -f app.yaml -q").ended(1);
    assert!(
        run.stderr
            .contains("SecretStore vps is not among the documents"),
        "{run}"
    );
    let vault = "---
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {name: vps}
spec: {provider: {vault: {address: 'https://vault.example.com', auth: {token: {secretRef: {name: v, key: t}}}}}}
";
    corner.stage.file("app.yaml", &format!("{sync}{vault}"));
    let run = corner.stage.penstock("plan -f app.yaml -q").ended(1);
    assert!(run.stderr.contains("reaches no host"), "{run}");
    Ok(())
}
