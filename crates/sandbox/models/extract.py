#!/usr/bin/env python3
"""Cuts the service models that the sandbox holds calls against out of those that botocore ships.

    python3 extract.py                  needs: pip install botocore

Writes one file for each service beside this one: the operations named below and the shapes they reach, with the
constraints (required, min, max, pattern, enum, sensitive) and without the documentation. The models are Amazon's,
published under the Apache License 2.0 (https://github.com/boto/botocore).
"""
import json
import pathlib

import botocore
import botocore.loaders

OPERATIONS = {
    "secretsmanager": """BatchGetSecretValue CreateSecret DeleteSecret DescribeSecret GetSecretValue ListSecretVersionIds
        ListSecrets PutSecretValue ReplicateSecretToRegions RestoreSecret RotateSecret TagResource UntagResource UpdateSecretVersionStage""",
    "ssm": """CancelCommand CreateDocument DescribeDocument DescribeInstanceInformation GetCommandInvocation GetDocument GetParameter
        ListCommandInvocations ListCommands PutParameter SendCommand UpdateDocument UpdateDocumentDefaultVersion""",
    "kms": "DescribeKey",
    "ecs": """CreateService DeleteAttributes DescribeCapacityProviders DescribeClusters DescribeContainerInstances
        DescribeServices DescribeTaskDefinition ListAttributes ListClusters ListContainerInstances ListServices PutAttributes
        RegisterTaskDefinition""",
}
KEPT = ("type", "required", "min", "max", "pattern", "enum", "sensitive")


def cut(model, shape, kept):
    if shape in kept:
        return
    full = model["shapes"][shape]
    kept[shape] = small = {key: full[key] for key in KEPT if key in full}
    if "members" in full:
        small["members"] = {m.get("locationName", name): m["shape"] for name, m in full["members"].items()}
    for part in ("member", "key", "value"):
        if part in full:
            small[part] = full[part]["shape"]
    for child in [*small.get("members", {}).values(), *(small[p] for p in ("member", "key", "value") if p in small)]:
        cut(model, child, kept)


def main():
    for service, names in OPERATIONS.items():
        model = botocore.loaders.Loader().load_service_model(service, "service-2")
        operations, shapes = {}, {}
        for name in sorted(names.split()):
            full = model["operations"][name]
            operations[name] = {side: full[side]["shape"] for side in ("input", "output") if side in full}
            operations[name]["errors"] = [
                model["shapes"][e["shape"]].get("error", {}).get("code", e["shape"]) for e in full.get("errors", [])
            ]
            for side in ("input", "output"):
                if side in full:
                    cut(model, full[side]["shape"], shapes)
        metadata = {key: model["metadata"][key] for key in ("apiVersion", "targetPrefix")}
        metadata["source"] = f"botocore {botocore.__version__}"
        text = json.dumps({"metadata": metadata, "operations": operations, "shapes": shapes}, indent=1, sort_keys=True)
        pathlib.Path(__file__).with_name(f"{service}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
