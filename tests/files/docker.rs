//! Docker's own command line reads the env files that are written for it: `docker create` sends what it read to its
//! engine, for which a socket of ours stands in.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use penstock_domain::formats::{FileFormat, WriteDocument, check};
use penstock_domain::names::Key;
use penstock_domain::secret::SecretValue;
use penstock_testbed::Failure;
use serde_json::{Value, json};

use super::values::{file, must_equal, named, values};
use super::{Outcome, skipped};

/// Answers requests until one makes a container; gives its body.
fn engine(listener: &TcpListener) -> Result<Value, Failure> {
    loop {
        let (stream, _) = listener.accept()?;
        if let Some(container) = serve(stream)? {
            return Ok(container);
        }
    }
}

/// Serves one connection.
fn serve(stream: TcpStream) -> Result<Option<Value>, Failure> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(None);
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let creates = request.contains("/containers/create");
        let answer = if creates {
            json!({"Id": "0".repeat(64), "Warnings": []}).to_string()
        } else {
            "OK".to_owned()
        };
        let answer = if request.starts_with("HEAD ") {
            String::new()
        } else {
            answer
        };
        let status = if creates { "201 Created" } else { "200 OK" };
        write!(
            writer,
            "HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{answer}",
            answer.len()
        )?;
        if creates {
            return Ok(Some(serde_json::from_slice(&body)?));
        }
    }
}

#[test]
fn docker_reads_its_env_files() -> Outcome {
    let found = Command::new("docker")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !found.is_ok_and(|status| status.success()) {
        skipped("docker --env-file", "there is no docker command");
        return Ok(());
    }
    let key = Key::new("V")?;
    let held = |value: &String| match check(
        FileFormat::DockerEnv,
        &key,
        &SecretValue::from(value.as_str()),
    ) {
        Ok(()) => true,
        Err(WriteDocument::Value { .. }) => false,
        Err(other) => panic!("{other}"),
    };
    let held: Vec<String> = values().into_iter().filter(held).collect();
    assert!(
        held.len() > 300,
        "too many values are left out: {}",
        held.len()
    );
    let expected = named(&held);
    let file = file(FileFormat::DockerEnv, &expected)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("tcp://{}", listener.local_addr()?);
    let engine = thread::spawn(move || engine(&listener).map_err(|error| error.to_string()));
    let configuration = tempfile::tempdir()?;
    let mut docker = Command::new("docker")
        .args(["create", "--pull=never", "--env-file"])
        .arg(file.path())
        .arg("image")
        .env("DOCKER_HOST", address)
        .env("DOCKER_CONFIG", configuration.path())
        .env_remove("DOCKER_CONTEXT")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let container = engine
        .join()
        .map_err(|_| io::Error::other("the engine panicked"))?;
    let container = container.map_err(io::Error::other)?;
    docker.wait()?;
    let environment = container["Env"].as_array().cloned().unwrap_or_default();
    let pairs = environment
        .iter()
        .filter_map(|line| line.as_str()?.split_once('='));
    let found: BTreeMap<String, String> = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    must_equal("docker", &found, &expected);
    Ok(())
}
