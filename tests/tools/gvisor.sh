# gVisor's runsc from Debian trixie, without root: the private apt of layer/, with the same keys.
# shellcheck shell=bash

require_apt() {
    local command
    for command in apt-get apt-config dpkg-deb; do
        command -v "$command" >/dev/null || fault "$command is missing: gVisor is a package of Debian's"
    done
    command -v gpgv >/dev/null || command -v sqv >/dev/null || fault "gpgv is missing (package gpgv)"
}

# Puts bin/runsc into directory $1, which has a bin already.
install_gvisor() {
    local into=$1 log=$1/gvisor.log
    say "gVisor from Debian, about 20 MB to fetch"
    fetch_gvisor "$into/gvisor" >"$log" 2>&1 ||
        fault "gVisor cannot be fetched. Debian's archive is needed; behind a proxy set http_proxy. A bad signature is
    never accepted. It said:" "$log"
    install -m 755 "$into/gvisor/root/usr/bin/runsc" "$into/bin/runsc"
    rm -r "$into/gvisor"
}

# The steps are joined, because a function in a condition does not end at its first failure.
fetch_gvisor() (
    # shellcheck disable=SC2030  # what debian.sh is told, here and nowhere else
    HERE=$PROJECT/layer OUT=$1
    # shellcheck source=layer/steps/debian.sh
    source "$HERE/steps/debian.sh"
    mkdir -p "$OUT/root" && cd "$OUT" &&
        private_apt "$(debian_arch)" &&
        apt-get update --error-on=any &&
        apt-get download runsc &&
        dpkg-deb --extract runsc_*.deb root
)

debian_arch() {
    case $(uname -m) in
        aarch64 | arm64) echo arm64 ;;
        *) echo amd64 ;;
    esac
}
