//! What is sent, and what a server may answer.

use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// A packet: its length, and these bytes.
fn packet(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    packet(bytes)
}

/// The answer to the first request after the beginning.
fn answer(kind: u8, body: &[u8]) -> Vec<u8> {
    packet(&[&[kind, 0, 0, 0, 1][..], body].concat())
}

fn version(extensions: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut body = vec![2, 0, 0, 0, 3];
    for (name, value) in extensions {
        body.extend(string(name));
        body.extend(string(value));
    }
    packet(&body)
}

async fn receive(stream: &mut DuplexStream) -> Option<Vec<u8>> {
    let length = stream.read_u32().await.ok()?;
    let mut body = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

/// A server that answers with these bytes, one after the other, and tells what it was asked.
fn server(answers: Vec<Vec<u8>>) -> (DuplexStream, JoinHandle<Vec<Vec<u8>>>) {
    let (ours, mut theirs) = tokio::io::duplex(1024 * 1024);
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for bytes in answers {
            asked.extend(receive(&mut theirs).await);
            theirs.write_all(&bytes).await.unwrap();
        }
        asked
    });
    (ours, asked)
}

async fn session(answers: Vec<Vec<u8>>) -> Sftp<DuplexStream> {
    let answers = [vec![version(&[])], answers].concat();
    Sftp::start(server(answers).0, PATIENCE).await.unwrap()
}

#[tokio::test]
async fn a_session_begins_with_version_3_and_learns_what_the_server_can() {
    let known: [(&[u8], &[u8]); 3] = [
        (b"posix-rename@openssh.com", b"1"),
        (b"statvfs@openssh.com", b"2"),
        (b"fsync@openssh.com", b"1"),
    ];
    let (stream, asked) = server(vec![version(&known)]);
    let session = Sftp::start(stream, PATIENCE).await.unwrap();
    assert!(session.can_replace && session.can_sync);
    assert_eq!(asked.await.unwrap(), [[1, 0, 0, 0, 3]]);

    let session = Sftp::start(server(vec![version(&[])]).0, PATIENCE).await;
    assert!(!session.unwrap().can_replace);
    let other: [(&[u8], &[u8]); 1] = [(b"posix-rename@openssh.com", b"2")];
    let session = Sftp::start(server(vec![version(&other)]).0, PATIENCE).await;
    assert!(!session.unwrap().can_replace, "another version of it");
    for nonsense in [packet(&[2, 0, 0, 0, 2]), packet(&[101, 0, 0, 0, 3])] {
        let session = Sftp::start(server(vec![nonsense]).0, PATIENCE).await;
        assert!(matches!(session.err(), Some(SftpError::Protocol(_))));
    }
}

#[tokio::test]
async fn a_file_is_made_for_its_owner_alone_and_only_where_there_is_none() {
    let handle = answer(102, &string(b"h"));
    let (stream, asked) = server(vec![version(&[]), handle]);
    let mut session = Sftp::start(stream, PATIENCE).await.unwrap();
    session.open("/a", Open::New).await.unwrap();
    let asked = asked.await.unwrap();
    let write_create_exclusive: &[u8] = &[0, 0, 0, 2 | 8 | 32];
    let mode: &[u8] = &[0, 0, 0, 4, 0, 0, 1, 0x80];
    let wanted = [
        &[3, 0, 0, 0, 1][..],
        &string(b"/a"),
        write_create_exclusive,
        mode,
    ];
    assert_eq!(asked[1], wanted.concat());
}

#[tokio::test]
async fn statuses_are_told_apart_by_their_numbers_and_their_words_are_not_read() {
    for (code, expected) in [
        (1_u32, Status::End),
        (2, Status::NoSuchFile),
        (3, Status::PermissionDenied),
        (4, Status::Failure),
        (8, Status::Unsupported),
        (4711, Status::Failure),
    ] {
        let mut body = code.to_be_bytes().to_vec();
        body.extend(string(b"password=hunter2"));
        let mut session = session(vec![answer(101, &body)]).await;
        let outcome = session.real_path("/a").await;
        assert_eq!(outcome, Err(SftpError::Status(expected)));
        assert!(!format!("{outcome:?} {expected}").contains("hunter2"));
    }
}

#[tokio::test]
async fn absence_is_an_answer_where_it_is_asked_for_and_where_it_is_wanted() {
    let absent = answer(101, &2_u32.to_be_bytes());
    assert_eq!(
        session(vec![absent.clone()]).await.stat("/a").await,
        Ok(None)
    );
    assert_eq!(session(vec![absent]).await.remove("/a").await, Ok(()));
}

