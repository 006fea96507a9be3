#!/bin/sh
# regcred's host script: brings this container instance's ECS agent to the registry credentials that its ecs.config in S3
# holds now, proves that the live agent has them, and puts the old file back when it has not. Runs as root.
#
# It is told that it should look, never what to load: it reads the object's current version under the instance's own
# role. It prints one line of JSON (see `finish`) and nothing else on stdout. docs/HOST_SCRIPT.md is its manual.
#
# Secrets live in files (those below /run are in memory) and in pipes between them, never in a shell variable, an
# argument or an environment: so they are in no process list, and even `sh -x` shows none.
#
# Comments name files of github.com/aws/amazon-ecs-agent as the source of what they say about the agent.
set -eu
umask 077
export LC_ALL=C # bytes are bytes, for every tool here

# Set by the SSM document in front of this line:
#   REGCRED_BUCKET REGCRED_KEY REGCRED_REGION   the object
#   REGCRED_ENDPOINT                            S3's address, where it is not AWS's usual one (a VPC endpoint); else empty
#   REGCRED_MODE                                apply; retry-failed: try a version again that did not load here; or probe:
#                                               say how file, live agent and object stand to each other, and change nothing
: "${REGCRED_BUCKET:=}" "${REGCRED_KEY:=}" "${REGCRED_REGION:=}" "${REGCRED_ENDPOINT:=}" "${REGCRED_MODE:=apply}"

root=${REGCRED_ROOT:-} # empty on a real host
config=$root/etc/ecs/ecs.config
base_config=$root/var/lib/ecs/ecs.config # read before $config, which overrides it key by key
json_config=$root/etc/ecs/ecs.config.json
restart_program=$root/etc/regcred/restart-agent # the operator's own way to restart the agent: see find_manager
env_file_name=$root/etc/regcred/env-file        # names the file that it hands to `docker run --env-file`
agent_log=$root/var/log/ecs/ecs-agent.log
run=$root/run/regcred
work=$run/work
state=$root/var/lib/regcred
failed=$state/failed     # the VersionId that did not load here
trial=$state/trial       # a restart that is not proven yet: see open_trial
previous=$state/previous # ecs.config as it was before that restart

introspection=http://localhost:51678/v1
imds=http://169.254.169.254/latest

lock_wait=30       # seconds for another run to end; one that takes longer waits for a slow agent, as we would
answer_wait=60     # seconds for an agent that somebody else has just restarted
verify_wait=120    # seconds from our restart to the registration: ecs-init backs off for up to 19 s, and AWS's own
                   # scripts/ecs-anywhere-install.sh waits for 100 s
size_limit=1000000 # bytes of the object: far above any ecs.config, and nothing to a host
line_limit=131071  # bytes of NAME=value, Linux' MAX_ARG_STRLEN: with one more the agent's container cannot start

new_config= # beside $config: a rename is atomic within one file system only
locked=false
probing=false
asking=false # in a part of the probe that may fail: see probe
reported=false
restarted_at= # when the agent was first restarted, in seconds
version=
arn=
notes=
facts= # of a probe, as members of the report's JSON
doing=bad-parameter # the reason to report should a command fail unforeseen

## The report

# plain TEXT LIMIT: what of it may stand in a JSON string as it is.
plain() {
    printf '%s' "$1" | tr '\n\t' '  ' | tr -cd ' -~' | tr '"\134' "'/" | cut -c "1-$2"
}

note() {
    notes=${notes:+$notes; }$1
}

# finish OUTCOME REASON [DETAIL]: prints the report and ends the script. REASON is empty where the outcome says it all.
#
# The status tells SSM whether this host counts as an error (MaxErrors, the controller's second fence): 0 is no news of
# trouble, 10 refused, 11 unproven, 12 restored, 13 failed.
finish() {
    [ -z "${3:-}" ] || note "$3"
    if "$asking"; then
        printf '%s\n' "$2" "$notes" >"$work/problem"
        exit 1
    fi
    printf '{"regcred":1,"outcome":"%s"' "$1"
    [ -z "$2" ] || printf ',"reason":"%s"' "$2"
    [ -z "$version" ] || printf ',"version_id":"%s"' "$(plain "$version" 200)"
    [ -z "$arn" ] || printf ',"container_instance_arn":"%s"' "$(plain "$arn" 300)"
    if [ -n "$restarted_at" ]; then
        printf ',"restarted":true,"seconds":%d' "$(($(date +%s) - restarted_at))"
    else
        printf ',"restarted":false'
    fi
    [ -z "$facts" ] || printf ',%s' "$facts"
    [ -z "$notes" ] || printf ',"detail":"%s"' "$(plain "$notes" 1000)"
    printf '}\n'
    reported=true
    case $1 in
        loaded | unchanged | busy | tried | probed) exit 0 ;;
        refused) exit 10 ;;
        unproven) exit 11 ;;
        restored) exit 12 ;;
        *) exit 13 ;;
    esac
}

# Runs at every end but SIGKILL's, whose leavings the next run removes.
# shellcheck disable=SC2329 # the trap at the end calls it
clean_up() {
    status=$?
    trap - EXIT
    if "$locked"; then rm -rf "$work" "$new_config"; fi
    if "$probing"; then rm -rf "$work"; fi
    "$reported" || finish failed "$doing" "stopped unforeseen, with status $status"
    exit "$status"
}

