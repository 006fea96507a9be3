"""Drives the packaged Lambda once through a runtime API that others wrote: that of cargo-lambda.

    try.py ZIP REGCRED CARGO_LAMBDA

REGCRED is a binary with the sandbox, which is the AWS here. Prints what each event came to; fails where one came to something else
than it should.
"""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benches"))
import world

SIZE = world.Size(registries=2, objects=1, hosts=3)
# The name that cargo-lambda has for a function that it did not start.
FUNCTION = "_"
EVENTS = ROOT / "tests" / "events"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def invoke(port, payload):
    """The answer of an event, or what its error holds."""
    url = f"http://127.0.0.1:{port}/2015-03-31/functions/{FUNCTION}/invocations"
    request = urllib.request.Request(url, method="POST", data=json.dumps(payload).encode())
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def wait_for(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("error: cargo-lambda does not listen")


def main(package, regcred, cargo_lambda):
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="regcred-package-") as folder, world.World(regcred, SIZE) as here:
        zipfile.ZipFile(package).extractall(folder)
        bootstrap = pathlib.Path(folder) / "bootstrap"
        bootstrap.chmod(0o755)
        watch = [cargo_lambda, "lambda", "watch", "--only-lambda-apis", "-A", "127.0.0.1", "-P", str(port)]
        environment = {
            **here.environment(),
            "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{port}/.rt",
            "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        }
        # It asks cargo about the folder that it is in.
        programs = [subprocess.Popen(watch, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
        try:
            wait_for(port)
            log = (pathlib.Path(folder) / "log").open("w")
            programs.append(subprocess.Popen([bootstrap], cwd=here.folder, env=environment, stderr=log))
            tick = json.loads((EVENTS / "scheduler-default.json").read_text())
            for name, payload, expected in [
                ("a tick", tick, ("verdict", "converged")),
                ("a plan", {"command": "plan"}, ("version", 1)),
                ("another's secret", json.loads((EVENTS / "secret-label-updated.json").read_text()), ("version", 1)),
                ("a misspelt command", {"comand": "plan"}, ("errorType", "Function.Event")),
                ("a tick with nothing to do", {}, ("verdict", "converged")),
            ]:
                answer = invoke(port, payload)
                key, value = expected
                if answer.get(key) != value:
                    sys.exit(f"error: {name} came to {json.dumps(answer)[:2000]}\n{pathlib.Path(log.name).read_text()}")
                print(f"{name}: {key} {value}")
            print(f"agents restarted: {here.restarts()} of {2 * SIZE.hosts}")
        finally:
            for program in programs:
                program.kill()
                program.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
