"""From the start of a process to its first request, as Markdown.

    benches/run start [REPETITIONS]

The endpoint is a listener here, which takes the time when a connection's first bytes are there, and answers none. So the
time holds exec, the reading of the configuration, the making of the clients, and the signing of a request.
"""

import os
import pathlib
import signal
import socket
import statistics
import sys
import tempfile
import time

import world

HERE = pathlib.Path(__file__).resolve().parent
SIZES = [world.Size(registries=registries, objects=1, hosts=0) for registries in (1, 100)]


def time_to_first_request(program, folder, environment, listener):
    """In seconds. The process is killed then."""
    quiet = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)]
    os.chdir(folder)
    began = time.perf_counter()
    child = os.posix_spawn(program[0], program, environment, file_actions=quiet)
    try:
        connection, _ = listener.accept()
        with connection:
            if not connection.recv(1):
                raise RuntimeError(f"{program} sent nothing")
            return time.perf_counter() - began
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def time_to_end(program):
    began = time.perf_counter()
    child = os.posix_spawn(
        program[0], program, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    os.waitpid(child, 0)
    return time.perf_counter() - began


def print_row(what, seconds):
    middle, least, most = (1e3 * each for each in (statistics.median(seconds), min(seconds), max(seconds)))
    print(f"| {what} | {middle:.1f} ms | {least:.1f} ms | {most:.1f} ms |")


def main(binary, repetitions="30"):
    print(f"{repetitions} runs of each, with a load of {os.getloadavg()[0]:.1f}:\n")
    print("| from exec to … | median | least | most |")
    print("|---|--:|--:|--:|")
    runs = range(int(repetitions))
    print_row("the end of `regcred --version`", [time_to_end([binary, "--version"]) for _ in runs])
    for size in SIZES:
        # A listener of its own: connections that a killed process left behind would be taken for the next one's.
        with tempfile.TemporaryDirectory(prefix="regcred-bench-") as folder:
            world.write_folder(pathlib.Path(folder), size)
            programs = {
                "`regcred sync`": [binary, "sync"],
                "`boto3_pass.py`": [sys.executable, str(HERE / "boto3_pass.py")],
            }
            taken = {name: [] for name in programs}
            for _ in runs:
                for name, program in programs.items():
                    with socket.create_server(("127.0.0.1", 0)) as listener:
                        listener.settimeout(30)
                        endpoint = "http://{}:{}".format(*listener.getsockname())
                        took = time_to_first_request(program, folder, world.environment(endpoint), listener)
                        taken[name].append(took)
            for name, seconds in taken.items():
                print_row(f"the first request of {name}, {size.registries} registries", seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
