# SPDX-License-Identifier: MIT
# install_packages <package> ...: installs those that are missing, as root or through sudo; otherwise says what to install.
# To be sourced by the scripts of this project; works on Debian and its relatives.
install_packages() {
    missing=""
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" -eq 0 ]; then
        as_root=""
    elif command -v sudo > /dev/null 2>&1; then
        as_root="sudo"
    else
        echo "Missing packages; as root, run: apt-get install$missing" >&2
        return 1
    fi
    echo "Installing:$missing"
    # shellcheck disable=SC2086
    { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $missing; } > /dev/null || {
        echo "Installing failed; as root, run: apt-get install$missing" >&2
        return 1
    }
}
