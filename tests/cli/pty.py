"""Runs a command on a pseudo-terminal of its own and holds a conversation with it.

Takes one JSON object: argv, cwd, env, whether it is started deaf to interrupts, and steps of [text to wait for, what
is typed then]. Prints one: what was seen,
how it ended (negative: by that signal), whether the terminal showed what was typed at each step, and at the end.
"""

import json
import os
import pty
import select
import signal
import sys
import termios
import time

LIMIT = 60.0
asked = json.loads(sys.argv[1])


def shows(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


# A second pair of eyes: the terminal's settings can be read after the child has gone.
parent, child = pty.openpty()
pid = os.fork()
if pid == 0:
    os.close(parent)
    os.login_tty(child) if hasattr(os, "login_tty") else None
    if not hasattr(os, "login_tty"):
        import fcntl

        os.setsid()
        fcntl.ioctl(child, termios.TIOCSCTTY, 0)
        for number in (0, 1, 2):
            os.dup2(child, number)
    os.chdir(asked["cwd"])
    # What tests are started from may ignore interrupts, as shells have it for what runs in the background.
    signal.signal(signal.SIGINT, signal.SIG_IGN if asked["deaf"] else signal.SIG_DFL)
    os.execve(asked["argv"][0], asked["argv"], asked["env"])

seen = b""
deadline = time.monotonic() + LIMIT


def read_some():
    """Reads what there is; false when the other side has gone."""
    global seen
    left = deadline - time.monotonic()
    if left <= 0:
        os.kill(pid, 9)
        raise SystemExit(f"it takes too long; seen so far: {seen!r}")
    ready, _, _ = select.select([parent], [], [], min(left, 0.05))
    if ready:
        seen += os.read(parent, 65536)
        return True
    gone, status = os.waitpid(pid, os.WNOHANG)
    if gone:
        ended.append(status)
    return not gone


ended = []
echo = []
at = 0
for text, typed in asked["steps"]:
    while (found := seen.find(text.encode(), at)) < 0:
        if not read_some():
            raise SystemExit(f"it ended before {text!r}; seen: {seen!r}")
    at = found + len(text)
    echo.append(shows(child))
    os.write(parent, typed.encode())
while not ended and read_some():
    pass
while True:
    ready, _, _ = select.select([parent], [], [], 0)
    if not ready:
        break
    seen += os.read(parent, 65536)
status = os.waitstatus_to_exitcode(ended[0])
print(json.dumps({"seen": seen.decode(errors="replace"), "status": status, "echo": echo, "after": shows(child)}))
