# Debian packages without root: a private apt that neither reads nor changes the machine's own.
# shellcheck shell=bash

# Writes the configuration of the private apt for Debian architecture $1 and selects it.
# Everything is given here, so hooks and sources of the machine play no part; only its way to the
# network (proxies, certificates) is taken over. Unsigned repositories stay refused: apt's default.
private_apt() {
    local debarch=$1 apt=$OUT/cache/apt/$1
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    apt_sources >"$apt/debian.sources"
    {
        APT_CONFIG='' apt-config dump | grep -E '^Acquire::(http|https)(::|$)' || true
        cat <<END
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "$apt/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Architecture "$debarch";
APT::Architectures { "$debarch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
END
    } >"$apt/apt.conf"
    export APT_CONFIG=$apt/apt.conf
}

# Debian trixie with its updates, each archive bound to its own keys.
apt_sources() {
    apt_source debian debian-archive trixie trixie-updates
    apt_source debian-security debian-security trixie-security
}

apt_source() {
    local archive=$1 key=$2
    shift 2
    echo "Types: deb"
    echo "URIs: ${DEBIAN_MIRROR:-http://deb.debian.org}/$archive"
    echo "Suites: $*"
    echo "Components: main"
    echo "Signed-By:"
    sed 's/^$/./; s/^/ /' "$HERE/keys/$key.asc"
    echo
}

# Prints name=version of the packages in list $1 with all that they depend on, less the list $1.skip.
resolve() {
    local list=$1
    # shellcheck disable=SC2046  # names of packages: split on purpose
    apt-get install --simulate --quiet $(entries "$list") |
        sed -nE 's/^Inst ([^ ]+) (\[[^]]*\] )?\(([^ ]+) .*/\1=\3/p' |
        grep -vE "^($(entries "$list.skip" | paste -sd '|' | sed 's/[+.]/\\&/g'))="
}

# Unpacks the packages of list $1 for architecture $2 into directory $3; $3.debs names their files.
unpack_debian() {
    local list=$1 arch=$2 into=$3 log=$3.log cache deb
    cache=$OUT/cache/debs/$arch
    mkdir -p "$cache" "$into"
    # Indexes that are there already are believed by apt: their signature is checked, their own hash is not.
    rm -rf "$OUT/cache/apt/$(debian_arch "$arch")/state"
    private_apt "$(debian_arch "$arch")"
    apt-get update --error-on=any >"$log" 2>&1 || network_fault "apt-get update" "$log"
    resolve "$list" >"$into.resolved" 2>"$log" || fault "apt cannot resolve $list:" "$log"
    fetch "$into.resolved" "$cache" >"$log" 2>&1 || network_fault "apt-get download" "$log"
    sed "s|^[0-9a-f]*  |$cache/|" "$into.resolved.sha256" >"$into.debs"
    while read -r deb; do dpkg-deb --extract "$deb" "$into"; done <"$into.debs"
}

# Fetches what file $1 names into directory $2; $1.sha256 has the hashes. What is there with the right one is not fetched
# again: apt alone would look at its size only. The steps are joined, because a function in a condition does not end at
# its first failure.
fetch() (
    mapfile -t packages <"$1"
    cd "$2" &&
        signed_hashes "${packages[@]}" >"$1.sha256" &&
        [ "$(wc -l <"$1.sha256")" = ${#packages[@]} ] &&
        remove_wrong <"$1.sha256" &&
        apt-get download "${packages[@]}" &&
        sha256sum --check --strict "$1.sha256"
)

# The SHA-256 of each of the packages name=version, and its file's name, from the index that Debian signed.
signed_hashes() {
    apt-cache show "$@" | while IFS=': ' read -r field value; do
        case $field in
            Package) name=$value ;;
            Version) version=$value ;;
            Architecture) arch=$value ;;
            SHA256) echo "$value  ${name}_${version//:/%3a}_$arch.deb" ;;
        esac
    done | uniq
}

remove_wrong() {
    local hash deb
    while read -r hash deb; do
        sha256sum --check --status <<<"$hash  $deb" 2>/dev/null || rm -f "$deb"
    done
}
