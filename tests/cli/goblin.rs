//! The example of Goblin: Bitwarden read as `bw` reads it, into an env file.

use penstock_fakes::bitwarden::owner::{Owner, Plain};
use penstock_fakes::sealing::Kdf;
use penstock_fakes::{FakeBitwarden, Listen};
use penstock_testbed::Failure;

use super::stage::{Stage, marker};

const EXAMPLE: &str = include_str!("../../examples/goblin/goblin.yaml");
const PRIVATE: &str = include_str!("../../src/domain/render/testdata/ed25519.key");
const PUBLIC: &str = include_str!("../../src/domain/render/testdata/ed25519.pub");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goblins_tenants_are_read_from_bitwarden_into_their_env_files() -> Result<(), Failure> {
    let fake = FakeBitwarden::start(Listen::Http).await?;
    let id = {
        let mut model = fake.model();
        let known = ("goblin@example.test", "correct horse 42");
        let kdf = Kdf::Pbkdf2(600_000);
        let owner = Owner::sign_up(&mut model, known, kdf, "hunter2-client-secret")?;
        let folder = owner.folder(&mut model, "Infra Vault")?;
        let folder = Some(folder.as_str());
        for tenant in ["dev", "prod"] {
            let (token, value) = (format!("goblin-{tenant}-fly-api-token"), marker(tenant));
            owner.put(
                &mut model,
                folder,
                &token,
                Plain::Login(Some("fly"), &value),
            )?;
            let key = format!("goblin-{tenant}-deploy-key");
            owner.put(&mut model, folder, &key, Plain::Note(PRIVATE))?;
        }
        let other = Plain::Login(None, "hunter2-other");
        owner.put(&mut model, folder, "somebody-elses", other)?;
        format!("user.{}", owner.id)
    };
    let address = format!("address: {}", fake.server().address());
    let documents = EXAMPLE.replace("region: us", &address);
    assert_ne!(documents, EXAMPLE);
    let stage = Stage::new()
        .with("BW_CLIENTID", &id)
        .with("BW_CLIENTSECRET", "hunter2-client-secret")
        .with("BW_PASSWORD", "correct horse 42");
    stage.file("goblin.yaml", &documents);
    stage.penstock("sync -f goblin.yaml -q").ended(0);
    let dev = stage.read("goblin.dev.env").unwrap_or_default();
    assert!(
        dev.contains("FLY_API_TOKEN=") && dev.contains(&marker("dev")),
        "{dev}"
    );
    let public = PUBLIC.split_whitespace().nth(1).unwrap_or("there is one");
    assert!(dev.contains(public), "{dev}");
    assert!(
        dev.contains("DEPLOY_KEY=") && !dev.contains("hunter2-other"),
        "{dev}"
    );
    stage.penstock("plan -f goblin.yaml").ended(0);
    stage
        .penstock("sync -f goblin.yaml -q --set tenant=prod")
        .ended(0);
    let prod = stage.read("goblin.prod.env").unwrap_or_default();
    assert!(
        prod.contains(&marker("prod")) && !prod.contains(&marker("dev")),
        "{prod}"
    );
    // The wrong password is told, and nothing is touched.
    let stage = stage.with("BW_PASSWORD", "wrong");
    let run = stage.penstock("sync -f goblin.yaml -q");
    assert!(run.to_string().contains("master password"), "{run}");
    assert_eq!(stage.read("goblin.dev.env").unwrap_or_default(), dev);
    Ok(())
}