## Files as the agent reads them

# ecs-init/docker/docker.go getEnvVars: a line ends at LF, is trimmed by Go's strings.TrimSpace and split at its first
# '='; the value is taken as it stands (no quotes, escapes or comments), and the last of a name wins.
# The longer alternatives are Unicode's other spaces, in UTF-8.
getenvvars='
BEGIN {
    space = "([ \t\v\f\r]|\302\205|\302\240|\341\232\200|\342\200[\200-\212\250\251\257]|\342\201\237|\343\200\200)+"
    auth[1] = "ECS_ENGINE_AUTH_TYPE"
    auth[2] = "ECS_ENGINE_AUTH_DATA"
}
function trim(text) {
    sub("^" space, "", text)
    sub(space "$", "", text)
    return text
}
function name_of(line) {
    return index(line, "=") ? substr(line, 1, index(line, "=") - 1) : ""
}
function is_auth(name) {
    return name == auth[1] || name == auth[2]
}
'

# auth_lines FILE (- is standard input): its effective ECS_ENGINE_AUTH_TYPE and ECS_ENGINE_AUTH_DATA, a line NAME=value each.
auth_lines() {
    awk "$getenvvars"'
        { line = trim($0); name = name_of(line) }
        is_auth(name) { last[name] = line }
        END { for (i = 1; i <= 2; i++) if (auth[i] in last) print last[auth[i]] }
    ' "$1"
}

# with_auth_lines LINES FILE: FILE with the lines of the file LINES in the place of its own auth lines. Every other line
# stays as it is, byte for byte; a missing final newline is added.
with_auth_lines() {
    awk "$getenvvars"'
        { name = name_of(trim($0)) }
        FILENAME == ARGV[1] { put[name] = $0; next }
        !is_auth(name) { print; next }
        name in put { print put[name]; delete put[name] }
        END { for (i = 1; i <= 2; i++) if (auth[i] in put) print put[auth[i]] }
    ' "$1" "$2"
}

# What ecs-init reads, in its order.
both_files() {
    for file in "$base_config" "$config"; do
        [ ! -f "$file" ] || cat "$file"
        echo # a last line without an end must not run into the next file's first
    done
}

# setting NAME: the value that ecs-init takes from its two files, trimmed as the agent does. For what is no secret.
setting() {
    both_files | awk -v wanted="$1" "$getenvvars"'
        { line = trim($0) }
        name_of(line) == wanted { value = trim(substr(line, length(wanted) + 2)) }
        END { print value }
    '
}

# same FILE FILE: whether two small text files hold the same lines. (Not every host has `cmp`.)
same() {
    awk '
        FILENAME == ARGV[1] { first[FNR] = "=" $0; unmatched++; next }
        { unmatched-- }
        first[FNR] != "=" $0 { differs = 1 }
        END { exit differs || unmatched != 0 }
    ' "$1" "$2"
}

has_nul() {
    [ "$(tr -d '\000' <"$1" | wc -c)" -ne "$(wc -c <"$1")" ]
}

# json_string NAME FILE: the first string of that name. Enough for the flat answers of the agent and of IMDS.
json_string() {
    sed -n "/\"$1\"[[:space:]]*:[[:space:]]*\"/{s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p;q;}" "$2"
}

## Parameters and platform

# The document's allowedPattern says the same; this holds for a person who runs the script by hand.
check_parameters() {
    check_object
    case $REGCRED_MODE in
        apply | retry-failed | probe) ;;
        *) finish failed bad-parameter 'Mode is none of apply, retry-failed and probe' ;;
    esac
}

check_object() {
    case $REGCRED_BUCKET in
        '' | *[!a-z0-9.-]*) finish failed bad-parameter 'Bucket is no bucket name' ;;
    esac
    case $REGCRED_KEY in
        '' | *[!A-Za-z0-9!_.*\(\)/=+@:,~-]*) finish failed bad-parameter 'Key is empty or has a character that is not allowed' ;;
    esac
    case $REGCRED_REGION in
        '' | *[!a-z0-9-]*) finish failed bad-parameter 'Region is no AWS Region' ;;
    esac
    case $REGCRED_ENDPOINT in
        *[!A-Za-z0-9.:/-]*) finish failed bad-parameter 'Endpoint is no http(s) URL' ;;
        '' | http://* | https://*) ;;
        *) finish failed bad-parameter 'Endpoint is no http(s) URL' ;;
    esac
}

