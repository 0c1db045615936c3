"""The command line in processes of their own that begin with its imports behind them.

A new process spends seconds on the imports of a fit. Here one process makes them, and each command
is a fork of it, with the arguments, folder, environment and open files of whoever calls it, and
with a status of its own. What only a fresh start shows (imports, encodings, closed streams,
signals) is left to processes that begin anew: `tests/cli/test_cli_processes.py` starts every
command as one.
"""

import contextlib
import fcntl
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

# A command for the shell. It hands its open files on, waits, and ends as the fork did.
CALLER = """#!{python} -IS
import json, os, socket, sys
numbers = []
for each in map(int, os.listdir("/dev/fd")):
    try:
        os.fstat(each)
    except OSError: # the list's own
        continue
    numbers.append(each)
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    request = dict(words=sys.argv[1:], folder=os.getcwd(), environment=dict(os.environ))
    socket.send_fds(server, [json.dumps(request | dict(numbers=numbers)).encode()], numbers)
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(16)))
"""


@contextlib.contextmanager
def forked_commands():
    """Yield the path of a command that runs as `python -m bayesgmm` does, in a fork."""
    with tempfile.TemporaryDirectory() as folder:
        address, caller = Path(folder, "socket"), Path(folder, "bayesgmm")
        caller.write_text(CALLER.format(python=sys.executable, address=str(address)))
        caller.chmod(0o700)
        # Python warns of forks beside threads, of which only those of other libraries are there.
        quiet = ["-W", "ignore:This process:DeprecationWarning"]
        server = subprocess.Popen(
            [sys.executable, *quiet, __file__, str(address)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        try:
            assert server.stdout.readline() == b"ready\n"
            yield str(caller)
        finally:
            server.kill()
            server.communicate()


def serve(address):
    """Answer callers, each by a process that waits for the command's and says how that ended."""
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401

    import bayesgmm
    import bayesgmm.cli

    for name in ("GaussianMixture", "select_mixture", "explore", "report", "relabel"):
        getattr(bayesgmm, name)  # they are imported when they are first asked for
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no need to wait for those that waited
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                break
            connection.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, files, *_ = socket.recv_fds(connection, 2**20, 256)
    while part := connection.recv(2**20):
        message += part
    command = os.fork()
    if command == 0:
        connection.close()
        become(files, **json.loads(message))
    else:
        _, status = os.waitpid(command, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)


def become(files, numbers, words, folder, environment):
    """Be the command, with streams that are opened as Python opens them at its start."""
    above = [fcntl.fcntl(each, fcntl.F_DUPFD, 1024) for each in files]
    os.closerange(0, 1024)
    for number, each in zip(numbers, above, strict=True):
        os.dup2(each, number)
        os.close(each)
    out, error = sys.stdout.errors, sys.stderr.errors
    sys.stdin = stream(0) if 0 in numbers else None
    sys.stdout = stream(1, "w", errors=out) if 1 in numbers else None
    sys.stderr = stream(2, "w", errors=error, buffering=1) if 2 in numbers else None
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = words
    runpy.run_module("bayesgmm", run_name="__main__", alter_sys=True)


def stream(number, *mode, **settings):
    return open(number, *mode, closefd=False, **settings)


if __name__ == "__main__":
    serve(sys.argv[1])
