#!/bin/sh
# Installs the Debian packages that the build needs and that are not there yet, and nothing when all are. Takes the
# list below; needs apt, and root or sudo only where something is missing.
set -eu

packages="
  ca-certificates cmake ninja-build g++ ccache
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools lld-22 clang-22 libclang-rt-22-dev clang-format-22
  antlr4 libantlr4-runtime-dev nlohmann-json3-dev libcli11-dev
  libpng-dev libjpeg62-turbo-dev zlib1g-dev libhalide14-0-dev pkg-config python3 python3-venv qemu-user valgrind
"

missing=""
for package in $packages; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install.sh: needs root or sudo to install:$missing" >&2; exit 1; }
  as_root="sudo"
fi
$as_root apt-get update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