# Sets `manager`, and `unit`, the name of the unit, job or container. regcred's crates/core/src/platform.rs has the table.
#   systemd   ecs-init, as the unit `ecs` of the Amazon Linux, rpm and deb packages, or SUSE's `amazon-ecs` (packaging/)
#   upstart   ecs-init, as the job `ecs` of Amazon Linux 1 (packaging/amazon-linux-ami/ecs.conf)
#   operator  $restart_program: whoever has put it there says by it that the agent is restarted so, whatever else is there
find_manager() {
    doing=unsupported-platform
    if grep -qs '^ID=.*bottlerocket' "$root/etc/os-release"; then
        finish refused unsupported-platform 'Bottlerocket has no ecs.config; its setting is container-registry.credentials'
    fi
    for tool in docker flock awk curl; do
        command -v "$tool" >/dev/null || finish refused unsupported-platform "this host has no $tool"
    done
    if [ -e "$restart_program" ] || [ -L "$restart_program" ]; then
        manager=operator
        unit=ecs-agent
        find_env_file
    elif find_unit; then
        manager=systemd
    elif command -v initctl >/dev/null && [ -n "$(job_state)" ]; then
        manager=upstart
        unit=ecs
    else
        finish refused unsupported-platform "no unit ecs or amazon-ecs, no job ecs, and no $restart_program here"
    fi
    new_config=${config%/*}/.ecs.config.regcred
}

find_unit() {
    command -v systemctl >/dev/null || return 1
    for unit in ecs amazon-ecs; do
        [ "$(unit_property LoadState)" != loaded ] || return 0
    done
    return 1
}

# What the operator has put there runs as root, or says where root writes: nobody else may have a hand in it.
find_env_file() {
    if ! is_roots_alone "$restart_program" || [ ! -x "$restart_program" ]; then
        finish refused unsafe-restart-agent "$restart_program has to be an executable file of root's; it and its folder no link, and written by root alone"
    fi
    base_config=/dev/null # docker run reads the one file,
    line_limit=65535      # and no longer line of it (github.com/docker/cli, pkg/kvfile/kvfile.go)
    [ -e "$env_file_name" ] || [ -L "$env_file_name" ] || return 0
    env_file=
    if is_roots_alone "$env_file_name"; then read -r env_file <"$env_file_name" || true; fi
    case $env_file in
        *[!A-Za-z0-9._/-]* | *..*) env_file= ;;
    esac
    case $env_file in
        /*) config=$root$env_file ;;
        *) finish refused unsafe-restart-agent "$env_file_name has to be a file of root's, written by root alone, that names a file by its whole path" ;;
    esac
}

# Root is who this runs as.
is_roots_alone() {
    [ -f "$1" ] || return 1
    for each in "$1" "${1%/*}"; do
        [ ! -L "$each" ] || return 1
        [ "$(stat -c %u "$each")" = "$(stat -c %u "/proc/$$")" ] || return 1
        case $(stat -c %a "$each") in *[2367]? | *[2367]) return 1 ;; esac
    done
}

# `start/running`, `stop/waiting` and the like; nothing where there is no such job.
job_state() {
    initctl status ecs 2>/dev/null | sed -n 's/^ecs \([a-z]*\/[a-z-]*\).*/\1/p'
}

# unit_property NAME. Without --value, which systemd 219 (Amazon Linux 2) does not know.
unit_property() {
    systemctl show -p "$1" "$unit.service" 2>/dev/null | sed 's/^[^=]*=//'
}

# The agent left, and nobody will start it again: after exit 5, a refusal by the agent itself or by ECS
# (agent/app/agent.go), and after exit 0, which is what `docker stop` leads to. A unit between two attempts is
# `activating`, and one that waits for its turn has a job. Upstart's job has no `respawn`.
unit_is_dead() {
    case $manager in
        systemd)
            case $(unit_property ActiveState) in
                failed | inactive) case $(unit_property Job) in '' | 0) return 0 ;; esac ;;
            esac
            ;;
        upstart) [ "$(job_state)" != stop/waiting ] || return 0 ;;
        operator) case $(container_is State.Status) in '' | exited | dead) return 0 ;; esac ;;
    esac
    return 1
}

# Started over and over: a container that cannot be created, or exit 5 under the deb package's unit, which retries it.
unit_loops() {
    case $manager in
        systemd)
            [ "$(unit_property SubState)" != auto-restart ] || return 0
            case $(unit_property NRestarts) in '' | 0) return 1 ;; esac
            ;;
        upstart) return 1 ;;
        operator) case $(container_is RestartCount) in '' | 0) return 1 ;; esac ;;
    esac
}

describe_unit() {
    case $manager in
        systemd)
            printf '%s' "unit $unit is $(unit_property ActiveState)/$(unit_property SubState)," \
                " result $(unit_property Result), exit status $(unit_property ExecMainStatus)"
            ;;
        upstart) printf '%s' "job $unit is $(job_state)" ;;
        operator) printf '%s' "container $unit is $(container_is State.Status), exit status $(container_is State.ExitCode)" ;;
    esac
}

cloud_init_runs() {
    if command -v cloud-init >/dev/null; then
        case $(cloud-init status 2>/dev/null) in
            *running* | *'not run'* | *'not started'*) return 0 ;;
            *) return 1 ;;
        esac
    fi
    [ "$(systemctl show -p ActiveState cloud-final.service 2>/dev/null)" = ActiveState=activating ]
}

## The live agent

# -q: no ~/.curlrc has a say. A proxy is for S3 at most.
ask_host() {
    curl -q --silent --fail --noproxy '*' --connect-timeout 2 --max-time 5 "$@"
}

# The agent opens this port after it has registered (agent/app/agent.go), so whoever answers is registered.
agent_answers() {
    ask_host --output "$work/metadata" "$introspection/metadata" || return 1
    live_arn=$(json_string ContainerInstanceArn "$work/metadata")
    live_cluster=$(json_string Cluster "$work/metadata")
    [ -n "$live_arn" ]
}

