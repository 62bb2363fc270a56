# Where results stand, whether they are still right, and how a new one takes the old one's place.
# A result is made beside its place, moved there whole, and stamped last: half a result is never used.
# shellcheck shell=bash

# A hash of everything that decides the result: a word $1 and the contents of the files after it.
stamp_of() {
    local word=$1
    shift
    { echo "$word" && sha256sum "$@"; } | sha256sum | cut -c1-64
}

is_current() {
    local result=$1 stamp=$2
    [ -d "$result" ] && [ -f "$result.stamp" ] && [ "$(<"$result.stamp")" = "$stamp" ]
}

put_in_place() {
    local new=$1 result=$2 stamp=$3
    rm -f "$result.stamp"
    [ ! -e "$result" ] || mv -T "$result" "$(temporary)/old"
    mv -T "$new" "$result"
    echo "$stamp" >"$result.new-stamp"
    mv "$result.new-stamp" "$result.stamp"
}

temporary() { mktemp -d "$OUT/.unfinished.XXXXXX"; }

# Only called under the lock: whatever is unfinished then belongs to a build that was ended.
remove_unfinished() { rm -rf "$OUT"/.unfinished.*; }

# Held until this process and all that it started have ended.
lock() {
    exec 9>"$OUT/.lock"
    flock --nonblock 9 || {
        say "another build is running in $OUT: waiting for it"
        flock 9
    }
}
