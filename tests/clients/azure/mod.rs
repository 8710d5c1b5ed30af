//! Microsoft's own Python clients against our stand-in: they follow its challenge, sign, write, page, delete and read
//! the errors, so that stand-in and client agree with somebody who knows the real service.

use penstock_fakes::azure::{Application, Rights, thumbprints};
use penstock_fakes::{FakeAzure, Listen, new_key};

use super::{Outcome, python, python_packages};

const PACKAGES: &[&str] = &["azure-keyvault-secrets==4.10.0", "azure-identity==1.25.0"];
const CLIENT: &str = "00000000-0000-4000-8000-0000000000cc";

#[ignore = "the official client gets as far as to change a secret without naming a version"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_clients_work_against_the_stand_in() -> Outcome {
    let Some(packages) = python_packages(PACKAGES).await? else {
        return Ok(());
    };
    let fake = FakeAzure::start(Listen::Https).await?;
    let (key, public) = new_key();
    let pair = rcgen::KeyPair::from_pem(&key)?;
    let parameters = rcgen::CertificateParams::new(vec!["penstock.example".to_owned()])?;
    let certificate = parameters.self_signed(&pair)?;
    let tenant = {
        let mut model = fake.model();
        let application = Application {
            secrets: ["secret-1".to_owned()].into(),
            certificates: thumbprints(certificate.der())
                .map(|thumbprint| (thumbprint, public.clone()))
                .into(),
            ..Application::default()
        };
        model.applications.insert(CLIENT.to_owned(), application);
        let rights = Rights {
            set: true,
            ..Rights::reader()
        };
        model.rights.insert(CLIENT.to_owned(), rights);
        model.tenant.clone()
    };
    let folder = tempfile::tempdir()?;
    let authority = fake.server().certificate().unwrap_or_default();
    std::fs::write(folder.path().join("ca.crt"), authority)?;
    let both = format!("{key}{}", certificate.pem());
    std::fs::write(folder.path().join("client.pem"), both)?;
    let script = include_str!("client.py");
    let place = folder.path().to_string_lossy();
    let address = fake.server().address();
    let arguments = [address.as_str(), &place, &tenant, CLIENT];
    let said = python(&packages, script, &arguments).await?;
    assert_eq!(said.trim(), "done", "{said}");
    assert!(
        fake.logins() >= 3,
        "a wrong secret, a certificate, a secret"
    );
    Ok(())
}