# inspect TEMPLATE. The double braces of docker's templates are spelt apart in this file, because SSM would take them
# for parameters of its own.
inspect() {
    docker inspect --type container --format "$1" ecs-agent 2>/dev/null
}

# container_is MEMBER: what docker says of the agent's container; nothing where there is none.
container_is() {
    inspect '{''{.'"$1"'}''}' || true
}

# What the agent holds: it reads its environment once, at its start. A file cannot tell.
read_live() {
    inspect '{''{range .Config.Env}''}{''{println .}''}{''{end}''}' >"$work/environment" || return 1
    auth_lines "$work/environment" >"$work/live"
}

# await_agent SECONDS: 0 it is registered, 1 not yet, 2 its unit is dead.
#
# A restart returns when the old agent is gone, so that no stale one can answer; after --no-block the new one is told by
# its container.
await_agent() {
    left=$1
    pause=1
    while :; do
        if agent_answers && [ "$(container_is Id)" != "$old_container" ]; then return 0; fi
        if unit_is_dead; then return 2; fi
        if [ "$left" -le 0 ]; then return 1; fi
        # Every second at first, when an agent is normally back.
        if [ "$left" -le $(($1 - 20)) ]; then pause=5; fi
        left=$((left - pause))
        sleep "$pause"
    done
}

# Never docker stop, restart or kill: at SIGTERM the agent exits with 0, after which systemd leaves it dead, and a
# container keeps the environment that it was created with.
restart_agent() {
    restarted_at=${restarted_at:-$(date +%s)}
    old_container=
    # The verdict is the agent's and the unit's, not a status here. The lock's descriptor is closed: no child may hold
    # the lock longer than this script lives.
    case $manager in
        systemd)
            # The unit is ordered after cloud-final.service: while cloud-init runs, to wait for the restart is to wait for
            # cloud-init, which may be waiting for us (issues #1707 and #4818).
            if cloud_init_runs; then
                old_container=$(container_is Id)
                set -- restart --no-block
                note 'cloud-init is running, so the restart was queued'
            else
                set -- restart
            fi
            systemctl "$@" "$unit.service" >&2 9>&- || true
            ;;
        upstart)
            # A job that does not run cannot be stopped.
            initctl stop "$unit" >&2 9>&- || true
            initctl start "$unit" >&2 9>&- || true
            ;;
        operator)
            # What it prints is not ours to show: it may be a command line with a password in it.
            code=0
            (umask 022 && exec "$restart_program") </dev/null >/dev/null 2>&1 9>&- || code=$?
            [ "$code" -eq 0 ] || note "$restart_program ended with $code"
            ;;
    esac
}

## The lock

# The SSM agent runs up to five commands at once.
take_lock() {
    doing=write-failed
    mkdir -p "$run" "$state"
    chmod 700 "$run" "$state"
    exec 9>"$run/lock"
    left=$lock_wait
    until flock -n 9; do
        [ "$left" -gt 0 ] || finish busy '' "another run has held the lock for $lock_wait seconds and more"
        left=$((left - 1))
        sleep 1
    done
    locked=true
    # What a killed run may have left.
    rm -rf "$work" "$new_config"
    mkdir "$work"
    [ -f "$trial" ] || rm -f "$previous"
}

## The object

fetch_object() {
    doing=fetch-failed
    fetch_with_aws || fetch_with_curl
    # A bucket without versions says `null` or nothing; then a version cannot be told from the next one.
    case $version in null | None) version= ;; esac
}

is_external() {
    case $(setting ECS_EXTERNAL) in
        1 | t | T | true | True | TRUE) return 0 ;;
        *) return 1 ;;
    esac
}

# fetch_refused REASON [CODE]: ends the script.
fetch_refused() {
    object="s3://$REGCRED_BUCKET/$REGCRED_KEY${2:+ ($2)}"
    case $1 in
        fetch-denied) finish failed "$1" "this host's role may not read $object: it needs s3:GetObject, and kms:Decrypt where the object is encrypted under a key of KMS" ;;
        fetch-not-found) finish failed "$1" "there is no $object" ;;
        *) finish failed "$1" "could not read $object" ;;
    esac
}

# 1: there is no aws, or it failed in a way that curl may not.
fetch_with_aws() {
    command -v aws >/dev/null || return 1
    set -- --bucket "$REGCRED_BUCKET" --key "$REGCRED_KEY" --region "$REGCRED_REGION"
    [ -z "$REGCRED_ENDPOINT" ] || set -- "$@" --endpoint-url "$REGCRED_ENDPOINT"
    # Under the host's role, whatever an operator has configured for root or for the SSM agent.
    credentials_file=/dev/null
    ! is_external || credentials_file=$root/root/.aws/credentials
    if version=$(
        unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
        AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=$credentials_file AWS_PAGER='' \
            aws s3api get-object "$@" --cli-connect-timeout 10 --cli-read-timeout 20 \
            --query VersionId --output text "$work/object" 2>"$work/aws-says"
    ); then
        return 0
    fi
    version=
    code=$(sed -n 's/.*(\([A-Za-z0-9]*\)) when calling.*/\1/p' "$work/aws-says")
    case $code in
        AccessDenied | 403) fetch_refused fetch-denied "$code" ;;
        NoSuchKey | NoSuchBucket | 404) fetch_refused fetch-not-found "$code" ;;
    esac
    note "aws failed${code:+ ($code)}, so curl was tried"
    return 1
}

