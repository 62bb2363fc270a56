# The runtime: a root directory with Python, its libraries and packages.
# shellcheck shell=bash

runtime_stamp() {
    stamp_of "$1" build requirements.txt debian/{runtime,runtime.skip,keep,drop} etc/* keys/*.asc \
        steps/{*.py,*.sh,python3}
}

build_runtime() {
    local arch=$1 tmp verdict
    tmp=$(temporary)
    local root=$tmp/runtime packages=$tmp/runtime/usr/lib/python3/dist-packages

    unpack_debian "$HERE/debian/runtime" "$arch" "$tmp/debian"
    say "$arch: $(wc -l <"$tmp/debian.debs") Debian packages, $(size_of "$tmp/debian") unpacked"
    take_kept "$tmp/debian" "$root" "$arch"
    python -B "$HERE/steps/links.py" "$root"
    furnish "$root" "$arch"
    say "$arch: root made of them, $(size_of "$root")"
    install_wheels "$arch" "$packages"
    list_fonts "$arch" "$packages" "$root/usr/share/py-executor/matplotlib"
    say "$arch: $(find "$(wheels_of "$arch")" -name '*.whl' | wc -l) Python packages, $(size_of "$packages")"
    drop "$root"
    say "$arch: stripped to $(size_of "$root")"
    compile "$root"
    verdict=$(python -B "$HERE/steps/image.py" "$root")
    say "$arch: $verdict"
    chmod -R u=rwX,go=rX,u-s,g-s,-t "$root"
    python -B "$HERE/steps/manifest.py" "$arch" "$root" "$tmp/debian.debs" "$(wheels_of "$arch")" "$tmp/manifest.json"
    say "$arch: compiled, $(size_of "$root")"
    verdict=$(python -B "$HERE/steps/check.py" "$arch" "$root")
    say "$arch: checked, $verdict"
    python -B "$HERE/steps/files.py" list "$root" >"$tmp/runtime.mtree"

    mkdir -p "$OUT/$arch"
    mv "$tmp/manifest.json" "$tmp/runtime.mtree" "$OUT/$arch"
    put_in_place "$root" "$OUT/$arch/runtime" "$(runtime_stamp "$arch")"
    say "$arch: ready in $OUT/$arch/runtime"
}

# target/layer/runtime is the one that this machine can run.
link_own_runtime() {
    [ "$(readlink "$OUT/runtime")" = "$MACHINE/runtime" ] || ln -sfn "$MACHINE/runtime" "$OUT/runtime"
}

# Of the unpacked packages $1 only what debian/keep names goes into the root $2.
take_kept() (
    root=$2
    multiarch=$(kernel_arch "$3")-linux-gnu
    mkdir "$root"
    cd "$1" || exit
    entries "$HERE/debian/keep" | while read -r pattern; do
        # A pattern that only another architecture has is left as it stands, and skipped.
        for path in ${pattern//'{multiarch}'/$multiarch}; do
            [ ! -e "$path" ] || cp -a --parents "$path" "$root"
        done
    done
)

# Other names, mount points and the few files of a system that libraries look for.
furnish() {
    local root=$1 name library
    library=$root/usr/lib/$(kernel_arch "$2")-linux-gnu
    mkdir -p "$root"/{proc,dev,tmp,run,etc} "$root"/usr/{sbin,lib64}
    # The scratch space by the other names that programs know.
    mkdir "$root"/{var,mnt}
    for name in var/tmp mnt/data; do ln -s ../tmp "$root/$name"; done
    for name in bin lib lib64 sbin; do ln -s "usr/$name" "$root/$name"; done
    for name in python3 python; do ln -s python3.13 "$root/usr/bin/$name"; done
    for name in libpython3.13.so libpython3.so; do ln -s libpython3.13.so.1.0 "$library/$name"; done
    cp "$HERE"/etc/* "$root/etc/"
}

# The directory with the wheels that requirements.txt locks. It is there only when it is complete.
wheels_of() { echo "$OUT/cache/wheels/$1-$(sha256sum <"$HERE/requirements.txt" | cut -c1-16)"; }

fetch_wheels() {
    local wheels tmp
    wheels=$(wheels_of "$1")
    [ ! -d "$wheels" ] || return 0
    tmp=$(temporary)
    mkdir -p "$(dirname "$wheels")"
    locked "$1" download --dest "$tmp" >"$tmp/log" 2>&1 || network_fault "pip download" "$tmp/log"
    rm "$tmp/log"
    mv -T "$tmp" "$wheels"
}

install_wheels() {
    local arch=$1 into=$2 log=$OUT/cache/pip.log
    fetch_wheels "$arch"
    locked "$arch" install --no-index --find-links "$(wheels_of "$arch")" --no-compile --target "$into" \
        >"$log" 2>&1 || fault "pip install failed:" "$log"
    # The commands, which are dropped, name the directory of this build.
    sed -i '\|^\.\./\.\./bin/|d' "$into"/*.dist-info/RECORD
}

# matplotlib runs only on this machine's architecture, but the list is the same for all.
list_fonts() {
    local arch=$1 packages=$2 into=$3
    mkdir -p "$into"
    if [ "$arch" != "$MACHINE" ]; then
        packages=$(temporary)
        install_wheels "$MACHINE" "$packages"
    fi
    python -B "$HERE/steps/fontlist.py" "$packages" "$into"
}

# pip's command $2 on all that requirements.txt locks, hashes checked, for the runtime's Python and its
# libc, 2.41, on architecture $1, whatever this machine has.
locked() {
    local cpu command=$2 minor platforms=()
    cpu=$(kernel_arch "$1")
    shift 2
    for minor in {41..17}; do platforms+=(--platform "manylinux_2_${minor}_$cpu"); done
    PIP_CACHE_DIR=$OUT/cache/pip python -m pip "$command" --requirement "$HERE/requirements.txt" \
        --require-hashes --no-deps --only-binary :all: --implementation cp --python-version 3.13 --abi cp313 \
        "${platforms[@]}" --platform "manylinux2014_$cpu" "$@"
}

# Removes from the root $1 what debian/drop names.
drop() (
    shopt -s globstar nullglob
    cd "$1" || exit
    entries "$HERE/debian/drop" | while read -r pattern; do
        # shellcheck disable=SC2086  # a glob; no path in the tree has a space
        rm -rf -- $pattern
    done
)

# Bytecode is used unchecked, and is the same each time.
compile() {
    PYTHONHASHSEED=0 PYTHONPYCACHEPREFIX=$1/nowhere python -B "$HERE/steps/compile.py" "$1" \
        "$1/usr/lib/python3.13" "$1/usr/lib/python3"
}
