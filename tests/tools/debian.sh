# Tools from Debian trixie, without root: the private apt of layer/, with the same keys. Each is the one program of a
# package of its name.
# shellcheck shell=bash

DEBIAN_TOOLS=(kustomize promtool runsc)

require_apt() {
    local command
    for command in apt-get apt-config dpkg-deb; do
        command -v "$command" >/dev/null || fault "$command is missing: gVisor, kustomize and promtool are packages of Debian's"
    done
    command -v gpgv >/dev/null || command -v sqv >/dev/null || fault "gpgv is missing (package gpgv)"
}

# Puts the tools into directory $1, which has a bin already.
install_debian() {
    local into=$1 log=$1/debian.log
    say "gVisor, kustomize and promtool from Debian, about 41 MB to fetch"
    fetch_debian "$into/debian" >"$log" 2>&1 ||
        fault "${DEBIAN_TOOLS[*]} cannot be fetched. Debian's archive is needed; behind a proxy set http_proxy. A bad signature
    is never accepted. It said:" "$log"
    install -m 755 "${DEBIAN_TOOLS[@]/#/$into/debian/root/usr/bin/}" "$into/bin"
    rm -r "$into/debian"
}

# The steps are joined, because a function in a condition does not end at its first failure.
fetch_debian() (
    HERE=$PROJECT/layer OUT=$1
    # shellcheck source=layer/steps/debian.sh
    source "$HERE/steps/debian.sh"
    mkdir -p "$OUT/root" && cd "$OUT" &&
        private_apt "$(debian_arch)" &&
        apt-get update --error-on=any &&
        apt-get download "${DEBIAN_TOOLS[@]}" &&
        for package in *.deb; do
            dpkg-deb --extract "$package" root || exit
        done
)

debian_arch() {
    case $(uname -m) in
        aarch64 | arm64) echo arm64 ;;
        *) echo amd64 ;;
    esac
}
