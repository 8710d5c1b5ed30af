//! A line that is typed and not shown.

use std::io::{self, BufRead, IsTerminal as _, Write as _};

use penstock_domain::secret::SecretValue;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Streams;

/// The longest line.
const MAX_LINE: usize = 64 * 1024;

/// What a person typed.
#[derive(Debug, PartialEq, Eq)]
pub enum Hidden {
    /// A line, without its end.
    Line(SecretValue),
    /// Ctrl-C or Ctrl-D.
    Left,
}

/// Asks on standard error, and reads a line that no terminal shows.
pub fn read_hidden(prompt: &str, streams: &mut Streams) -> io::Result<Hidden> {
    // Whoever sees the prompt may type at once: by then nothing is shown.
    let quiet = Quiet::begin()?;
    write!(streams.err, "{prompt}")?;
    streams.err.flush()?;
    let line = read_line(&mut *streams.input);
    drop(quiet);
    // The line end that was typed was not shown either.
    writeln!(streams.err)?;
    line
}

/// A terminal that shows nothing of what is typed and sends no signals, until this is dropped: a process that ended
/// in between would leave it mute.
struct Quiet(Termios);

impl Quiet {
    /// None where standard input is no terminal.
    fn begin() -> io::Result<Option<Self>> {
        let input = io::stdin();
        if !input.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&input)?;
        let mut mute = before.clone();
        mute.local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        // What was typed ahead was shown: it does not count.
        tcsetattr(&input, OptionalActions::Flush, &mute)?;
        Ok(Some(Self(before)))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing is left to do when the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

fn read_line(input: &mut dyn BufRead) -> io::Result<Hidden> {
    // With room for all, so that no copy is left behind by growing.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    let mut byte = [0];
    while input.read(&mut byte)? > 0 {
        match byte[0] {
            b'\n' | b'\r' => return Ok(Hidden::Line(SecretValue::new(line.as_slice()))),
            0x03 => return Ok(Hidden::Left),
            0x04 if line.is_empty() => return Ok(Hidden::Left),
            0x7f | 0x08 => drop_character(&mut line),
            _ if line.len() == MAX_LINE => return Err(io::Error::other("the line is too long")),
            byte => line.push(byte),
        }
    }
    if line.is_empty() {
        return Ok(Hidden::Left);
    }
    Ok(Hidden::Line(SecretValue::new(line.as_slice())))
}

/// The last character, which may have several bytes.
fn drop_character(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Hidden {
        read_line(&mut io::Cursor::new(keys)).unwrap()
    }

    #[test]
    fn a_line_is_edited_ended_and_left_as_usual() {
        let line = |text: &str| Hidden::Line(SecretValue::from(text));
        assert_eq!(typed(b"hunter2\nmore"), line("hunter2"));
        assert_eq!(typed(b"hunter3\x7f2\r"), line("hunter2"));
        assert_eq!(typed("aé\u{8}b\n".as_bytes()), line("ab"));
        assert_eq!(typed(b"\x7f\n"), line(""));
        assert_eq!(typed(b"no end"), line("no end"));
        assert_eq!(typed(b"half\x03"), Hidden::Left);
        assert_eq!(typed(b"\x04"), Hidden::Left);
        assert_eq!(typed(b""), Hidden::Left);
    }
}
