#!/bin/sh
# docker: `docker inspect` of the agent's container, which ecs-init names ecs-agent and creates anew at each start with
# the variables of its env files (ecs-init/docker/docker.go, StartAgent and getEnvVars).
printf '%s\n' "$@" | "$SANDBOX_CURL" -q -sS --fail-with-body --data-binary @- "$SANDBOX_HOST/docker"
