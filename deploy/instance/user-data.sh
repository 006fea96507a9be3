#!/bin/sh
# User data of container instances: has each start of the ECS agent begin with the credentials that the ecs.config in S3
# holds. Set the five values; the rest is deploy/instance/fetch-auth.sh and 50-regcred.conf, without their comments, and
# written by: BLESS=1 cargo test -p regcred-sandbox --test hosts boot
cluster=prod
bucket=acme-regcred
key=ecs/prod.config
region=eu-west-1
endpoint=

set -eu
root=${REGCRED_ROOT:-} # empty on a real host
umask 022
mkdir -p "$root/etc/ecs" "$root/etc/regcred" "$root/usr/local/sbin"
# One that an image brought stays.
grep -qs '^ *ECS_CLUSTER=' "$root/etc/ecs/ecs.config" || printf '\nECS_CLUSTER=%s\n' "$cluster" >>"$root/etc/ecs/ecs.config"
printf 'REGCRED_BUCKET=%s\nREGCRED_KEY=%s\nREGCRED_REGION=%s\nREGCRED_ENDPOINT=%s\n' "$bucket" "$key" "$region" "$endpoint" \
    >"$root/etc/regcred/ecs-config"
cat >"$root/usr/local/sbin/regcred-fetch-auth" <<'end of the script'
#!/bin/sh
set -eu
umask 077
export LC_ALL=C
: "${REGCRED_BUCKET:=}" "${REGCRED_KEY:=}" "${REGCRED_REGION:=}" "${REGCRED_ENDPOINT:=}"
root=${REGCRED_ROOT:-} # empty on a real host
config=$root/etc/ecs/ecs.config
base_config=$root/var/lib/ecs/ecs.config
run=$root/run/regcred
work=$run/work
state=$root/var/lib/regcred
failed=$state/failed # refresh.sh: the VersionId that did not load here
trial=$state/trial   # refresh.sh: a restart that is not proven yet
new_config=${config%/*}/.ecs.config.regcred
imds=http://169.254.169.254/latest
size_limit=1000000
line_limit=131071
locked=false
reported=false
version=
notes=
doing=bad-parameter
plain() {
    printf '%s' "$1" | tr '\n\t' '  ' | tr -cd ' -~' | tr '"\134' "'/" | cut -c "1-$2"
}
note() {
    notes=${notes:+$notes; }$1
}
finish() {
    [ -z "${3:-}" ] || note "$3"
    case $1 in
        written) text="wrote the auth lines of version $version into $config" status=0 ;;
        unchanged) text="$config has the auth lines of version $version already" status=0 ;;
        *) text="left $config as it is ($2)" status=1 ;;
    esac
    printf 'regcred: %s\n' "$(plain "$text${notes:+: $notes}" 1200)" >&2
    reported=true
    exit "$status"
}
clean_up() {
    status=$?
    trap - EXIT
    if "$locked"; then rm -rf "$work" "$new_config"; fi
    "$reported" || finish failed "$doing" "stopped unforeseen, with status $status"
    exit "$status"
}
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
auth_lines() {
    awk "$getenvvars"'
        { line = trim($0); name = name_of(line) }
        is_auth(name) { last[name] = line }
        END { for (i = 1; i <= 2; i++) if (auth[i] in last) print last[auth[i]] }
    ' "$1"
}
with_auth_lines() {
    awk "$getenvvars"'
        { name = name_of(trim($0)) }
        FILENAME == ARGV[1] { put[name] = $0; next }
        !is_auth(name) { print; next }
        name in put { print put[name]; delete put[name] }
        END { for (i = 1; i <= 2; i++) if (auth[i] in put) print put[auth[i]] }
    ' "$1" "$2"
}
both_files() {
    for file in "$base_config" "$config"; do
        [ ! -f "$file" ] || cat "$file"
        echo # a last line without an end must not run into the next file's first
    done
}
setting() {
    both_files | awk -v wanted="$1" "$getenvvars"'
        { line = trim($0) }
        name_of(line) == wanted { value = trim(substr(line, length(wanted) + 2)) }
        END { print value }
    '
}
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
json_string() {
    sed -n "/\"$1\"[[:space:]]*:[[:space:]]*\"/{s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p;q;}" "$2"
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
ask_host() {
    curl -q --silent --fail --noproxy '*' --connect-timeout 2 --max-time 5 "$@"
}
fetch_object() {
    doing=fetch-failed
    fetch_with_aws || fetch_with_curl
    case $version in null | None) version= ;; esac
}
is_external() {
    case $(setting ECS_EXTERNAL) in
        1 | t | T | true | True | TRUE) return 0 ;;
        *) return 1 ;;
    esac
}
fetch_refused() {
    object="s3://$REGCRED_BUCKET/$REGCRED_KEY${2:+ ($2)}"
    case $1 in
        fetch-denied) finish failed "$1" "this host's role may not read $object: it needs s3:GetObject, and kms:Decrypt where the object is encrypted under a key of KMS" ;;
        fetch-not-found) finish failed "$1" "there is no $object" ;;
        *) finish failed "$1" "could not read $object" ;;
    esac
}
fetch_with_aws() {
    command -v aws >/dev/null || return 1
    set -- --bucket "$REGCRED_BUCKET" --key "$REGCRED_KEY" --region "$REGCRED_REGION"
    [ -z "$REGCRED_ENDPOINT" ] || set -- "$@" --endpoint-url "$REGCRED_ENDPOINT"
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
curl_can_sign() {
    curl --version | awk 'NR == 1 { split($2, v, "."); exit !(v[1] > 7 || v[1] == 7 && v[2] >= 86) }'
}
fetch_with_curl() {
    if ! curl_can_sign; then
        finish failed no-fetch-tool 'no aws that works, and a curl before 7.86: install one of them'
    fi
    read_credentials
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
read_credentials() {
    doing=no-credentials
    if is_external; then
        source='/root/.aws/credentials'
        shared_credentials "$root/root/.aws/credentials" >"$work/credentials"
    else
        source='the instance profile'
        imds_credentials >"$work/credentials"
    fi
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
has_failed() {
    [ -n "$version" ] && [ -f "$failed" ] && [ "$(cat "$failed")" = "$version" ]
}
lock_or_leave() {
    doing=write-failed
    mkdir -p "$run" "$state"
    chmod 700 "$run" "$state"
    exec 9>"$run/lock"
    flock -n 9 || finish left busy 'another run of regcred is at work on this host'
    locked=true
    rm -rf "$work" "$new_config"
    mkdir "$work"
}
put_config() {
    doing=write-failed
    rm -f "$new_config"
    cp -p "$config" "$new_config" # for the owner
    chmod 600 "$new_config"
    cat "$1" >"$new_config"
    if command -v chcon >/dev/null; then chcon --reference="$config" "$new_config" 2>/dev/null || true; fi
    sync "$new_config" 2>/dev/null || sync
    mv -f "$new_config" "$config"
}
main() {
    check_object
    for tool in flock awk curl; do
        command -v "$tool" >/dev/null || finish left unsupported-platform "this host has no $tool"
    done
    lock_or_leave
    [ ! -f "$trial" ] || finish left unproven 'an earlier restart is not proven yet, and the next run of regcred ends it'
    [ ! -L "$config" ] || finish left symlink "$config is a symbolic link; make it a file, or manage its target"
    if [ -f "$config" ] && has_nul "$config"; then finish left config-invalid "$config contains a NUL byte"; fi
    fetch_object
    ! has_failed || finish left tried 'this version of the object did not load here before'
    read_object
    [ -f "$config" ] || : >"$config"
    auth_lines "$config" >"$work/own"
    ! same "$work/own" "$work/wanted" || finish unchanged ''
    with_auth_lines "$work/wanted" "$config" >"$work/config"
    put_config "$work/config"
    finish written ''
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
main
end of the script
chmod 755 "$root/usr/local/sbin/regcred-fetch-auth"
# SUSE's unit has another name; a drop-in of a unit that is not there does nothing.
for unit in ecs amazon-ecs; do
    mkdir -p "$root/etc/systemd/system/$unit.service.d"
    cat >"$root/etc/systemd/system/$unit.service.d/50-regcred.conf" <<'end of the drop-in'
[Service]
EnvironmentFile=-/etc/regcred/ecs-config
ExecStartPre=-/usr/bin/timeout --kill-after=5 45 /usr/local/sbin/regcred-fetch-auth
end of the drop-in
done
# Not started here: the unit waits for cloud-init, which waits for this script.
systemctl daemon-reload