# curl has signed a request's x-amz-* headers since 7.86 only (its commit 29c4aa00a1); before, the signature leaves out
# the session token that every credential of a role comes with, and S3 answers 403.
curl_can_sign() {
    curl --version | awk 'NR == 1 { split($2, v, "."); exit !(v[1] > 7 || v[1] == 7 && v[2] >= 86) }'
}

fetch_with_curl() {
    if ! curl_can_sign; then
        finish failed no-fetch-tool 'no aws that works, and a curl before 7.86: install one of them'
    fi
    read_credentials
    # Over stdin, for arguments are in the process list. The hash is that of an empty body; S3 demands it.
    code=0
    answer=$(
        awk '
            NR == 1 { id = $0 }
            NR == 2 { printf "user = \"%s:%s\"\n", id, $0 }
            NR == 3 { printf "header = \"x-amz-security-token: %s\"\n", $0 }
        ' "$work/credentials" | curl -q --config - --silent --show-error --path-as-is \
            --aws-sigv4 "aws:amz:$REGCRED_REGION:s3" \
            --header 'x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' \
            --connect-timeout 10 --max-time 60 --max-filesize "$size_limit" \
            --dump-header "$work/headers" --output "$work/object" --write-out '%{http_code}' "$(object_url)"
    ) || code=$?
    rm -f "$work/credentials"
    case $code in
        0) ;;
        63) object_too_large ;;
        *) fetch_refused fetch-failed "curl ended with $code" ;;
    esac
    case $answer in
        200) ;;
        403) fetch_refused fetch-denied "$answer $(s3_error)" ;;
        404) fetch_refused fetch-not-found "$answer $(s3_error)" ;;
        *) fetch_refused fetch-failed "$answer $(s3_error)" ;;
    esac
    version=$(awk 'tolower($1) == "x-amz-version-id:" { sub(/\r$/, "", $2); id = $2 } END { print id }' "$work/headers")
}

s3_error() {
    [ ! -f "$work/object" ] || sed -n 's/.*<Code>\([A-Za-z]*\)<\/Code>.*/\1/p' "$work/object"
}

# Path style where the host is not S3's own, and where dots in the bucket's name would not fit AWS's certificate. Of the
# characters that a key may have here, those that a signed path has to encode are encoded.
object_url() {
    path=$(printf '%s' "$REGCRED_KEY" | sed 's/!/%21/g; s/(/%28/g; s/)/%29/g; s/\*/%2A/g; s/+/%2B/g; s/,/%2C/g
        s/:/%3A/g; s/=/%3D/g; s/@/%40/g')
    case $REGCRED_REGION in
        cn-*) suffix=amazonaws.com.cn ;;
        us-iso-*) suffix=c2s.ic.gov ;;
        us-isob-*) suffix=sc2s.sgov.gov ;;
        us-isof-*) suffix=csp.hci.ic.gov ;;
        eu-isoe-*) suffix=cloud.adc-e.uk ;;
        eusc-*) suffix=amazonaws.eu ;;
        *) suffix=amazonaws.com ;;
    esac
    case $REGCRED_ENDPOINT,$REGCRED_BUCKET in
        ,*.*) printf '%s' "https://s3.$REGCRED_REGION.$suffix/$REGCRED_BUCKET/$path" ;;
        ,*) printf '%s' "https://$REGCRED_BUCKET.s3.$REGCRED_REGION.$suffix/$path" ;;
        *) printf '%s' "${REGCRED_ENDPOINT%/}/$REGCRED_BUCKET/$path" ;;
    esac
}

# Leaves key id, secret key and token in $work/credentials, a line each.
read_credentials() {
    doing=no-credentials
    if is_external; then
        # There is no IMDS; the SSM agent keeps the role's credentials in root's file and renews them.
        source='/root/.aws/credentials'
        shared_credentials "$root/root/.aws/credentials" >"$work/credentials"
    else
        source='the instance profile'
        imds_credentials >"$work/credentials"
    fi
    # They go on into a configuration of curl: nothing but their own alphabet may come through.
    if [ "$(grep -cE '^[A-Za-z0-9/+=_.-]+$' "$work/credentials")" -ne 3 ]; then
        finish failed no-credentials "$source gave no credentials for this host's role"
    fi
    doing=fetch-failed
}

