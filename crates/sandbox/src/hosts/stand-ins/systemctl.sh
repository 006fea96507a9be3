#!/bin/sh
# systemctl: the agent's unit. `restart` stops the old agent before it returns, and whether the unit is started again
# after a failure is its Restart= and RestartPreventExitStatus= (packaging/*/ecs.service of the agent's repository).
printf '%s\n' "$@" | "$SANDBOX_CURL" -q -sS --fail-with-body --data-binary @- "$SANDBOX_HOST/systemctl"
