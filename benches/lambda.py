"""The Lambda: from the start of the process to its first request for an event, and the memory of passes with nothing to do.

    lambda.py REGCRED BOOTSTRAP [RUNS]

REGCRED serves the sandbox; BOOTSTRAP is the binary of the package. What it is driven by is no Lambda: a server on loopback that
speaks the runtime API.
"""

import http.server
import json
import os
import pathlib
import queue
import statistics
import subprocess
import sys
import threading
import time

import world

SIZE = world.Size(registries=100, objects=1, hosts=100)
# As Lambda gives it at most.
DEADLINE_SECONDS = 900


class RuntimeApi:
    """Hands out events one at a time; use with `with`."""

    def __init__(self):
        self.events, self.outcomes, self.asked = queue.Queue(), queue.Queue(), queue.Queue()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                api.asked.put(time.perf_counter())
                payload = api.events.get()
                if payload is None:
                    return
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(1000 * (time.time() + DEADLINE_SECONDS))))
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                api.outcomes.put((self.path.rsplit("/", 1)[-1], json.loads(body)))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "{}:{}".format(*self.server.server_address)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *reason):
        self.events.put(None)
        self.server.shutdown()

    def invoke(self, payload):
        """One event; how long it took, and its answer.

        Raises:
            RuntimeError: when the function ended it with an error.
        """
        began = time.perf_counter()
        self.events.put(json.dumps(payload).encode())
        ended, answer = self.outcomes.get(timeout=300)
        if ended != "response":
            raise RuntimeError(answer)
        return time.perf_counter() - began, answer


def memory(pid):
    """What a process holds, in bytes: at most so far, and now of its own."""
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    kilobytes = lambda name: 1024 * int(status[name].split()[0])
    return kilobytes("VmHWM"), kilobytes("RssAnon")


def milliseconds(seconds):
    return f"{1000 * statistics.median(seconds):,.1f} ms ({1000 * min(seconds):,.1f} to {1000 * max(seconds):,.1f})"


def megabytes(sizes):
    return f"{statistics.median(sizes) / 1e6:.1f} MB ({min(sizes) / 1e6:.1f} to {max(sizes) / 1e6:.1f})"


def main(regcred, bootstrap, runs="20"):
    starts, first, second, peaks, own = [], [], [], [], []
    with world.World(regcred, SIZE) as here:
        here.regcred("sync")
        for _ in range(int(runs)):
            with RuntimeApi() as api:
                environment = {**here.environment(), "AWS_LAMBDA_RUNTIME_API": api.address}
                began = time.perf_counter()
                function = subprocess.Popen(
                    [bootstrap], cwd=here.folder, env=environment, stderr=subprocess.DEVNULL
                )
                try:
                    starts.append(api.asked.get(timeout=60) - began)
                    for taken in (first, second):
                        seconds, report = api.invoke({})
                        if report["verdict"] != "converged":
                            raise RuntimeError(report["verdict"])
                        taken.append(seconds)
                    peak, private = memory(function.pid)
                    peaks.append(peak)
                    own.append(private)
                finally:
                    function.kill()
                    function.wait()
    print(f"\nMedian, least and most of {runs} environments; {os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}.\n")
    print("| of the Lambda | |\n|---|--:|")
    print(f"| from exec to its first request for an event | {milliseconds(starts)} |")
    print(f"| the first pass of an environment, with nothing to do | {milliseconds(first)} |")
    print(f"| the second one | {milliseconds(second)} |")
    print(f"| peak memory after both | {megabytes(peaks)} |")
    print(f"| of it private, and not pages of files | {megabytes(own)} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
