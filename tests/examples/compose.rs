//! `examples/compose/`: Infisical over `.env`, and `.env` alone when it is down.

use penstock_fakes::infisical::Outage;

use super::Outcome;
use super::checkout::Checkout;
use super::console::follow_readme;
use super::infisical::{fill_in, infisical, put, value};
use crate::cli::marker;

const SYNC: &str =
    "penstock sync -q -f penstock.yaml --env-file infisical.env --on-change 'docker compose up -d'";

/// Docker's command line, which notes what it was asked, and with which content.
const DOCKER: &str = r#"echo "docker $* $(sha256sum < .env.infisical)" >> docker.log"#;

async fn compose() -> Result<(Checkout, penstock_fakes::FakeInfisical), super::Failure> {
    let fake = infisical(true).await?;
    put(
        &fake,
        ("dev", "/app"),
        ("API_KEY", &marker("vault-key")),
        &[],
    );
    let checkout = Checkout::of("compose");
    fill_in(&checkout, &fake);
    checkout.stand_in("docker", DOCKER);
    checkout
        .shell("cp infisical.env.example infisical.env")
        .ended(0);
    let env = format!("# ours\nAPI_KEY={}\nLOG_LEVEL=info\n", marker("file-key"));
    checkout.write(".env", &env);
    Ok((checkout, fake))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_readme_says_works() -> Outcome {
    let (checkout, fake) = compose().await?;
    checkout.write(".env", "");
    follow_readme(&checkout);
    let place = ("dev", "/app");
    assert!(
        value(&fake, place, "DB_PASSWORD").is_some(),
        "the secret has moved"
    );
    let env = checkout.read(".env").unwrap_or_default();
    assert!(!env.contains("DB_PASSWORD"), "the secret has left: {env}");
    assert!(env.contains("LOG_LEVEL=info"), "the rest stays: {env}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vault_wins_and_services_start_without_it_all_the_same() -> Outcome {
    let (checkout, fake) = compose().await?;
    // Down from the first moment on: what is there is used.
    for outage in [Outage::Stumbles(500), Outage::HangsUp, Outage::Half] {
        checkout.shell("rm -rf .penstock .env.infisical docker.log");
        fake.model().behaviour.outage = Some(outage);
        let ran = checkout.shell(SYNC).ended(0);
        assert_eq!(ran.printed.matches("warning: ").count(), 1, "{ran}");
        let written = format!("API_KEY={}\nLOG_LEVEL=info\n", marker("file-key"));
        assert_eq!(checkout.read(".env.infisical"), Some(written));
        let started = checkout.read("docker.log").unwrap_or_default();
        assert_eq!(
            started.matches("docker compose up -d").count(),
            1,
            "{started}"
        );
    }
    // It is back, and wins; services are told once.
    fake.model().behaviour.outage = None;
    checkout.shell(SYNC).ended(0);
    checkout.shell(SYNC).ended(0);
    let written = format!("API_KEY={}\nLOG_LEVEL=info\n", marker("vault-key"));
    assert_eq!(checkout.read(".env.infisical"), Some(written));
    let started = checkout.read("docker.log").unwrap_or_default();
    assert_eq!(started.lines().count(), 2, "{started}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_only_the_vault_has_outlives_its_outage() -> Outcome {
    let (checkout, fake) = compose().await?;
    put(&fake, ("dev", "/app"), ("ONLY_THERE", &marker("only")), &[]);
    checkout.shell(SYNC).ended(0);
    fake.model().behaviour.outage = Some(Outage::Stumbles(503));
    checkout.shell(SYNC).ended(0);
    let written = checkout.read(".env.infisical").unwrap_or_default();
    assert!(written.contains(&marker("only")), "carried over");
    Ok(())
}

/// The real reader of compose files, where this machine has it.
#[test]
fn docker_compose_itself_takes_the_file() {
    let checkout = Checkout::of("compose");
    let probe = checkout.shell("docker compose version");
    if probe.status != 0 {
        use std::io::Write as _;
        drop(writeln!(
            std::io::stderr(),
            "\nskipped: there is no `docker compose` here to judge compose.yaml\n"
        ));
        return;
    }
    checkout.write(".env.infisical", "API_KEY='a b'\n");
    let ran = checkout.shell("docker compose config").ended(0);
    assert!(ran.printed.contains("API_KEY: a b"), "{ran}");
}
