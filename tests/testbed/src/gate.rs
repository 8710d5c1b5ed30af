//! A door in front of a server that can be closed for one test alone.
//!
//! Bytes pass through as they are, TLS included, so a server whose certificate is for 127.0.0.1 is
//! the same server behind a gate.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::eventually::{Unmet, eventually};
use crate::net::free_port;

const BUFFER: usize = 16 * 1024;
const BIND_PAUSE: Duration = Duration::from_millis(20);
const SWING: Duration = Duration::from_secs(10);

/// The gate could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open a gate")]
pub struct GateError(#[source] io::Error);

/// What a gate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Everything passes.
    Open,
    /// Nobody listens: connections are refused, and those that were open are cut.
    Refuse,
    /// Connections are taken, open ones stay, and no byte passes until the door opens again.
    Hang,
    /// Connections are taken and cut at once, and those that were open are cut.
    Cut,
}

/// A TCP port that passes everything to another one, or not. It lives in the runtime that opened
/// it; dropping it closes it.
pub struct Gate {
    port: u16,
    door: watch::Sender<Door>,
    listening: JoinHandle<()>,
}

impl Gate {
    /// Opens a gate to a port of this machine.
    pub async fn open(target: u16) -> Result<Self, GateError> {
        let port = free_port().map_err(|error| GateError(io::Error::other(error)))?;
        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(own).await.map_err(GateError)?;
        let (door, asked) = watch::channel(Door::Open);
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target));
        let listening = tokio::spawn(listen(own, target, listener, asked));
        Ok(Self {
            port,
            door,
            listening,
        })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `https://127.0.0.1:…`, for a server that speaks TLS.
    pub fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Moves the door, and waits until it has moved: after `Refuse` a connection is refused, after
    /// the others it is taken.
    pub async fn set(&self, door: Door) -> Result<(), Unmet> {
        self.door.send_replace(door);
        let refuses = door == Door::Refuse;
        eventually(
            format!("the gate stands at {door:?}"),
            SWING,
            || async move {
                let taken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
                    .await
                    .is_ok();
                if taken == refuses {
                    Err(if taken {
                        "connections are taken"
                    } else {
                        "connections are refused"
                    })
                } else {
                    Ok(())
                }
            },
        )
        .await
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.door.send_replace(Door::Cut);
        self.listening.abort();
    }
}

async fn listen(
    own: SocketAddr,
    target: SocketAddr,
    listener: TcpListener,
    mut door: watch::Receiver<Door>,
) {
    let mut listener = Some(listener);
    loop {
        if *door.borrow_and_update() == Door::Refuse {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(own).await.ok();
        }
        let moved = match &listener {
            Some(listener) => tokio::select! {
                moved = door.changed() => moved,
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        tokio::spawn(pass(stream, target, door.clone()));
                    }
                    Ok(())
                }
            },
            None if *door.borrow() == Door::Refuse => door.changed().await,
            // The port could not be bound again yet.
            None => {
                tokio::time::sleep(BIND_PAUSE).await;
                Ok(())
            }
        };
        if moved.is_err() {
            return;
        }
    }
}

/// Passes one connection on until either end closes or the door cuts it.
async fn pass(mut near: TcpStream, target: SocketAddr, door: watch::Receiver<Door>) {
    let mut opening = door.clone();
    let Ok(state) = opening
        .wait_for(|door| *door != Door::Hang)
        .await
        .map(|door| *door)
    else {
        return;
    };
    if state != Door::Open {
        return;
    }
    let Ok(mut far) = TcpStream::connect(target).await else {
        return;
    };
    let (near_in, near_out) = near.split();
    let (far_in, far_out) = far.split();
    let mut closing = door.clone();
    let both = async {
        tokio::join!(
            pump(near_in, far_out, door.clone()),
            pump(far_in, near_out, door.clone())
        )
    };
    tokio::select! {
        _ = both => {}
        _ = closing.wait_for(|door| matches!(door, Door::Refuse | Door::Cut)) => {}
    }
}

/// Moves bytes in one direction. While the door hangs, what was read waits: nothing is lost.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut door: watch::Receiver<Door>,
) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        let opened = door.wait_for(|door| *door == Door::Open).await.is_ok();
        if !opened || to.write_all(bytes).await.is_err() {
            return;
        }
    }
    // The other end has gone already, or hears it now.
    drop(to.shutdown().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each byte with the same byte.
    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut input, mut output) = stream.split();
                    tokio::io::copy(&mut input, &mut output).await
                });
            }
        });
        port
    }

    async fn say(stream: &mut TcpStream, byte: u8) -> io::Result<u8> {
        stream.write_u8(byte).await?;
        stream.read_u8().await
    }

    async fn connect(gate: &Gate) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, gate.port()))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn an_open_gate_passes_both_ways() {
        let gate = Gate::open(echo().await).await.unwrap();
        assert_eq!(say(&mut connect(&gate).await, 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn refusing_cuts_what_is_open_and_opening_lets_in_again() {
        let gate = Gate::open(echo().await).await.unwrap();
        let mut stream = connect(&gate).await;
        assert_eq!(say(&mut stream, 1).await.unwrap(), 1);
        gate.set(Door::Refuse).await.unwrap();
        assert!(say(&mut stream, 2).await.is_err());
        assert!(
            TcpStream::connect((Ipv4Addr::LOCALHOST, gate.port()))
                .await
                .is_err()
        );
        gate.set(Door::Open).await.unwrap();
        assert_eq!(say(&mut connect(&gate).await, 3).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_hanging_door_holds_bytes_back_and_loses_none() {
        let gate = Gate::open(echo().await).await.unwrap();
        let mut stream = connect(&gate).await;
        assert_eq!(say(&mut stream, 1).await.unwrap(), 1);
        gate.set(Door::Hang).await.unwrap();
        let held = tokio::time::timeout(Duration::from_millis(100), say(&mut stream, 2)).await;
        assert!(held.is_err());
        gate.set(Door::Open).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_cutting_door_takes_connections_and_ends_them() {
        let gate = Gate::open(echo().await).await.unwrap();
        gate.set(Door::Cut).await.unwrap();
        assert!(say(&mut connect(&gate).await, 1).await.is_err());
    }
}