#[tokio::test]
async fn attributes_are_read_as_far_as_they_are_told() {
    let body: Vec<u8> = [
        1 | 2 | 4 | 8 | 0x8000_0000_u32,
        0,
        7,
        1000,
        1001,
        0o100_644,
        1,
        2,
        1,
    ]
    .iter()
    .flat_map(|number| number.to_be_bytes())
    .chain(string(b"more"))
    .chain(string(b"x"))
    .collect();
    let found = session(vec![answer(105, &body)]).await.stat("/a").await;
    let expected = Attributes {
        size: Some(7),
        owner: Some((1000, 1001)),
        mode: Some(0o100_644),
        modified: Some(2),
    };
    assert_eq!(found, Ok(Some(expected)));
    let nothing = answer(105, &[0; 4]);
    let found = session(vec![nothing]).await.stat("/a").await;
    assert_eq!(found, Ok(Some(Attributes::default())));
}

#[tokio::test]
async fn what_is_no_answer_is_refused_before_memory_is_taken_for_it() {
    let huge = (u32::try_from(MAX_PACKET).unwrap() + 1)
        .to_be_bytes()
        .to_vec();
    let other_number = packet(&[101, 0, 0, 0, 9, 0, 0, 0, 0]);
    for nonsense in [
        huge,
        vec![0, 0, 0, 0],
        packet(&[]),
        packet(&[101]),
        other_number,
        answer(77, &[]),
        // A string that is said to be longer than the packet.
        answer(104, &[0, 0, 0, 1, 255, 255, 255, 255, b'x']),
        // Two names; a name that is no text; a name with a line break; attributes that count to four billion.
        answer(104, &[0, 0, 0, 2]),
        answer(
            104,
            &[&[0, 0, 0, 1][..], &string(b"\xff"), &string(b""), &[0; 4]].concat(),
        ),
        answer(
            104,
            &[&[0, 0, 0, 1][..], &string(b"/a\nb"), &string(b""), &[0; 4]].concat(),
        ),
        answer(
            104,
            &[
                &[0, 0, 0, 1][..],
                &string(b"/a"),
                &string(b""),
                &[0x80, 0, 0, 0, 255, 255, 255, 255],
            ]
            .concat(),
        ),
        // More behind it, and an answer to another question.
        answer(
            104,
            &[&[0, 0, 0, 1][..], &string(b"/a"), &string(b""), &[0; 5]].concat(),
        ),
        answer(102, &string(b"h")),
        answer(101, &0_u32.to_be_bytes()),
    ] {
        let outcome = session(vec![nonsense.clone()]).await.real_path("/a").await;
        assert!(
            matches!(outcome, Err(SftpError::Protocol(_))),
            "{nonsense:?}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn no_more_is_read_than_was_asked_for() {
    let handle = FileHandle(b"h".to_vec());
    for length in [0, PIECE + 1] {
        let data = answer(103, &string(&vec![7; length]));
        let outcome = session(vec![data]).await.read(&handle, 0).await;
        assert!(matches!(outcome, Err(SftpError::Protocol(_))), "{length}");
    }
    let data = answer(103, &string(b"abc"));
    let outcome = session(vec![data]).await.read(&handle, 0).await;
    assert_eq!(outcome.unwrap().unwrap().expose(), b"abc");
    let end = answer(101, &1_u32.to_be_bytes());
    assert!(
        session(vec![end])
            .await
            .read(&handle, 0)
            .await
            .unwrap()
            .is_none()
    );
    let long = answer(102, &string(&[7; 257]));
    let outcome = session(vec![long]).await.open("/a", Open::Read).await;
    assert!(matches!(outcome.err(), Some(SftpError::Protocol(_))));
}

#[tokio::test]
async fn a_large_file_goes_in_pieces() {
    let done = |id: u32| packet(&[&[101][..], &id.to_be_bytes(), &[0; 4]].concat());
    let (stream, asked) = server(vec![version(&[]), done(1), done(2)]);
    let mut session = Sftp::start(stream, PATIENCE).await.unwrap();
    let handle = FileHandle(b"h".to_vec());
    session.write(&handle, &vec![7; PIECE + 3]).await.unwrap();
    let asked = asked.await.unwrap();
    let second = [
        &[6, 0, 0, 0, 2][..],
        &string(b"h"),
        &(PIECE as u64).to_be_bytes(),
        &string(&[7; 3]),
    ];
    assert_eq!(asked[2], second.concat());
    assert_eq!(asked[1].len(), 5 + 5 + 8 + 4 + PIECE);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_or_says_nothing_is_no_answer() {
    let mut cut = session(vec![vec![0, 0, 0, 20, 101]]).await;
    assert_eq!(cut.remove("/a").await, Err(SftpError::Lost));
    let (stream, mut held) = tokio::io::duplex(1024);
    let begin = async {
        receive(&mut held).await;
        held.write_all(&version(&[])).await.unwrap();
    };
    let (session, ()) = tokio::join!(Sftp::start(stream, PATIENCE), begin);
    assert_eq!(session.unwrap().remove("/a").await, Err(SftpError::Silent));
}
