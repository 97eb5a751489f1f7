#!/usr/bin/env bash
# Makes .venv from requirements.lock: exact versions, checked hashes, the members on top. Needs a Python 3.11–3.13 and a package index.
# PYTHON=… chooses another interpreter. Nothing outside this folder is changed but the caches of uv and pip.
set -euo pipefail
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never
# where the system keeps authorities, a company's own are among them; uv's built-in list does not know those
for store in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
  if [ -s "$store" ]; then export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"; fi
done

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
  if fits "$candidate"; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo "No Python 3.11, 3.12 or 3.13 found; name one: make install PYTHON=/path/of/python3" >&2; exit 1; }

if ! uv=$(command -v uv); then
  uv=.uv/bin/uv
  if [ ! -x $uv ]; then
    echo "No uv on PATH: installing the one of requirements.lock into .uv/"
    "$python" -m venv --clear .uv || { echo "Python's venv module is needed (Debian: apt-get install python3-venv)" >&2; exit 1; }
    awk '/^[^ #]/ { inside = /^uv==/ } inside' requirements.lock >.uv/uv.txt
    .uv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .uv/uv.txt
  fi
fi
# uv does not read pip's settings; a mirror that is set for pip alone counts for both
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
  mirror=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url 2>/dev/null || true)}
  [ -z "$mirror" ] || export UV_DEFAULT_INDEX=$mirror
fi

echo "Installing the packages of requirements.lock into .venv/"
rm -f .venv/.installed
if ! fits .venv/bin/python; then "$uv" venv --quiet --clear --python "$(command -v "$python")" .venv; fi
"$uv" pip sync --quiet --python .venv --require-hashes requirements.lock
members=()
for folder in libs/* services/*; do [ ! -f "$folder/pyproject.toml" ] || members+=(--editable "$folder"); done
# the build backend is in the lock too, so that nothing unpinned takes part
"$uv" pip install --quiet --python .venv --no-deps --no-build-isolation --reinstall "${members[@]}"
touch .venv/.installed
echo "Installed: .venv/bin/aftersales"
