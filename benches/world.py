"""A generated world to measure regcred in: the embedded AWS, served by the real binary on loopback, and a folder with a
configuration, what its sources read and nothing else.

It knows the control surface of `regcred sandbox` and the shape of the configuration, and must not know what a pass should
cost: the figures are what was seen.
"""

import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
ACCOUNT, REGION = "111111111111", "eu-west-1"
# A robot account and a token as registries issue them: what they take in an ecs.config is part of the figures.
USERNAME = "robot$ci"
PASSWORD_LENGTH = 40
# The lines of an object stay under 60,000 bytes, which is some 500 registries of this kind. Those beyond are kept in
# Secrets Manager alone.
MOST_OF_AN_OBJECT = 450


@dataclasses.dataclass(frozen=True)
class Size:
    """How large a world is. Each object has a fleet of two clusters of its own."""

    registries: int
    objects: int
    hosts: int
    """Of each cluster."""

    def clusters(self):
        return [f"c{number}-{side}" for number in range(self.objects) for side in "ab"]

    def registries_of(self, number):
        """The registries of one object: dealt out in turn, and at least one in each."""
        names = registry_names(self.registries)
        return (names[number :: self.objects] or names[:1])[:MOST_OF_AN_OBJECT]


def registry_names(count):
    return [f"r{number:04}" for number in range(count)]


def config(size):
    """As YAML; flow style throughout, as JSON is."""

    def registry(name):
        return {
            "server": f"registry-{name}.example.com",
            "source": {"file": {"path": f"secrets/{name}.json"}},
            "secret": {"name": f"ecs/registry/{name}"},
            # These registries are not there; AWS's calls are what is counted.
            "verify": {"enabled": False},
        }

    def ecs_config(number):
        return {"bucket": "acme-ecs", "key": f"o{number}/ecs.config", "registries": size.registries_of(number)}

    def fleet(number):
        return {
            "ecs_config": f"o{number}",
            "clusters": [f"c{number}-a", f"c{number}-b"],
            # Hosts in memory take no time, so nothing has to wait for them.
            "poll_interval": "100ms",
            "settle_interval": "100ms",
            "settle_timeout": "1m",
        }

    numbers = range(size.objects)
    return json.dumps(
        {
            "state": {"bucket": "acme-regcred"},
            "registries": {name: registry(name) for name in registry_names(size.registries)},
            "ecs_configs": {f"o{number}": ecs_config(number) for number in numbers},
            "fleets": {f"o{number}": fleet(number) for number in numbers},
        },
        indent=1,
    )


def seed(size):
    """What the sandbox begins with: its `Options`, as JSON."""
    here = {"account": ACCOUNT, "region": REGION}
    hosts = [
        {"id": f"i-{cluster_number:04x}{host:013x}", "cluster": cluster, "tasks_running": 2}
        for cluster_number, cluster in enumerate(size.clusters())
        for host in range(size.hosts)
    ]
    document = (ROOT / "deploy/ssm/regcred-refresh.json").read_text()
    return {
        "buckets": [{"name": name, "versioned": True, **here} for name in ("acme-ecs", "acme-regcred")],
        "documents": [{"name": "regcred-refresh", "content": document, **here}],
        "hosts": hosts,
    }


def write_folder(folder, size):
    """The configuration, and what its sources read."""
    (folder / "secrets").mkdir()
    (folder / "regcred.yaml").write_text(config(size))
    for name in registry_names(size.registries):
        write_password(folder, name, "first")


def write_password(folder, registry, word):
    password = f"{registry}-{word}-".ljust(PASSWORD_LENGTH, "x")
    pair = {"username": USERNAME, "password": password}
    (folder / "secrets" / f"{registry}.json").write_text(json.dumps(pair))


def environment(endpoint):
    """All that a program sees, whichever of the two it is."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": endpoint,
        # boto3 reads the second one alone.
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # Neither program may look for an instance's role or for files of the person who runs this.
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


class World:
    """Use with `with`: the sandbox ends with it, and its folder is removed."""

    def __init__(self, binary, size):
        self.binary = str(binary)
        self.size = size

    def __enter__(self):
        # Held open until the end; a world that could not be made is cleaned up as well.
        with contextlib.ExitStack() as stack:
            self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="regcred-bench-")))
            write_folder(self.folder, self.size)
            (self.folder / "seed.json").write_text(json.dumps(seed(self.size)))
            self.sandbox = subprocess.Popen(
                [self.binary, "sandbox", "--seed", self.folder / "seed.json"],
                stdout=subprocess.PIPE,
                env={"PATH": os.environ["PATH"]},
            )
            stack.callback(self._stop)
            self.endpoint = json.loads(self.sandbox.stdout.readline())["endpoint"]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *reason):
        return self._stack.__exit__(*reason)

    def _stop(self):
        self.sandbox.terminate()
        self.sandbox.wait(timeout=60)
        self.sandbox.stdout.close()

    def set_password(self, registry, word):
        """Makes up the password of a registry anew, and puts it where its source reads it."""
        write_password(self.folder, registry, word)

    def environment(self):
        """All that a program sees here."""
        return environment(self.endpoint)

    def regcred(self, command):
        """Runs one command, and returns its result in JSON.

        Raises:
            RuntimeError: when it did not end as converged.
        """
        ended = subprocess.run(
            [self.binary, command, "--output", "json"],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            raise RuntimeError(f"regcred {command} in {self.size} ended with {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
        return json.loads(ended.stdout)

    def calls_of(self, command):
        """How often each operation was called by one command of regcred's; what hosts call is not among them."""
        self._control("DELETE", "calls")
        self.regcred(command)
        calls = [json.loads(line) for line in self._control("GET", "calls").splitlines()]
        return collections.Counter(
            call["operation"] for call in calls if "ecsInstanceRole" not in (call.get("caller") or "")
        )

    def restarts(self):
        """How often the agents of all hosts were restarted."""
        return sum(host["restarts"] for host in json.loads(self._control("GET", "hosts")))

    def delay(self, service, operation, seconds):
        """Lets the answers of one operation be late from now on, and those of all others be prompt."""
        match = {"service": service, "operation": operation}
        self._control("PUT", "faults", json.dumps([{"match": match, "effect": {"delay_ms": int(1000 * seconds)}}]))

    def _control(self, method, path, body=""):
        request = urllib.request.Request(f"{self.endpoint}/_sandbox/{path}", method=method, data=body.encode())
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.read().decode()
