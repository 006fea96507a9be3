#!/usr/bin/env bash
# Holds the files of deploy/ against the rules of whom they are for: CloudFormation, IAM, systemd, Docker,
# Prometheus and Terraform. What is held
# against regcred itself is in tests/blackbox/deploy. Needs what tests/tools/install.sh installs; .ci/run calls it.
#
# Every check runs, whatever became of those before it. Each of them is first shown something wrong, which it has to find.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

tools=${REGCRED_TEST_TOOLS:-$PWD/.venv/bin}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=()

# check NAME COMMAND...
check() {
  local name=$1
  shift
  printf 'deploy: %s\n' "$name"
  "$@" || failed+=("$name")
}

# finds NAME COMMAND...: the command fails, as it has to on what is wrong.
finds() {
  local name=$1
  shift
  if "$@" >/dev/null 2>&1; then
    printf '%s does not find what is wrong\n' "$name" >&2
    return 1
  fi
}

templates() {
  local all
  mapfile -t all < <(git ls-files --cached --others --exclude-standard 'deploy/cloudformation/*.yaml' 'deploy/lambda/*.yaml' 'deploy/ecs/*.yaml')
  ((${#all[@]} >= 3)) || return 1
  printf 'Resources: {Bucket: {Type: "AWS::S3::Bucket", Properties: {Versioned: true}}}\n' >"$scratch/wrong.yaml"
  finds cfn-lint "$tools/cfn-lint" "$scratch/wrong.yaml" && "$tools/cfn-lint" "${all[@]}"
}

policies() {
  "$tools/python3" tests/tools/check_policies.py deploy/iam/*.json
}

dockerfile() {
  printf 'FROM debian\nRUN cd /tmp\n' >"$scratch/Dockerfile"
  finds hadolint "$tools/hadolint" "$scratch/Dockerfile" && "$tools/hadolint" deploy/container/Dockerfile
}

# verify_unit FILE: systemd says nothing about it. It warns of a misspelt key and ends with 0, so that what it says counts.
verify_unit() {
  local said
  said=$(systemd-analyze verify --man=no "$1" 2>&1) || true
  # Its words about units that this machine may not have.
  said=$(grep -v -e '^$' -e 'Unit sysinit.target not found' <<<"$said" || true)
  [[ -z $said ]] || {
    printf '%s\n' "$said" >&2
    return 1
  }
}

# The programs that a unit starts need not be here: they are checked for being there, and for nothing else.
with_programs_that_are_here() {
  sed -e 's:/usr/local/bin/regcred:/bin/true:; s:/usr/local/sbin/regcred-fetch-auth:/bin/true:; s:/bin/kill:/bin/true:'
}

units() {
  mkdir -p "$scratch/units/ecs.service.d"
  with_programs_that_are_here <deploy/systemd/regcred.service >"$scratch/units/regcred.service"
  sed 's/^ProtectHome=/ProtectHomes=/' "$scratch/units/regcred.service" >"$scratch/units/misspelt.service"
  # As github.com/aws/amazon-ecs-agent has it (packaging/amazon-linux-ami-integrated/ecs.service), with the drop-in.
  cat >"$scratch/units/ecs.service" <<'UNIT'
[Unit]
Description=Amazon Elastic Container Service - container agent
[Service]
Type=simple
Restart=on-failure
RestartPreventExitStatus=5
RestartSec=10s
EnvironmentFile=-/etc/ecs/ecs.config
ExecStartPre=/bin/true pre-start
ExecStart=/bin/true start
[Install]
WantedBy=multi-user.target
UNIT
  with_programs_that_are_here <deploy/instance/50-regcred.conf >"$scratch/units/ecs.service.d/50-regcred.conf"
  finds 'systemd-analyze verify' verify_unit "$scratch/units/misspelt.service" &&
    verify_unit "$scratch/units/regcred.service" &&
    verify_unit "$scratch/units/ecs.service" || return
  # The drop-in was read at all, or its check would pass for ever.
  sed -i 's/^ExecStartPre=/ExecStartsPre=/' "$scratch/units/ecs.service.d/50-regcred.conf"
  finds 'systemd-analyze verify, of a drop-in,' verify_unit "$scratch/units/ecs.service"
}

# Exposure from 0, nothing, to 10, everything; under 2.0.
exposure() {
  grep -v -e '^Protect' -e '^Private' deploy/systemd/regcred.service >"$scratch/exposed.service"
  finds 'systemd-analyze security' systemd-analyze security --no-pager --offline=true --threshold=20 "$scratch/exposed.service" || return
  systemd-analyze security --no-pager --offline=true --threshold=20 deploy/systemd/regcred.service >"$scratch/exposure" || {
    cat "$scratch/exposure" >&2
    return 1
  }
  tail -n 1 "$scratch/exposure"
}

# As `terraform fmt` calls it; and by that itself, where there is one. Nobody here can check more of them: that takes the provider, from
# Terraform's own registry.
hcl() {
  local all
  mapfile -t all < <(git ls-files --cached --others --exclude-standard 'deploy/terraform/*.tf')
  ((${#all[@]} >= 8)) || return 1
  printf 'a = 1\nlonger = 2\n' >"$scratch/wrong.tf"
  finds hclwrite node tests/tools/hcl/format.mjs "$tools/../hcl" "$scratch/wrong.tf" &&
    node tests/tools/hcl/format.mjs "$tools/../hcl" "${all[@]}" || return
  command -v terraform >/dev/null || return 0
  : >"$scratch/terraformrc"
  TF_CLI_CONFIG_FILE=$scratch/terraformrc terraform fmt -check -recursive deploy/terraform
}

# promtool's own tests of the alarms, with series that are made up.
alarms() {
  local promtool
  promtool=$(command -v promtool || printf '%s/promtool' "$tools")
  sed 's/ > 0.05$/ > 0.05 and/' deploy/prometheus/regcred.rules.yaml >"$scratch/wrong.rules.yaml"
  finds promtool "$promtool" check rules "$scratch/wrong.rules.yaml" &&
    "$promtool" check rules deploy/prometheus/regcred.rules.yaml >/dev/null &&
    "$promtool" test rules deploy/prometheus/regcred.rules.test.yaml
}

check 'cfn-lint: templates' templates
check 'parliament: policies' policies
check 'hclwrite: Terraform' hcl
check 'hadolint: Dockerfile' dockerfile
check 'promtool: alarms' alarms
check 'systemd-analyze verify: units' units
check 'systemd-analyze security: exposure' exposure

if ((${#failed[@]} > 0)); then
  printf 'FAILED: %s\n' "${failed[@]}" >&2
  exit 1
fi
