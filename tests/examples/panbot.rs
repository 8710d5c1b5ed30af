//! `examples/panbot/`: one project, three env files by tag, one tenant at a time.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use penstock_fakes::infisical::Outage;

use super::Outcome;
use super::checkout::Checkout;
use super::console::follow_readme;
use super::infisical::{fill_in, infisical, put};
use crate::cli::marker;

/// Folder, name and tags of what the project holds.
const HELD: [(&str, &str, &[&str]); 8] = [
    ("/database", "DB_URL", &["api", "worker"]),
    ("/auth", "JWT_SECRET", &["api", "web"]),
    ("/telephony", "SIP_PASSWORD", &["agent"]),
    ("/ai", "LLM_API_KEY", &["agent", "worker"]),
    ("/messaging", "SMTP_PASSWORD", &["worker"]),
    ("/cloud", "GHCR_TOKEN", &["ci-cd"]),
    ("/app", "DESKTOP_LICENCE", &["desktop"]),
    ("/app/public", "WEB_ANALYTICS_KEY", &["web"]),
];

const SYNC: &str = "penstock sync -q -f penstock.yaml --env-file infisical.env";

async fn panbot() -> Result<(Checkout, penstock_fakes::FakeInfisical), super::Failure> {
    let fake = infisical(false).await?;
    for tenant in ["dev", "prod"] {
        for (path, name, tags) in HELD {
            let value = marker(&format!("{tenant}-{name}"));
            put(&fake, (tenant, path), (name, &value), tags);
        }
    }
    let checkout = Checkout::of("panbot");
    fill_in(&checkout, &fake);
    Ok((checkout, fake))
}

/// The keys of an env file of the example, in its order, whose values must be those of the tenant.
fn keys(checkout: &Checkout, file: &str, tenant: &str) -> Vec<String> {
    let text = checkout.read(file).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(name, value)| {
            assert_eq!(value, marker(&format!("{tenant}-{name}")), "{file}");
            name.to_owned()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_file_gets_the_keys_of_its_tags_and_of_one_tenant() -> Outcome {
    let (checkout, _fake) = panbot().await?;
    follow_readme(&checkout);
    // The README ends with the tenant prod.
    assert_eq!(
        keys(&checkout, ".env", "prod"),
        [
            "DB_URL",
            "JWT_SECRET",
            "LLM_API_KEY",
            "SIP_PASSWORD",
            "SMTP_PASSWORD"
        ]
    );
    assert_eq!(
        keys(&checkout, "apps/desktop/.env", "prod"),
        ["DESKTOP_LICENCE"]
    );
    assert_eq!(
        keys(&checkout, "apps/web/.env.local", "prod"),
        ["JWT_SECRET", "WEB_ANALYTICS_KEY"]
    );
    for file in [".env", "apps/desktop/.env", "apps/web/.env.local"] {
        let mode = fs::metadata(checkout.path(file))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let again = format!("{SYNC} --set tenant=prod");
    let ran = checkout.shell(&again).ended(0);
    assert!(ran.printed.contains("nothing to do"), "{ran}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_may_be_older_and_one_that_lacks_most_waits_for_a_person() -> Outcome {
    let (checkout, fake) = panbot().await?;
    checkout.shell("cp infisical.env.example infisical.env");
    // The other tenant's secrets have fewer versions: they are others, and have not gone back.
    for _ in 0..3 {
        put(
            &fake,
            ("dev", "/database"),
            ("DB_URL", &marker("dev-DB_URL")),
            &["api"],
        );
    }
    checkout.shell(SYNC).ended(0);
    checkout
        .shell(&format!("{SYNC} --set tenant=prod"))
        .ended(0);
    assert_eq!(keys(&checkout, ".env", "prod").len(), 5);
    put(&fake, ("new", "/database"), ("DB_URL", "x"), &["api"]);
    let before = checkout.read(".env");
    let ran = checkout.shell(&format!("{SYNC} --set tenant=new --yes"));
    let ran = ran.ended(1);
    assert!(ran.printed.contains("ApprovalRequired"), "{ran}");
    assert_eq!(checkout.read(".env"), before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_is_down_takes_nothing_away() -> Outcome {
    let (checkout, fake) = panbot().await?;
    checkout.shell("cp infisical.env.example infisical.env");
    checkout.shell(SYNC).ended(0);
    let before = checkout.read(".env");
    fake.model().behaviour.outage = Some(Outage::Stumbles(500));
    let ran = checkout.shell(SYNC).ended(0);
    assert!(ran.printed.contains("warning: "), "{ran}");
    assert_eq!(checkout.read(".env"), before);
    Ok(())
}

#[test]
fn of_each_key_the_first_file_wins_and_none_is_read_where_the_platform_has_spoken() {
    let checkout = Checkout::of("panbot");
    let exec = "penstock exec -q -f load.yaml --set tenant=acme --set legacy=prod";
    let show = r#"sh -c 'echo "$A|$B|$C|$APP_NAME"'"#;
    checkout.write("acme.env", "A=tenant\nAPP_NAME=acme\n");
    checkout.write(".env", "A=common\nB=common\n");
    checkout.write("legacy/prod.env", "A=legacy\nB=legacy\nC=legacy\n");
    checkout.write("legacy/dev.env", "A=other\nC=other\n");
    let ran = checkout.shell(&format!("{exec} -- {show}")).ended(0);
    assert_eq!(ran.printed, "tenant|common|legacy|acme\n");
    // One of the two variables is not enough.
    let ran = checkout.shell(&format!("APP_NAME=own {exec} -- {show}"));
    assert_eq!(ran.ended(0).printed, "tenant|common|legacy|acme\n");
    let ran = checkout.shell(&format!("APP_NAME=own ENVIRONMENT=prod {exec} -- {show}"));
    assert_eq!(ran.ended(0).printed, "|||own\n");
    assert!(
        checkout.read(".env.loaded").is_none(),
        "exec writes nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_each_component_has_a_secret_of_its_own() -> Outcome {
    let (checkout, _fake) = panbot().await?;
    checkout.shell("cp infisical.env.example infisical.env");
    let render = "penstock render -q -f cluster.yaml --env-file infisical.env --reveal --output rendered \
        --credential infisical/clientId=env:INFISICAL_CLIENT_ID \
        --credential infisical/clientSecret=env:INFISICAL_CLIENT_SECRET";
    checkout.shell(render).ended(0);
    let keys_of = |name: &str| -> Vec<String> {
        let text = checkout.read(&format!("rendered/default-secret-{name}.yaml"));
        let secret: serde_json::Value =
            serde_saphyr::from_str(&text.unwrap_or_default()).unwrap_or_default();
        let data = secret["data"].as_object().cloned().unwrap_or_default();
        data.keys().cloned().collect()
    };
    assert_eq!(keys_of("panbot-api"), ["DB_URL", "JWT_SECRET"]);
    assert_eq!(keys_of("panbot-agent"), ["LLM_API_KEY", "SIP_PASSWORD"]);
    assert_eq!(
        keys_of("panbot-worker"),
        ["DB_URL", "LLM_API_KEY", "SMTP_PASSWORD"]
    );
    assert_eq!(keys_of("ghcr"), [".dockerconfigjson"]);
    Ok(())
}
