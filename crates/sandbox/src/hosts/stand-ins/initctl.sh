#!/bin/sh
# initctl: the job `ecs` of Amazon Linux 1 (packaging/amazon-linux-ami/ecs.conf of the agent's repository). `stop` waits until
# the job has stopped, and fails where it did not run.
printf '%s\n' "$@" | "$SANDBOX_CURL" -q -sS --fail-with-body --data-binary @- "$SANDBOX_HOST/initctl"
