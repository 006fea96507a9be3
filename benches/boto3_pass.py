"""What `regcred sync` does in a pass with nothing to do, as a script of boto3: the other side of the comparison in
docs/BENCHMARKS.md, written as somebody would who cares how long it takes.

It reads every source, the state, every secret and every ecs.config, holds them against each other, and asks ECS for the
container instances that do not hold the revision. It makes the calls that regcred makes, as many side by side, and one
client for each service. It says what differs and changes nothing.

    boto3_pass.py [CONFIG]      a configuration of regcred whose YAML is JSON, with sources of the kind `file` alone

Exit status: 0 when there is nothing to do, 3 when something differs.
"""

import base64
import concurrent.futures
import hashlib
import hmac
import json
import pathlib
import sys

import boto3

SECRETS_PER_CALL = 20
"""The most that BatchGetSecretValue takes."""


def read_source(folder, registry):
    path = folder / registry["source"]["file"]["path"]
    pair = json.loads(path.read_text())
    return pair["username"], pair["password"]


def read_object(s3, bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def read_secrets(secrets_manager, names):
    """The credential of each of at most twenty secrets by its name; one that has none is left out."""
    answer = secrets_manager.batch_get_secret_value(SecretIdList=names)
    pairs = {each["Name"]: json.loads(each["SecretString"]) for each in answer["SecretValues"]}
    return {name: (pair["username"], pair["password"]) for name, pair in pairs.items()}


def auth_of(ecs_config):
    """The auth type and data as the agent takes them: the last line wins, white space around a line does not count."""
    lines = (line.strip().partition("=") for line in ecs_config.split("\n"))
    variables = {name: value for name, separator, value in lines if separator}
    return variables.get("ECS_ENGINE_AUTH_TYPE", ""), variables.get("ECS_ENGINE_AUTH_DATA", "")


def credentials_of(auth_data):
    """The credential of each server in data of the type `dockercfg`."""
    decoded = {server: base64.b64decode(entry["auth"]).decode() for server, entry in json.loads(auth_data).items()}
    return {server: tuple(text.split(":", 1)) for server, text in decoded.items()}


def revision(key, auth_type, auth_data):
    """As `regcred_core::fingerprint` names it: a MAC over parts that are each preceded by their length."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in ("revision", auth_type, auth_data):
        encoded = part.encode()
        mac.update(len(encoded).to_bytes(8, "big") + encoded)
    return f"r{mac.hexdigest()[:16]}"


def different_hosts(ecs, cluster, wanted):
    """The container instances of a cluster on which this revision is not recorded."""
    pages = ecs.get_paginator("list_container_instances").paginate(
        cluster=cluster,
        filter=f"attribute:regcred.revision not_exists or attribute:regcred.revision != {wanted}",
    )
    return [arn for page in pages for arn in page["containerInstanceArns"]]


def look(path, pool):
    """Yields a line for each thing that differs."""
    config = json.loads(path.read_text())
    registries, state = config["registries"], config["state"]
    # Made one after the other: making a client is not safe side by side, using one is.
    s3, secrets_manager, ecs = (boto3.client(service) for service in ("s3", "secretsmanager", "ecs"))

    stored_state = pool.submit(read_object, s3, state["bucket"], state.get("prefix", "regcred/") + "state.json")
    objects = {
        name: pool.submit(read_object, s3, each["bucket"], each["key"]) for name, each in config["ecs_configs"].items()
    }
    names = [registry["secret"]["name"] for registry in registries.values()]
    batches = [
        pool.submit(read_secrets, secrets_manager, names[start : start + SECRETS_PER_CALL])
        for start in range(0, len(names), SECRETS_PER_CALL)
    ]
    desired = {name: read_source(path.parent, registry) for name, registry in registries.items()}

    published = {name: pair for batch in batches for name, pair in batch.result().items()}
    for name, registry in registries.items():
        secret = registry["secret"]["name"]
        if published.get(secret) != desired[name]:
            yield f"secret {secret}"

    key = bytes.fromhex(json.loads(stored_state.result())["fingerprint_key"])
    revisions = {}
    for name, each in config["ecs_configs"].items():
        auth_type, auth_data = auth_of(objects[name].result())
        held = credentials_of(auth_data)
        if auth_type != "dockercfg" or any(
            held.get(registries[registry]["server"]) != desired[registry] for registry in each["registries"]
        ):
            yield f"object {name}"
        revisions[name] = revision(key, auth_type, auth_data)

    hosts = [
        pool.submit(different_hosts, ecs, cluster, revisions[fleet["ecs_config"]])
        for fleet in config["fleets"].values()
        for cluster in fleet["clusters"]
    ]
    for different in hosts:
        yield from (f"host {arn}" for arn in different.result())


def main():
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "regcred.yaml")
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        differences = list(look(path, pool))
    print("\n".join(differences) or "nothing to do")
    return 3 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
