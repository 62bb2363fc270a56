# Progress and faults, and what the machine must have.
# shellcheck shell=bash

BEGIN=${EPOCHREALTIME/[.,]/}

# One line of progress with the seconds since the start.
say() {
    local tenths=$(((${EPOCHREALTIME/[.,]/} - BEGIN) / 100000))
    printf '%4d.%d s  %s\n' $((tenths / 10)) $((tenths % 10)) "$1"
}

# Ends with the message $1 and, where a log $2 is given, its last lines.
fault() {
    printf 'layer/build: %s\n' "$1" >&2
    [ -z "${2:-}" ] || tail -n 15 "$2" | sed 's/^/    /' >&2
    exit 1
}

network_fault() {
    fault "$1 failed. Without a way to the network this cannot work: Debian's archive and PyPI are needed once;
behind a proxy set http_proxy and https_proxy. A bad signature or hash is never accepted. It said:" "$2"
}

# Names everything that is missing at once, with the package that has it.
require_commands() {
    local command package missing=()
    while read -r command package; do
        command -v "$command" >/dev/null || missing+=("$command (package $package)")
    done <<'END'
apt-get apt
apt-config apt
dpkg-deb dpkg
flock util-linux
find findutils
grep grep
sed sed
tar tar
sha256sum coreutils
END
    command -v gpgv >/dev/null || command -v sqv >/dev/null || missing+=("gpgv (package gpgv)")
    [ ${#missing[@]} -gt 0 ] || return 0
    printf 'layer/build: missing: %s\n' "${missing[@]}" >&2
    [ -e /etc/debian_version ] || cat >&2 <<'END'
layer/build needs Debian or Ubuntu. Elsewhere run it in a Debian container, from the project's directory:
    docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/project" -w /project debian:trixie layer/build
END
    exit 1
}

# The lines of list $1 without comments and blank lines.
entries() { sed -E 's/#.*//; /^\s*$/d' "$1"; }

# What a tree $1 takes unzipped, for people.
size_of() { du -sh --apparent-size "$1" | cut -f1; }
