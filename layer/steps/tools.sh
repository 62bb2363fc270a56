# The builder Python: trixie's Python and pip for the build machine, started through their own loader.
# shellcheck shell=bash

tools_stamp() {
    stamp_of "$MACHINE" debian/{tools,tools.skip} keys/*.asc steps/debian.sh steps/python3 steps/tools.sh
}

build_tools() {
    local new
    new=$(temporary)/tools
    mkdir "$new"
    unpack_debian "$HERE/debian/tools" "$MACHINE" "$new/root"
    rm "$new"/root.* "$new"/root/usr/lib/python3.13/EXTERNALLY-MANAGED
    cat "$new"/root/usr/share/ca-certificates/mozilla/*.crt >"$new/ca-certificates.crt"
    ln -s root/usr/lib "$new/lib"
    install -m 755 "$HERE/steps/python3" "$new/python3"
    chmod -R u=rwX,go=rX "$new"
    "$new/python3" -m pip --version >/dev/null || fault "the builder Python does not start"
    put_in_place "$new" "$OUT/tools" "$(tools_stamp)"
    say "builder Python: $(python -V), $(size_of "$OUT/tools")"
}

python() { "$OUT/tools/python3" "$@"; }
