//! Starting and stopping the server.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::programs::{NoPrograms, Programs};
use crate::eventually::{Unmet, eventually};
use crate::keeper::{Keeper, KeeperError, Launch, Service};
use crate::net::{NoFreePort, free_port};

const STARTING: Duration = Duration::from_secs(20);
/// Where the server wants to find an empty folder when root runs it.
const EMPTY: &str = "/run/sshd";

/// Why there is no host to log in to.
#[derive(Debug, thiserror::Error)]
pub enum SshdError {
    /// There is no OpenSSH.
    #[error("cannot find OpenSSH")]
    Find(#[source] NoPrograms),
    /// Root runs this, the user `sshd` is missing, and nothing can be mounted to make up for it.
    #[error("root can run sshd only where there is a user `sshd` (`apt install openssh-server`)")]
    NoUser,
    /// The user who runs this has no name.
    #[error("cannot tell the name of the user")]
    NoName,
    /// A file could not be written, a key could not be made.
    #[error("cannot use the host's folder")]
    UseFolder(#[source] io::Error),
    /// There is no port for it.
    #[error("cannot choose a port")]
    ChoosePort(#[source] NoFreePort),
    /// The program could not be started or ended.
    #[error("cannot run sshd")]
    Run(#[source] KeeperError),
    /// It did not come up in time.
    #[error("sshd did not come up")]
    ComeUp(#[source] Unmet),
}

impl SshdError {
    /// Whether the machine has no OpenSSH to try with.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Find(NoPrograms::Missing) | Self::NoUser)
    }
}

/// A running host. The user who runs the tests logs in to it, with a key that it accepts. Dropping it kills it.
pub struct Sshd {
    service: Service,
    directory: PathBuf,
    port: u16,
    user: String,
}

impl Sshd {
    /// Starts one.
    pub async fn start(keeper: &Arc<Keeper>) -> Result<Self, SshdError> {
        let finding = tokio::task::spawn_blocking(Programs::find).await;
        let programs = finding
            .map_err(|error| SshdError::UseFolder(io::Error::other(error)))?
            .map_err(SshdError::Find)?;
        let port = free_port().map_err(SshdError::ChoosePort)?;
        let directory = keeper.directory().join(format!("sshd-{port}"));
        let user = user().ok_or(SshdError::NoName)?;
        lay_out(&directory, &programs, port).map_err(SshdError::UseFolder)?;
        let launch = launch(&directory, &programs)?;
        let host = Self {
            service: Service::new(keeper, launch),
            directory,
            port,
            user,
        };
        host.start_again().await?;
        Ok(host)
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Who can log in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// A folder on the host that nobody else uses.
    pub fn folder(&self) -> PathBuf {
        self.directory.join("files")
    }

    /// The host's public key: algorithm and digits.
    pub fn host_key(&self) -> Result<String, SshdError> {
        self.read("host.pub")
    }

    /// The private key that is let in.
    pub fn private_key(&self) -> Result<String, SshdError> {
        self.read("user")
    }

    /// Another pair of keys, which nobody here knows: the private and the public half.
    pub fn other_keys(&self) -> Result<(String, String), SshdError> {
        Ok((self.read("other")?, self.read("other.pub")?))
    }

    /// A public key of a kind that the host has none of.
    pub fn key_of_other_kind(&self) -> Result<String, SshdError> {
        self.read("ecdsa.pub")
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.service.log_path()).unwrap_or_default()
    }

    /// Ends it: connections are refused.
    pub async fn stop(&self) -> Result<(), SshdError> {
        self.service.kill().await.map_err(SshdError::Run)
    }

    /// Starts it on the same port with the same keys.
    pub async fn start_again(&self) -> Result<(), SshdError> {
        self.service.start().await.map_err(SshdError::Run)?;
        let up = eventually("sshd listens", STARTING, async || {
            if let Some(exit) = self.service.exit().await {
                return Err(format!("it ended: {exit}\n{}", self.log()));
            }
            match TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        });
        up.await.map_err(SshdError::ComeUp)
    }

    fn read(&self, name: &str) -> Result<String, SshdError> {
        let text = fs::read_to_string(self.directory.join(name)).map_err(SshdError::UseFolder)?;
        // The comment of a public key is nobody's business.
        let words: Vec<&str> = text.split(' ').take(2).collect();
        Ok(if text.starts_with('-') {
            text
        } else {
            words.join(" ").trim().to_owned()
        })
    }
}

fn lay_out(directory: &Path, programs: &Programs, port: u16) -> io::Result<()> {
    fs::create_dir_all(directory.join("files"))?;
    let keys = [
        ("host", "ed25519"),
        ("user", "ed25519"),
        ("other", "ed25519"),
        ("ecdsa", "ecdsa"),
    ];
    for (name, kind) in keys {
        let made = Command::new(&programs.keygen)
            .args(["-q", "-t", kind, "-N", "", "-C", "", "-f"])
            .arg(directory.join(name))
            .env("LD_LIBRARY_PATH", &programs.libraries)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        if !made.success() {
            return Err(io::Error::other("ssh-keygen made no key"));
        }
    }
    let folder = directory.display();
    let settings = format!(
        "Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PerSourcePenalties no
Subsystem sftp internal-sftp
"
    );
    // Only newer servers know penalties, and older ones refuse what they do not know.
    let settings = settings.replace(
        "PerSourcePenalties no\n",
        if knows_penalties(programs) {
            "PerSourcePenalties no\n"
        } else {
            ""
        },
    );
    fs::write(directory.join("sshd_config"), settings)
}

/// Since 9.8 a server locks out addresses whose logins fail, and tests fail on purpose.
fn knows_penalties(programs: &Programs) -> bool {
    let asked = Command::new(&programs.sshd)
        .args(["-T", "-f", "/dev/null", "-o", "PerSourcePenalties=no"])
        .env("LD_LIBRARY_PATH", &programs.libraries)
        .stdin(Stdio::null())
        .output();
    asked.is_ok_and(|asked| !String::from_utf8_lossy(&asked.stderr).contains("Bad configuration"))
}

/// Root's server wants a user `sshd` and an empty folder. Where they are missing, it gets them in a view of the file
/// system that nobody else has.
fn launch(directory: &Path, programs: &Programs) -> Result<Launch, SshdError> {
    let configuration = directory.join("sshd_config").display().to_string();
    let sshd = programs.sshd.display().to_string();
    let direct = vec![
        "-D".to_owned(),
        "-e".to_owned(),
        "-f".to_owned(),
        configuration,
    ];
    let needs_view = is_root() && !(has_user("sshd") && Path::new(EMPTY).is_dir());
    let (program, arguments) = if needs_view {
        if !can_mount() {
            return Err(SshdError::NoUser);
        }
        let script = "set -eu
cp /etc/passwd passwd
grep -q '^sshd:' passwd || echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' >> passwd
mount --bind passwd /etc/passwd
mkdir -p run
mount --bind run /run
mkdir -p /run/sshd
exec \"$@\"";
        let mut arguments = vec!["--mount", "sh", "-c", script, "sh", &sshd];
        arguments.extend(direct.iter().map(String::as_str));
        let arguments = arguments.into_iter().map(str::to_owned).collect();
        (PathBuf::from("unshare"), arguments)
    } else {
        (programs.sshd.clone(), direct)
    };
    let mut environment = BTreeMap::new();
    if !programs.libraries.is_empty() {
        environment.insert("LD_LIBRARY_PATH".to_owned(), programs.libraries.clone());
    }
    Ok(Launch {
        name: "sshd".into(),
        program,
        arguments,
        environment,
        inherit: true,
        directory: directory.to_owned(),
        log: directory.join("sshd.log"),
    })
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn can_mount() -> bool {
    let tried = Command::new("unshare")
        .args(["--mount", "mount", "--bind", "/etc", "/etc"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

fn has_user(name: &str) -> bool {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let prefix = format!("{name}:");
    passwd.lines().any(|line| line.starts_with(&prefix))
}

/// The name of the user who runs this.
fn user() -> Option<String> {
    let id = fs::metadata("/proc/self").ok()?.uid().to_string();
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let mut lines = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|fields| fields.get(2) == Some(&id.as_str()))?;
    line.first().map(|&name| name.to_owned())
}
