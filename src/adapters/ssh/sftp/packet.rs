//! Packets of SFTP 3 (draft-ietf-secsh-filexfer-02), as bytes: pure.

use penstock_domain::secret::SecretValue;
use zeroize::Zeroizing;

use super::{SftpError, Status};

/// The largest packet that is taken: what OpenSSH sends at most.
pub(super) const MAX_PACKET: usize = 256 * 1024;
/// The longest name of a file, in an answer.
const MAX_NAME: usize = 4096;

/// Kinds of packets, by their numbers.
pub(super) mod kind {
    pub(in super::super) const INIT: u8 = 1;
    pub(in super::super) const VERSION: u8 = 2;
    pub(in super::super) const OPEN: u8 = 3;
    pub(in super::super) const CLOSE: u8 = 4;
    pub(in super::super) const READ: u8 = 5;
    pub(in super::super) const WRITE: u8 = 6;
    pub(in super::super) const LSTAT: u8 = 7;
    pub(in super::super) const FSTAT: u8 = 8;
    pub(in super::super) const FSETSTAT: u8 = 10;
    pub(in super::super) const REMOVE: u8 = 13;
    pub(in super::super) const REALPATH: u8 = 16;
    pub(in super::super) const STAT: u8 = 17;
    pub(super) const STATUS: u8 = 101;
    pub(super) const HANDLE: u8 = 102;
    pub(super) const DATA: u8 = 103;
    pub(super) const NAME: u8 = 104;
    pub(super) const ATTRS: u8 = 105;
    pub(in super::super) const EXTENDED: u8 = 200;
}

/// What a server knows about a file. What it does not tell is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Attributes {
    pub(in super::super) size: Option<u64>,
    /// User and group, by number.
    pub(in super::super) owner: Option<(u32, u32)>,
    /// Kind of file and rights, as POSIX has them in `st_mode`.
    pub(in super::super) mode: Option<u32>,
    /// When its content changed, in seconds since 1970.
    pub(in super::super) modified: Option<u32>,
}

const HAS_SIZE: u32 = 1;
const HAS_OWNER: u32 = 2;
const HAS_MODE: u32 = 4;
const HAS_TIMES: u32 = 8;
const HAS_MORE: u32 = 0x8000_0000;

/// An answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Failed(Status),
    Handle(Vec<u8>),
    Data(SecretValue),
    Name(String),
    Attributes(Attributes),
}

/// A packet that is being put together. It may hold values: its memory is wiped.
pub(super) struct Packet(Zeroizing<Vec<u8>>);

impl Packet {
    /// Begins a packet; `id` for all but the first.
    pub(super) fn new(kind: u8, id: u32) -> Self {
        let mut packet = Self(Zeroizing::new(vec![0, 0, 0, 0, kind]));
        packet.number(id);
        packet
    }

    pub(super) fn number(&mut self, number: u32) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn long(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn string(&mut self, bytes: &[u8]) -> &mut Self {
        // Bounded by whoever calls: paths, and pieces of files.
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.reserve_exact(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn attributes(&mut self, attributes: &Attributes) -> &mut Self {
        let flags =
            attributes.owner.map_or(0, |_| HAS_OWNER) | attributes.mode.map_or(0, |_| HAS_MODE);
        self.number(flags);
        if let Some((user, group)) = attributes.owner {
            self.number(user).number(group);
        }
        if let Some(mode) = attributes.mode {
            self.number(mode);
        }
        self
    }

    /// The bytes, with their length in front.
    pub(super) fn finish(mut self) -> Zeroizing<Vec<u8>> {
        let length = u32::try_from(self.0.len().saturating_sub(4)).unwrap_or(u32::MAX);
        if let Some(place) = self.0.first_chunk_mut::<4>() {
            *place = length.to_be_bytes();
        }
        self.0
    }
}

/// Takes a packet apart from its front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

const SHORT: SftpError = SftpError::Protocol("a packet ends in the middle");

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, SftpError> {
        let (first, rest) = self.0.split_first().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Result<u32, SftpError> {
        let (number, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*number))
    }

    fn long(&mut self) -> Result<u64, SftpError> {
        let (number, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*number))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], SftpError> {
        let length = usize::try_from(self.number()?).map_err(|_| SHORT)?;
        let (string, rest) = self.0.split_at_checked(length).ok_or(SHORT)?;
        self.0 = rest;
        Ok(string)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn attributes(&mut self) -> Result<Attributes, SftpError> {
        let flags = self.number()?;
        let mut attributes = Attributes::default();
        if flags & HAS_SIZE != 0 {
            attributes.size = Some(self.long()?);
        }
        if flags & HAS_OWNER != 0 {
            attributes.owner = Some((self.number()?, self.number()?));
        }
        if flags & HAS_MODE != 0 {
            attributes.mode = Some(self.number()?);
        }
        if flags & HAS_TIMES != 0 {
            self.number()?;
            attributes.modified = Some(self.number()?);
        }
        if flags & HAS_MORE != 0 {
            for _ in 0..self.number()? {
                self.string()?;
                self.string()?;
            }
        }
        Ok(attributes)
    }

    /// The answer to the request `id`.
    pub(super) fn answer(mut self, id: u32) -> Result<Answer, SftpError> {
        let kind = self.byte()?;
        if self.number()? != id {
            return Err(SftpError::Protocol("an answer to nothing that was asked"));
        }
        let answer = match kind {
            // A message follows, in the server's words. It is not ours to repeat.
            kind::STATUS => return self.number().map(status),
            kind::HANDLE => Answer::Handle(self.string()?.to_vec()),
            kind::DATA => Answer::Data(SecretValue::new(self.string()?)),
            kind::NAME => self.name()?,
            kind::ATTRS => Answer::Attributes(self.attributes()?),
            _ => return Err(SftpError::Protocol("an answer of an unknown kind")),
        };
        if self.is_empty() {
            Ok(answer)
        } else {
            Err(SftpError::Protocol("an answer with more behind it"))
        }
    }

    fn name(&mut self) -> Result<Answer, SftpError> {
        if self.number()? != 1 {
            return Err(SftpError::Protocol("not one name"));
        }
        let name = self.string()?;
        // The same again, for people; and attributes, which nobody asked for.
        self.string()?;
        self.attributes()?;
        let name =
            std::str::from_utf8(name).map_err(|_| SftpError::Protocol("a name that is no text"))?;
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(SftpError::Protocol("a name that cannot be one"));
        }
        Ok(Answer::Name(name.to_owned()))
    }
}

fn status(code: u32) -> Answer {
    Answer::Failed(match code {
        0 => return Answer::Done,
        1 => Status::End,
        2 => Status::NoSuchFile,
        3 => Status::PermissionDenied,
        8 => Status::Unsupported,
        _ => Status::Failure,
    })
}
