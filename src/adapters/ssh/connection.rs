//! One connection to a host: a judged address, a pinned host key, a login.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use penstock_domain::stores::StoreObject;
use penstock_domain::sync::HostCommand;
use russh::client::{self, Config, Handle, Msg};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{AlgorithmKind, ChannelMsg, ChannelStream, Disconnect, Preferred, SshId};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::SshError;
use super::settings::Settings;
use super::sftp::Sftp;
use crate::http::client::HttpLayer;

/// How long one address may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent host is asked whether it is there, while a command runs.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// What we say that we are.
const CLIENT: &str = "SSH-2.0-penstock";

/// One connection, logged in, with an SFTP session on it.
pub(super) struct Connection {
    handle: Handle<PinnedHost>,
    pub(super) sftp: Sftp<ChannelStream<Msg>>,
}

impl Connection {
    /// Connects, sees that the host is who it must be, and logs in.
    pub(super) async fn open(
        store: &StoreObject,
        settings: &Settings,
        layer: &HttpLayer,
    ) -> Result<Self, SshError> {
        let stream = connect(store, settings, layer).await?;
        let login = timeout(settings.patience, login(settings, stream));
        let handle = login.await.map_err(|_| SshError::Silent)??;
        let sftp = timeout(settings.patience, sftp(&handle, settings.patience));
        let sftp = sftp.await.map_err(|_| SshError::Silent)??;
        Ok(Self { handle, sftp })
    }

    /// Whether the other side has gone meanwhile.
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Runs a command to its end. What it prints is not ours to read.
    pub(super) async fn run(&self, command: &HostCommand) -> Result<(), SshError> {
        let run = timeout(command.timeout, self.status_of(&command.run));
        match run.await.map_err(|_| SshError::CommandSilent)?? {
            Some(0) => Ok(()),
            status => Err(SshError::Command { status }),
        }
    }

    async fn status_of(&self, command: &str) -> Result<Option<u32>, SshError> {
        let channel = self.handle.channel_open_session().await;
        let mut channel = channel.map_err(|_| SshError::Lost)?;
        channel
            .exec(true, command)
            .await
            .map_err(|_| SshError::Lost)?;
        channel.eof().await.map_err(|_| SshError::Lost)?;
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::ExitStatus { exit_status } => return Ok(Some(exit_status)),
                ChannelMsg::ExitSignal { .. } | ChannelMsg::Failure => return Ok(None),
                _ => {}
            }
        }
        Err(SshError::Lost)
    }

    /// Says goodbye. Whether that arrives is nobody's concern.
    pub(super) async fn close(self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        drop(timeout(CONNECT_TIMEOUT, goodbye).await);
    }
}

/// To the first address that answers, of those that the egress policy permits.
async fn connect(
    store: &StoreObject,
    settings: &Settings,
    layer: &HttpLayer,
) -> Result<TcpStream, SshError> {
    let addresses = layer.addresses(store, &settings.host).await;
    let mut failure = SshError::Connect;
    for address in addresses.map_err(SshError::Resolve)? {
        let stream = TcpStream::connect(SocketAddr::new(address, settings.port));
        match timeout(CONNECT_TIMEOUT.min(settings.patience), stream).await {
            Ok(Ok(stream)) => {
                // Requests are small and each waits for its answer. Without it they are merely slower.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            Ok(Err(_)) => failure = SshError::Connect,
            Err(_) => failure = SshError::Silent,
        }
    }
    Err(failure)
}

async fn login(settings: &Settings, stream: TcpStream) -> Result<Handle<PinnedHost>, SshError> {
    let config = Config {
        client_id: SshId::Standard(Cow::Borrowed(CLIENT)),
        keepalive_interval: Some(KEEPALIVE),
        preferred: Preferred {
            // A host that has several keys must show one of those that are pinned.
            key: Cow::Owned(settings.algorithms()),
            ..Preferred::DEFAULT
        },
        ..Config::default()
    };
    let shown = Arc::new(Mutex::new(None));
    let host = PinnedHost {
        keys: settings.host_keys.clone(),
        shown: Arc::clone(&shown),
    };
    let connected = client::connect_stream(Arc::new(config), stream, host).await;
    let mut handle = connected.map_err(|error| refused(&error, &shown))?;
    // The hash is for RSA alone, which is not spoken.
    let key = PrivateKeyWithHashAlg::new(Arc::clone(&settings.private_key), None);
    let answer = handle
        .authenticate_publickey(settings.user.as_str(), key)
        .await;
    match answer {
        Ok(answer) if answer.success() => Ok(handle),
        // Servers hang up on whoever they do not like.
        Ok(_) | Err(_) => Err(SshError::Login),
    }
}

fn refused(error: &russh::Error, shown: &Mutex<Option<String>>) -> SshError {
    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (error, shown) {
        (_, Some(shown)) => SshError::HostKey { shown },
        (
            russh::Error::NoCommonAlgo {
                kind: AlgorithmKind::Key,
                ..
            },
            None,
        ) => SshError::HostKeyKind,
        (_, None) => SshError::Handshake,
    }
}

async fn sftp(
    handle: &Handle<PinnedHost>,
    patience: Duration,
) -> Result<Sftp<ChannelStream<Msg>>, SshError> {
    let channel = handle.channel_open_session().await;
    let mut channel = channel.map_err(|_| SshError::NoSftp)?;
    channel
        .request_subsystem(true, "sftp")
        .await
        .map_err(|_| SshError::Lost)?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => break,
            // Flow control may come first.
            Some(ChannelMsg::WindowAdjusted { .. }) => {}
            _ => return Err(SshError::NoSftp),
        }
    }
    Sftp::start(channel.into_stream(), patience)
        .await
        .map_err(SshError::of("begin SFTP for"))
}

/// Sees that the host shows a key that is pinned.
struct PinnedHost {
    keys: Vec<PublicKey>,
    /// The fingerprint of another key that it has shown.
    shown: Arc<Mutex<Option<String>>>,
}

impl client::Handler for PinnedHost {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let fingerprint = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                let mut pinned = self.keys.iter();
                if pinned.any(|pinned| pinned.key_data() == key.key_data()) {
                    return Ok(true);
                }
                key.fingerprint(HashAlg::Sha256).to_string()
            }
            PublicKeyOrCertificate::Certificate(_) => "of a certificate".to_owned(),
        };
        let mut place = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(fingerprint);
        Ok(false)
    }
}