shared_credentials() {
    [ ! -f "$1" ] || awk '
        /^[ \t]*\[/ { here = /^[ \t]*\[default\]/ }
        here && /=/ {
            name = $0
            sub(/=.*/, "", name)
            value = substr($0, length(name) + 2)
            gsub(/[ \t]/, "", name)
            gsub(/[ \t\r]/, "", value)
            found[name] = value
        }
        END {
            print found["aws_access_key_id"]
            print found["aws_secret_access_key"]
            print found["aws_session_token"]
        }
    ' "$1"
}

# Version 2 of IMDS, which works whether or not version 1 is switched off.
imds_credentials() {
    profiles=$imds/meta-data/iam/security-credentials/
    ask_host --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
        --output "$work/imds-token" "$imds/api/token" || return 0
    ask_imds --output "$work/profile" "$profiles" || return 0
    read -r profile <"$work/profile" || [ -n "$profile" ] || return 0
    ask_imds --output "$work/credentials.json" "$profiles$profile" || return 0
    json_string AccessKeyId "$work/credentials.json"
    json_string SecretAccessKey "$work/credentials.json"
    json_string Token "$work/credentials.json"
}

ask_imds() {
    sed 's/.*/header = "X-aws-ec2-metadata-token: &"/' "$work/imds-token" | ask_host --config - "$@"
}

# Refuses here what the agent would start with, warn of, and pull anonymously for; or not start with at all. Leaves the
# two lines in $work/wanted.
read_object() {
    doing='object-invalid'
    [ "$(wc -c <"$work/object")" -le "$size_limit" ] || object_too_large
    ! has_nul "$work/object" || object_invalid 'contains a NUL byte'
    auth_lines "$work/object" >"$work/wanted"
    [ "$(wc -l <"$work/wanted")" -eq 2 ] || object_invalid 'does not have both ECS_ENGINE_AUTH_TYPE and ECS_ENGINE_AUTH_DATA'
    awk -v limit="$line_limit" 'length($0) > limit { exit 1 }' "$work/wanted" \
        || object_invalid "has a line of more than $line_limit bytes, with which no agent can start"
    grep -qE '^ECS_ENGINE_AUTH_TYPE=[[:space:]]*(docker|dockercfg)[[:space:]]*$' "$work/wanted" \
        || object_invalid 'has an ECS_ENGINE_AUTH_TYPE that is neither docker nor dockercfg'
    grep -qE '^ECS_ENGINE_AUTH_DATA=[[:space:]]*\{[[:space:]]*".*\}$' "$work/wanted" \
        || object_invalid 'has an ECS_ENGINE_AUTH_DATA that is no JSON object with a registry in it'
}

object_invalid() {
    finish failed object-invalid "the object $1; this host was not touched"
}

object_too_large() {
    object_invalid "is larger than $size_limit bytes"
}

## What must hold before anything is touched

guard_config() {
    [ ! -L "$config" ] || finish refused symlink "$config is a symbolic link; make it a file, or manage its target"
    [ -f "$config" ] || finish refused no-config "there is no file $config"
    ! has_nul "$config" || finish refused config-invalid "$config contains a NUL byte, with which no agent can start"
}

# An agent whose cluster is not the one in its saved state exits with 5, and stays dead (agent/app/agent.go).
guard_cluster() {
    configured=$(setting ECS_CLUSTER)
    if [ -z "$configured" ] && [ -f "$json_config" ]; then
        configured=$(json_string Cluster "$json_config")
    fi
    # What the operator's program adds to its `docker run` is in no file.
    if [ -z "$configured" ] && [ "$manager" = operator ]; then return 0; fi
    configured=${configured:-default}
    [ "$configured" = "$live_cluster" ] \
        || finish refused cluster-mismatch "the agent is in the cluster $live_cluster and would be configured for $configured: a restart would kill it; mend ECS_CLUSTER in $config"
}

# Without a data directory the agent registers anew at each start and forgets its tasks. ecs-init always sets one.
guard_tasks() {
    ! grep -q '^ECS_DATADIR=.' "$work/environment" || return 0
    if ask_host --output "$work/tasks" "$introspection/tasks" \
        && ! tr ',' '\n' <"$work/tasks" | grep '"KnownStatus"' | grep -qv '"STOPPED"'; then
        return 0
    fi
    finish refused no-datadir 'tasks run, and the agent has no ECS_DATADIR: a restart would lose them; stop them first'
}

# Where else the agent or ecs-init would look for the same values.
note_other_sources() {
    if [ -f "$json_config" ] && grep -qE '"EngineAuth(Type|Data)"' "$json_config"; then
        note '/etc/ecs/ecs.config.json has EngineAuth keys too; the environment wins over them'
    fi
    if [ -f "$base_config" ] && [ -n "$(auth_lines "$base_config" | cut -d = -f 1)" ]; then
        note '/var/lib/ecs/ecs.config has ECS_ENGINE_AUTH keys too; at ECS_LOGLEVEL=debug ecs-init logs them in clear'
    fi
}

## Writing and restarting

# put_config FILE: makes its content the host's ecs.config, whole or not at all.
put_config() {
    doing=write-failed
    rm -f "$new_config"
    cp -p "$config" "$new_config" # for the owner
    chmod 600 "$new_config"
    cat "$1" >"$new_config"
    # The label of SELinux, where there is one: systemd and the agent's container must go on being allowed to read it.
    if command -v chcon >/dev/null; then chcon --reference="$config" "$new_config" 2>/dev/null || true; fi
    # Before the rename: after a loss of power the name may otherwise stand for an empty file, and an agent without
    # ECS_CLUSTER. An old `sync` knows no files and flushes everything.
    sync "$new_config" 2>/dev/null || sync
    mv -f "$new_config" "$config"
}

# A trial begins before the file is written and ends when the agent is proven or the old file is back: whoever comes
# after a run that was killed, or that gave up waiting, finds it and ends it. The old file holds the old password, so it
# does not outlive the trial.
open_trial() {
    doing=write-failed
    keep_previous
    log_position=$(stat -c '%i %s' "$agent_log" 2>/dev/null) || log_position='0 0'
    printf '%s\n' "$version" "$arn" "$log_position" >"$trial.new"
    sync "$previous" "$trial.new" 2>/dev/null || sync
    mv -f "$trial.new" "$trial"
}

close_trial() {
    rm -f "$trial" "$previous"
}

# Sets `trial_version`, `trial_arn`, `log_inode` and `log_size`; 1 when there is none.
read_trial() {
    [ -f "$trial" ] || return 1
    { read -r trial_version && read -r trial_arn && read -r log_inode log_size; } <"$trial"
}

# The file to go back to: the present one with the credentials that were last known to be good, which are those before an
# open trial, or else the live agent's. They are in the present file as a rule, and then it is kept as it is.
keep_previous() {
    known_good=$work/live
    if [ -f "$previous" ]; then
        with_auth_lines /dev/null "$previous" >"$work/previous-others"
        with_auth_lines /dev/null "$config" >"$work/others"
        ! same "$work/previous-others" "$work/others" || return 0
        auth_lines "$previous" >"$work/known-good"
        known_good=$work/known-good
    fi
    auth_lines "$config" >"$work/own"
    if same "$work/own" "$known_good"; then
        cat "$config" >"$previous.new"
    else
        with_auth_lines "$known_good" "$config" >"$previous.new"
    fi
    mv -f "$previous.new" "$previous"
}

# Since the trial began; in the file of then too, should it have been rotated away. The texts are those of
# agent/dockerclient/dockerauth/dockerauth.go.
agent_warned() {
    for log in "$agent_log"*; do
        if [ "$(stat -c %i "$log" 2>/dev/null)" = "$log_inode" ]; then
            tail -c "+$((log_size + 1))" "$log"
        elif [ "$log" = "$agent_log" ] && [ -f "$log" ]; then
            cat "$log"
        fi
    done | grep -q -e 'Could not parse .* type auth config' -e 'Malformed auth data' -e 'Unknown auth configuration'
}

has_failed() {
    [ -n "$version" ] && [ -f "$failed" ] && [ "$(cat "$failed")" = "$version" ]
}

# restore REASON DETAIL: puts the old file back, restarts once more, and ends the script. DETAIL is empty where the
# reason says it all.
restore() {
    [ -z "$2" ] || note "$2"
    if [ -n "$version" ]; then
        printf '%s\n' "$version" >"$failed.new"
        mv -f "$failed.new" "$failed"
    fi
    put_config "$previous"
    doing=restore-failed
    restart_agent
    waited=0
    await_agent "$verify_wait" || waited=$?
    if [ "$waited" -eq 0 ] && [ "$live_arn" = "$arn" ]; then
        close_trial
        finish restored "$1"
    fi
    finish failed restore-failed "the old file is back, but the agent is not: $(describe_unit); look at its journal and at $agent_log"
}

## The run

# Waits for an agent to compare with, and ends a trial that left none.
meet_agent() {
    doing=no-introspection
    old_container=
    waited=0
    await_agent "$answer_wait" || waited=$?
    if [ "$waited" -eq 0 ]; then
        arn=$live_arn
        return 0
    fi
    if [ "$waited" -eq 1 ] && unit_loops; then waited=2; fi
    if read_trial; then
        version=$trial_version
        arn=$trial_arn
        [ "$waited" -eq 2 ] || finish unproven no-introspection "an earlier restart is not proven yet: $(describe_unit)"
        : >"$work/live"
        guard_config
        keep_previous
        restore unit-dead "after an earlier restart, $(describe_unit)"
    fi
    [ "$waited" -eq 1 ] || finish refused no-agent "the agent does not run: $(describe_unit)"
    finish refused no-introspection "the agent does not answer at $introspection: $(describe_unit)"
}

# The live agent holds the value. Ends the script.
confirm() {
    if read_trial && agent_warned; then
        guard_config
        keep_previous
        restore auth-warning "since an earlier restart the agent has warned of the value: see $agent_log"
    fi
    auth_lines "$config" >"$work/own" 2>/dev/null || true
    if ! same "$work/own" "$work/wanted"; then
        guard_config
        with_auth_lines "$work/wanted" "$config" >"$work/config"
        put_config "$work/config"
        note 'the live agent held the value already; only the file was mended'
    fi
    close_trial
    rm -f "$failed"
    finish unchanged ''
}

# This version did not load here before. Ends the script, and a way back that was cut off: the agent is up and does not
# hold the value, so that only the file can still have it, for the next start to load.
decline() {
    if read_trial; then
        auth_lines "$config" >"$work/own" 2>/dev/null || true
        if same "$work/own" "$work/wanted"; then
            guard_config
            keep_previous
            put_config "$previous"
        fi
        close_trial
    fi
    finish tried '' 'this version did not load here before; --retry-failed, or another version, tries again'
}

# Writes, restarts and proves. Ends the script.
try() {
    guard_config
    guard_cluster
    guard_tasks
    open_trial
    auth_lines "$config" >"$work/own"
    if ! same "$work/own" "$work/wanted"; then
        with_auth_lines "$work/wanted" "$config" >"$work/config"
        put_config "$work/config"
    fi
    doing=no-introspection
    restart_agent
    waited=0
    await_agent "$verify_wait" || waited=$?
    if [ "$waited" -eq 1 ] && unit_loops; then waited=2; fi
    case $waited in
        1) finish unproven no-introspection "no registration within $verify_wait seconds: $(describe_unit)" ;;
        2) restore unit-dead "$(describe_unit)" ;;
    esac
    if [ "$live_arn" != "$arn" ]; then
        finish unproven arn-changed "the agent came back as $live_arn"
    fi
    if ! read_live || ! same "$work/live" "$work/wanted"; then
        restore env-differs ''
    fi
    sleep 1 # the agent writes its log asynchronously
    read_trial
    if agent_warned; then
        restore auth-warning "see $agent_log"
    fi
    close_trial
    rm -f "$failed"
    finish loaded ''
}

