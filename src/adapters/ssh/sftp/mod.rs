//! The requests of SFTP 3 (draft-ietf-secsh-filexfer-02, with the extensions of OpenSSH's PROTOCOL file) that
//! are needed to read a file and to put another one in its place.
//!
//! One request at a time: files of variables are small. Every packet has its bound before memory is taken for it.
//! After [`SftpError::Lost`], [`SftpError::Silent`] or [`SftpError::Protocol`] the session is of no more use.

mod packet;

use std::fmt;
use std::time::Duration;

use penstock_domain::secret::SecretValue;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use zeroize::Zeroizing;

pub(super) use self::packet::Attributes;
use self::packet::{Answer, MAX_PACKET, Packet, Reader, kind};

/// The version that is spoken: OpenSSH knows no other.
const VERSION: u32 = 3;
/// What is read or written at once: every server must take 32 KiB.
pub(super) const PIECE: usize = 32 * 1024;
/// The longest handle, by the draft.
const MAX_HANDLE: usize = 256;

/// What a server says about a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The file ends here.
    End,
    /// There is no such file, or no such folder.
    NoSuchFile,
    /// The user may not.
    PermissionDenied,
    /// Anything else: there is one already, the disk is full.
    Failure,
    /// The server does not know the request.
    Unsupported,
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::End => "the file ends",
            Self::NoSuchFile => "no such file",
            Self::PermissionDenied => "permission denied",
            Self::Failure => "failure",
            Self::Unsupported => "not supported",
        })
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SftpError {
    /// The connection is gone.
    Lost,
    /// There was no answer in time.
    Silent,
    /// What came was no answer.
    Protocol(&'static str),
    /// The server refused.
    Status(Status),
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// To be read.
    Read,
    /// To be written; it must not exist.
    New,
    /// To be written; what was in it goes.
    Anew,
}

impl Open {
    /// `SSH_FXF_READ` 1, `WRITE` 2, `CREAT` 8, `TRUNC` 16, `EXCL` 32.
    fn flags(self) -> u32 {
        match self {
            Self::Read => 1,
            Self::New => 2 | 8 | 32,
            Self::Anew => 2 | 8 | 16,
        }
    }
}

/// An open file.
pub(super) struct FileHandle(Vec<u8>);

/// A session.
pub(super) struct Sftp<S> {
    stream: S,
    patience: Duration,
    last: u32,
    /// `posix-rename@openssh.com`: a rename that replaces.
    pub(super) can_replace: bool,
    /// `fsync@openssh.com`
    can_sync: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Sftp<S> {
    /// Begins a session. Every answer may take as long as `patience`.
    pub(super) async fn start(stream: S, patience: Duration) -> Result<Self, SftpError> {
        let mut session = Self {
            stream,
            patience,
            last: 0,
            can_replace: false,
            can_sync: false,
        };
        // The first packet has the version where others have their number.
        let first = Packet::new(kind::INIT, VERSION).finish();
        let answer = session.exchange(&first).await?;
        let mut reader = Reader(&answer);
        if reader.byte()? != kind::VERSION || reader.number()? < VERSION {
            return Err(SftpError::Protocol("it is no server of version 3"));
        }
        while !reader.is_empty() {
            let (name, version) = (reader.string()?, reader.string()?);
            session.can_replace |= (name, version) == (b"posix-rename@openssh.com", b"1");
            session.can_sync |= (name, version) == (b"fsync@openssh.com", b"1");
        }
        Ok(session)
    }

    /// The path with all links followed.
    pub(super) async fn real_path(&mut self, path: &str) -> Result<String, SftpError> {
        let write = |packet: &mut Packet| {
            packet.string(path.as_bytes());
        };
        match self.request(kind::REALPATH, write).await? {
            Answer::Name(name) => Ok(name),
            other => Err(unexpected(&other)),
        }
    }

    /// What is known of what the path leads to; none when there is nothing.
    pub(super) async fn stat(&mut self, path: &str) -> Result<Option<Attributes>, SftpError> {
        self.attributes_at(kind::STAT, path).await
    }

    /// The same of a link itself.
    pub(super) async fn stat_link(&mut self, path: &str) -> Result<Option<Attributes>, SftpError> {
        self.attributes_at(kind::LSTAT, path).await
    }

    async fn attributes_at(
        &mut self,
        kind: u8,
        path: &str,
    ) -> Result<Option<Attributes>, SftpError> {
        let write = |packet: &mut Packet| {
            packet.string(path.as_bytes());
        };
        match self.request(kind, write).await {
            Ok(Answer::Attributes(attributes)) => Ok(Some(attributes)),
            Ok(other) => Err(unexpected(&other)),
            Err(SftpError::Status(Status::NoSuchFile)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is known of an open file.
    pub(super) async fn stat_open(&mut self, file: &FileHandle) -> Result<Attributes, SftpError> {
        let write = |packet: &mut Packet| {
            packet.string(&file.0);
        };
        match self.request(kind::FSTAT, write).await? {
            Answer::Attributes(attributes) => Ok(attributes),
            other => Err(unexpected(&other)),
        }
    }

    /// Opens a file. One that is made can be touched by its owner alone.
    pub(super) async fn open(&mut self, path: &str, how: Open) -> Result<FileHandle, SftpError> {
        let attributes = Attributes {
            mode: (how != Open::Read).then_some(0o600),
            ..Attributes::default()
        };
        let write = |packet: &mut Packet| {
            packet
                .string(path.as_bytes())
                .number(how.flags())
                .attributes(&attributes);
        };
        match self.request(kind::OPEN, write).await? {
            Answer::Handle(handle) if handle.len() <= MAX_HANDLE => Ok(FileHandle(handle)),
            Answer::Handle(_) => Err(SftpError::Protocol("a handle that is too long")),
            other => Err(unexpected(&other)),
        }
    }

    /// At most [`PIECE`] bytes from `offset` on; none at the end.
    pub(super) async fn read(
        &mut self,
        file: &FileHandle,
        offset: u64,
    ) -> Result<Option<SecretValue>, SftpError> {
        let length = u32::try_from(PIECE).unwrap_or(u32::MAX);
        let write = |packet: &mut Packet| {
            packet.string(&file.0).long(offset).number(length);
        };
        match self.request(kind::READ, write).await {
            Ok(Answer::Data(data)) if data.is_empty() || data.len() > PIECE => {
                Err(SftpError::Protocol("more than was asked for, or nothing"))
            }
            Ok(Answer::Data(data)) => Ok(Some(data)),
            Ok(other) => Err(unexpected(&other)),
            Err(SftpError::Status(Status::End)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes all of `bytes` from the beginning of the file.
    pub(super) async fn write(&mut self, file: &FileHandle, bytes: &[u8]) -> Result<(), SftpError> {
        let mut offset = 0;
        for piece in bytes.chunks(PIECE) {
            let write = |packet: &mut Packet| {
                packet.string(&file.0).long(offset).string(piece);
            };
            self.done(kind::WRITE, write).await?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// Sets rights, owner, or both.
    pub(super) async fn set_open(
        &mut self,
        file: &FileHandle,
        attributes: &Attributes,
    ) -> Result<(), SftpError> {
        let write = |packet: &mut Packet| {
            packet.string(&file.0).attributes(attributes);
        };
        self.done(kind::FSETSTAT, write).await
    }

    /// Makes the content of an open file durable, where the server can.
    pub(super) async fn make_durable(&mut self, file: &FileHandle) -> Result<(), SftpError> {
        if !self.can_sync {
            return Ok(());
        }
        let write = |packet: &mut Packet| {
            packet.string(b"fsync@openssh.com").string(&file.0);
        };
        self.done(kind::EXTENDED, write).await
    }

    /// Closes a file.
    pub(super) async fn close(&mut self, file: FileHandle) -> Result<(), SftpError> {
        let write = |packet: &mut Packet| {
            packet.string(&file.0);
        };
        self.done(kind::CLOSE, write).await
    }

    /// Puts `from` in the place of `to`, in one step.
    pub(super) async fn replace(&mut self, from: &str, to: &str) -> Result<(), SftpError> {
        let write = |packet: &mut Packet| {
            packet
                .string(b"posix-rename@openssh.com")
                .string(from.as_bytes())
                .string(to.as_bytes());
        };
        self.done(kind::EXTENDED, write).await
    }

    /// Removes a file. Absence is success.
    pub(super) async fn remove(&mut self, path: &str) -> Result<(), SftpError> {
        let write = |packet: &mut Packet| {
            packet.string(path.as_bytes());
        };
        match self.done(kind::REMOVE, write).await {
            Err(SftpError::Status(Status::NoSuchFile)) => Ok(()),
            other => other,
        }
    }

    async fn done(&mut self, kind: u8, write: impl FnOnce(&mut Packet)) -> Result<(), SftpError> {
        match self.request(kind, write).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// One request, whose failure by the server is an error.
    async fn request(
        &mut self,
        kind: u8,
        write: impl FnOnce(&mut Packet),
    ) -> Result<Answer, SftpError> {
        self.last = self.last.wrapping_add(1);
        let mut packet = Packet::new(kind, self.last);
        write(&mut packet);
        let answer = self.exchange(&packet.finish()).await?;
        match Reader(&answer).answer(self.last)? {
            Answer::Failed(status) => Err(SftpError::Status(status)),
            answer => Ok(answer),
        }
    }

    async fn exchange(&mut self, packet: &[u8]) -> Result<Zeroizing<Vec<u8>>, SftpError> {
        let patience = self.patience;
        let exchange = async {
            self.stream.write_all(packet).await?;
            self.stream.flush().await?;
            let length = self.stream.read_u32().await?;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length == 0 || length > MAX_PACKET {
                return Ok(None);
            }
            let mut answer = Zeroizing::new(vec![0; length]);
            self.stream.read_exact(&mut answer).await?;
            Ok(Some(answer))
        };
        let exchange: Result<_, std::io::Error> = timeout(patience, exchange)
            .await
            .map_err(|_| SftpError::Silent)?;
        exchange
            .map_err(|_| SftpError::Lost)?
            .ok_or(SftpError::Protocol("a packet that is too long, or empty"))
    }
}

fn unexpected(answer: &Answer) -> SftpError {
    SftpError::Protocol(match answer {
        Answer::Done => "done, where there is something to tell",
        Answer::Failed(_)
        | Answer::Handle(_)
        | Answer::Data(_)
        | Answer::Name(_)
        | Answer::Attributes(_) => "an answer to another question",
    })
}

#[cfg(test)]
mod tests;
