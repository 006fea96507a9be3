#!/usr/bin/env python3
"""Holds the policies of deploy/iam against the list of AWS's actions, resources and condition keys that parliament carries.

    check_policies.py FILE...     fails on every finding that is not one of KNOWN, and where parliament finds nothing wrong any more
"""

import re
import sys

import parliament

# What stands for a variable of deploy/iam.
VALUES = {
    "account": "111122223333",
    "bucket": "acme-regcred",
    "clusters": "prod-*",
    "dns_suffix": "amazonaws.com",
    "document": "regcred-refresh",
    "ecs_config_prefix": "ecs/",
    "key_alias": "alias/regcred",
    "partition": "aws",
    "region": "eu-west-1",
    "secret_prefix": "ecs/registry/",
    "source_parameter_prefix": "/regcred/sources/",
    "source_secret_prefix": "regcred/sources/",
    "state_prefix": "regcred/",
}

# What parliament is wrong about, or is told on purpose: its name of the finding, its words, and why it is none.
KNOWN = [
    (
        "UNKNOWN_CONDITION_FOR_ACTION",
        r"^Unknown condition kms:ResourceAliases for action kms:(Decrypt|GenerateDataKey)$",
        "https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html has it for these actions",
    ),
    (
        "RESOURCE_STAR",
        r"^\['kms:CancelKeyDeletion'",
        "in the policy of a key, * is that key",
    ),
]

# Each has to be found, or the check would pass for having looked at nothing.
WRONG = [
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObjekt", "Resource": "*"}]}',
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:SendCommand", "Resource": "arn:aws:s3:::acme"}]}',
]


def findings(text):
    policy = parliament.analyze_policy_string(text)
    return [(finding.issue, str(finding.detail)) for finding in policy.findings]


def is_known(finding):
    issue, detail = finding
    return any(issue == name and re.search(words, detail) for name, words, _ in KNOWN)


def main(paths):
    wrong = 0
    for text in WRONG:
        if all(is_known(finding) for finding in findings(text)):
            print(f"parliament finds nothing wrong with {text}", file=sys.stderr)
            wrong += 1
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"\$\{(\w+)\}", lambda match: VALUES[match[1]], text)
        for finding in findings(text):
            if not is_known(finding):
                print(f"{path}: {finding[0]}: {finding[1]}", file=sys.stderr)
                wrong += 1
    print(f"{len(paths)} policies looked at, {wrong} wrong")
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