## The probe

# Says how the object, the live agent and the file stand to each other. Changes nothing, restarts nothing and waits for
# nobody; beside a run that is at work it would see what is so for a moment. Ends the script.
probe() {
    doing=write-failed
    mkdir -p "$run"
    chmod 700 "$run"
    exec 9>"$run/lock"
    flock -n -s 9 || finish busy '' 'another run is at work here'
    work=$run/probe-$$
    probing=true
    rm -rf "$work"
    mkdir "$work"

    doing=no-introspection
    live_cluster=
    agent_version=
    if agent_answers; then
        agent=registered
        arn=$live_arn
        agent_version=$(json_string Version "$work/metadata" | sed -n 's/.*v\([0-9][0-9.]*\).*/\1/p')
    elif unit_is_dead; then
        agent=dead
    else
        agent=silent
    fi
    if [ "$agent" = dead ] || ! read_live; then rm -f "$work/live"; fi
    both_files | auth_lines - >"$work/file"

    # Not in a condition, where `set -e` would not hold.
    set +e
    (
        set -e
        asking=true
        fetch_object
        printf '%s\n' "$version" >"$work/version"
        read_object
    )
    asked=$?
    set -e
    problem=
    [ ! -f "$work/version" ] || read -r version <"$work/version"
    if [ "$asked" -ne 0 ]; then
        rm -f "$work/wanted"
        problem=fetch-failed
        [ ! -f "$work/problem" ] || { read -r problem && read -r notes; } <"$work/problem"
    fi

    note_other_sources
    [ ! -f "$trial" ] || note 'an earlier restart is not proven yet'
    facts=$(
        printf '"agent":"%s"' "$agent"
        [ -z "$agent_version" ] || printf ',"agent_version":"%s"' "$(plain "$agent_version" 50)"
        [ -z "$live_cluster" ] || printf ',"cluster":"%s"' "$(plain "$live_cluster" 255)"
        printf ',"object_and_live":"%s"' "$(agreement "$work/wanted" "$work/live")"
        printf ',"object_and_file":"%s"' "$(agreement "$work/wanted" "$work/file")"
        printf ',"file_and_live":"%s"' "$(agreement "$work/file" "$work/live")"
        printf ',"source":"%s","warnings":"%s"' "$(source_of_auth)" "$(logged_warnings)"
    )
    finish probed "$problem"
}

