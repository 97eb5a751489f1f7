#!/usr/bin/env bash
# Makes deploy/dist/<service>/ for the images: each service with common and what they need, every package at the version and with
# the hash of requirements.lock, for the Python and the processor of the image. No development tools, no siblings, no installer.
# PYTHON_IMAGE=… names another base image with glibc; TARGET="3.11 x86_64" says what it has without asking Docker; OUT=… another folder.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin lock=$PWD/requirements.lock out=${OUT:-$PWD/deploy/dist}
image=${PYTHON_IMAGE:-${IMAGE_PREFIX:-}python:3.11-slim}

# the same index and authorities as for `make install`
for store in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
  if [ -s "$store" ]; then export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"; fi
done
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] && [ -n "${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX=$PIP_INDEX_URL; fi
export UV_PYTHON_DOWNLOADS=never

asked='import platform; print(*platform.python_version_tuple()[:2], sep=".", end=" "); print(platform.machine())'
read -r version machine <<<"${TARGET:-$(docker run --rm "$image" python -c "$asked")}"
[ -n "${machine:-}" ] || { echo "Which Python and processor $image has is not known; say it: TARGET='3.11 x86_64'" >&2; exit 1; }

rm -rf "$out/wheels"
mkdir -p "$out/wheels"
wheel() { "$bin/uv" build --quiet --wheel --no-build-isolation --python "$bin/python" --out-dir "$out/wheels" "$1"; }
hashed() { for file in "$@"; do echo "$file --hash=sha256:$("$bin/python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$file")"; done; }
wheel libs/common
for folder in services/*/; do
  service=$(basename "$folder")
  rm -rf "${out:?}/$service"
  wheel "$folder"
  # what the wheels ask for is looked up in the lock alone: a package that is not in it, or has another hash, ends the build
  hashed "$out/wheels/aftersales_common"-*.whl "$out/wheels/aftersales_$service"-*.whl |
    "$bin/uv" pip install --quiet --no-config --target "$out/$service" --python "$bin/python" --link-mode copy --only-binary :all: \
      --python-version "$version" --python-platform "$machine-manylinux_2_28" --require-hashes --constraint "$lock" --requirement -
  rm -rf "$out/$service/bin" "$out/$service/include"  # scripts that would name this machine's Python
done
rm -r "$out/wheels"
echo "$out: the services' packages for Python $version on $machine"
