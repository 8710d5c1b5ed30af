//! moto as a process, one for each test.

use std::process::Stdio;
use std::time::Duration;

use penstock_testbed::{Failure, free_port, install_cryptography};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::clients::python_package;

/// boto3 is among what it needs.
pub(crate) const PACKAGE: &str = "moto[server,secretsmanager,ssm]==5.2.5";
const STARTING: Duration = Duration::from_mins(1);
const SCRIPT: &str = "import sys; sys.path.insert(0, sys.argv.pop(1))\nfrom moto.server import main\nmain(['-H', '127.0.0.1', '-p', sys.argv[1]])\n";

/// A running moto. It ends when it is dropped.
pub(super) struct Moto {
    address: String,
    client: reqwest::Client,
    _process: Child,
}

impl Moto {
    /// Starts one; none where Python or the package cannot be had, which is said.
    pub(super) async fn start() -> Result<Option<Self>, Failure> {
        let Some(folder) = python_package(PACKAGE).await? else {
            return Ok(None);
        };
        install_cryptography();
        let port = free_port()?;
        let process = Command::new("python3")
            .args(["-I", "-c", SCRIPT])
            .arg(&folder)
            .arg(port.to_string())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let moto = Self {
            address: format!("http://127.0.0.1:{port}"),
            client: reqwest::Client::builder().no_proxy().build()?,
            _process: process,
        };
        let ready = async {
            while moto
                .client
                .get(format!("{}/moto-api/data.json", moto.address))
                .send()
                .await
                .is_err()
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(STARTING, ready)
            .await
            .map_err(|_| Failure::because("moto does not start"))?;
        Ok(Some(moto))
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Calls an action as somebody else would; moto takes any signature.
    pub(super) async fn call(&self, target: &str, input: Value) -> Value {
        self.try_call(target, input).await.unwrap()
    }

    pub(super) async fn try_call(&self, target: &str, input: Value) -> Result<Value, u16> {
        let service = if target.starts_with("AmazonSSM") {
            "ssm"
        } else {
            "secretsmanager"
        };
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential=mock/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let response = self
            .client
            .post(&self.address)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", signed)
            .body(input.to_string())
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        if status == 200 {
            Ok(response.json().await.unwrap())
        } else {
            Err(status)
        }
    }

    /// A secret, made or changed.
    pub(super) async fn put_secret(&self, name: &str, value: &str) {
        let input = json!({"Name": name, "SecretString": value, "ClientRequestToken": token()});
        if self
            .try_call("secretsmanager.CreateSecret", input)
            .await
            .is_err()
        {
            let input =
                json!({"SecretId": name, "SecretString": value, "ClientRequestToken": token()});
            self.call("secretsmanager.PutSecretValue", input).await;
        }
    }

    /// A parameter, made or changed.
    pub(super) async fn put_parameter(&self, name: &str, kind: &str, value: &str) {
        let input = json!({"Name": name, "Type": kind, "Value": value, "Overwrite": true});
        self.call("AmazonSSM.PutParameter", input).await;
    }
}

/// Another each time.
fn token() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("00000000-0000-4000-8000-{number:012x}")
}
