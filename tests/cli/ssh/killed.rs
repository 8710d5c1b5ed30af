//! A run that is killed between any two of its steps.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use penstock_testbed::{Failure, Sshd};

use super::super::stage::marker;
use super::host::{Corner, MERGE, Outcome, host};

/// A way to the host on which only so many packets of ours pass. Tells when the next one has come.
fn toll(port: u16, packets: usize) -> std::io::Result<(u16, Receiver<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let own = listener.local_addr()?.port();
    let (tell, told) = mpsc::channel();
    // They end with the connection, which ends with the run.
    drop(thread::spawn(move || -> std::io::Result<()> {
        let (mut ours, _) = listener.accept()?;
        let mut host = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        let (mut back, mut from_host) = (ours.try_clone()?, host.try_clone()?);
        drop(thread::spawn(move || {
            drop(std::io::copy(&mut from_host, &mut back));
            back.shutdown(Shutdown::Both)
        }));
        let mut buffer = vec![0; 64 * 1024];
        let mut passed = 0;
        loop {
            let length = ours.read(&mut buffer)?;
            if length == 0 {
                return host.shutdown(Shutdown::Both);
            }
            if passed < packets {
                host.write_all(buffer.get(..length).unwrap_or_default())?;
            } else if passed == packets {
                // Whoever does not listen any more has seen enough.
                let _ = tell.send(());
            }
            passed += 1;
        }
    }));
    Ok((own, told))
}

/// What came of one run.
struct Seen {
    /// It was cut off.
    killed: bool,
    /// The file has the new content.
    new: bool,
}

/// What the sync writes.
fn values(value: &str) -> [(&str, &str); 2] {
    [("A", value), ("B", value)]
}

/// Writes `old`, then lets a run that writes `new` get as far as `packets`, and kills it there.
fn cut_off(host: &Sshd, packets: usize, finish: bool) -> Result<Seen, Failure> {
    let corner = Corner::new(host);
    let (old, new) = (marker("old"), marker("new"));
    corner.put(".env", "THEIRS=1\n");
    corner.documents(&values(&old), MERGE);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    let (port, told) = toll(host.port(), packets)?;
    let corner = corner.through(port);
    corner.documents(&values(&new), MERGE);
    let mut run = corner
        .stage
        .command("sync -f app.yaml -q")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // The way is gone with the run, and with it who tells.
    let killed = loop {
        if told.try_recv().is_ok() {
            run.kill()?;
            break true;
        }
        if run.try_wait()?.is_some() {
            break false;
        }
        thread::yield_now();
    };
    run.wait()?;
    let file = |value: &str| format!("THEIRS=1\nA={value}\nB={value}\n");
    let text = corner.read(".env").unwrap_or_default();
    let is_new = text == file(&new);
    assert!(
        is_new || text == file(&old),
        "after {packets} packets: neither old nor new"
    );
    assert_eq!(corner.mode(".env"), 0o600);
    // The lock of a run that was killed after the change is the one that nobody would need again.
    if finish || is_new {
        let corner = corner.through(host.port());
        corner.documents(&values(&new), MERGE);
        corner.stage.penstock("sync -f app.yaml -q").ended(0);
        assert_eq!(corner.read(".env"), Some(file(&new)));
        assert_eq!(corner.names(), [".env"], "the next run clears up");
        corner.stage.penstock("plan -f app.yaml -q").ended(0);
    }
    Ok(Seen {
        killed,
        new: is_new,
    })
}

/// Somebody was killed between replacing the file and giving the lock back: the file is as it should be, so nobody
/// takes the lock again.
#[tokio::test]
async fn a_dead_lock_goes_where_there_is_nothing_to_write_and_a_plan_leaves_it() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let corner = Corner::new(host);
    corner.documents(&values(&marker("a")), MERGE);
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    let lock = ".env.penstock.lock";
    corner.put(lock, ".env.penstock-0123456789abcdef");
    corner.stage.penstock("plan -f app.yaml -q").ended(0);
    assert_eq!(corner.names(), [".env", lock], "a plan writes nothing");
    corner.stage.penstock("sync -f app.yaml -q").ended(0);
    assert_eq!(corner.names(), [".env"]);
    Ok(())
}

#[tokio::test]
async fn killed_between_any_two_steps_it_leaves_the_old_or_the_new() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let (mut old, mut new, mut packets) = (0, 0, 0);
    loop {
        let seen = cut_off(host, packets, packets % 12 == 0)?;
        if !seen.killed {
            assert!(seen.new, "a run that nobody killed has written");
            break;
        }
        *if seen.new { &mut new } else { &mut old } += 1;
        packets += 3;
    }
    assert!(
        old > 8 && new > 2,
        "{old} runs were killed before the change, {new} after it"
    );
    Ok(())
}
