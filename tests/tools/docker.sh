# Docker from the packages of the machine's own distribution, which fit its C library. Nothing is installed on the machine and
# no daemon is started: the tests start one of their own (tests/docker).
# shellcheck shell=bash

DOCKER_PACKAGES=(containerd docker.io runc)
DOCKER_PROGRAMS=(containerd containerd-shim-runc-v2 docker dockerd runc)

# Puts the programs into directory $1, which has a bin already.
install_docker() {
    local into=$1 log=$1/docker.log program
    say "Docker from the machine's distribution, about 60 MB to fetch"
    fetch_docker "$into/docker" >"$log" 2>&1 ||
        fault "${DOCKER_PACKAGES[*]} cannot be fetched. The archive in /etc/apt is needed; behind a proxy set http_proxy. It said:" "$log"
    for program in "${DOCKER_PROGRAMS[@]}"; do
        install -m 755 "$(find "$into/docker/root" -type f -path "*bin/$program" -print -quit)" "$into/bin"
    done
    rm -r "$into/docker"
}

# With the machine's sources and keys, and with lists of its own: those of the machine may be old, or root's. A distribution may have
# the client in a package of its own, and devicemapper need not be there.
fetch_docker() (
    local apt=$1/apt package
    mkdir -p "$apt"/{lists/partial,cache/archives/partial} "$1/root" && cd "$1" || exit
    apt() {
        apt-get -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root "$@"
    }
    apt update || exit
    apt download "${DOCKER_PACKAGES[@]}" || exit
    apt download docker-cli || echo "the client is in docker.io"
    for package in *.deb; do
        dpkg-deb --extract "$package" root || exit
    done
)