# agreement FILE FILE: of two pairs of auth lines, one of which may not be known.
agreement() {
    if [ ! -f "$1" ] || [ ! -f "$2" ]; then
        printf unknown
    elif same "$1" "$2"; then
        printf same
    else
        printf differs
    fi
}

# Which of ecs-init's two files the pair comes from.
source_of_auth() {
    own=0
    [ ! -f "$config" ] || own=$(auth_lines "$config" | wc -l)
    pair=$(wc -l <"$work/file")
    if [ "$pair" -eq 0 ]; then
        printf none
    elif [ "$own" -eq "$pair" ]; then
        printf etc
    elif [ "$own" -eq 0 ]; then
        printf var
    else
        printf both
    fi
}

# Whether the agent has warned of the value since its last start (agent/app/agent.go logs each); the log is rotated every
# hour.
logged_warnings() {
    set -- "$agent_log".*
    [ -f "$1" ] || shift
    [ ! -f "$agent_log" ] || set -- "$@" "$agent_log"
    [ "$#" -gt 0 ] || set -- /dev/null
    awk '
        /Starting Amazon ECS Agent|Starting Agent:/ { started = 1; warned = 0 }
        /Could not parse .* type auth config|Malformed auth data|Unknown auth configuration/ { warned = 1 }
        END { print warned ? "warned" : started ? "none" : "unknown" }
    ' "$@"
}

main() {
    check_parameters
    find_manager
    if [ "$REGCRED_MODE" = probe ]; then probe; fi
    take_lock
    meet_agent
    fetch_object
    read_object
    read_live || finish refused no-agent 'docker shows no container ecs-agent'
    note_other_sources
    if same "$work/live" "$work/wanted"; then confirm; fi
    if [ "$REGCRED_MODE" = apply ] && has_failed; then decline; fi
    try
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
main
