#!/bin/sh
# sleep: lets the host's own clock run ahead by that many seconds, and takes no time itself.
printf '%s\n' "$@" | "$SANDBOX_CURL" -q -sS --fail-with-body --data-binary @- "$SANDBOX_HOST/sleep"
