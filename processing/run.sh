#!/bin/bash
# Entry of every job's container: run.sh MESSAGE-FILE JOB ARGUMENT...
#
# The image's own packages are never touched: the job's libraries go into a venv of their own, from the hashed
# lock beside this file. An image that carries them already says so with a copy of the lock in Python's prefix.
set -euo pipefail

code="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
wheels="$code/../wheels"
message="$1" job="$2"
shift 2

fail() {
  mkdir -p "$(dirname "$message")"
  printf '%s' "$1" >"$message"
  printf '%s\n' "$1" >&2
  exit 1
}

# The job is one process; further instances of a larger cluster have nothing to do.
root="$(dirname "$(dirname "$message")")"
for hosts in "$root/config/resourceconfig.json" "$root/input/config/resourceconfig.json"; do
  if [ -f "$hosts" ] && ! python3 -c 'import json, sys
given = json.load(open(sys.argv[1]))
sys.exit(given["current_host"] != sorted(given["hosts"])[0])' "$hosts"; then
    echo "the first instance does the work"
    exit 0
  fi
done

python=python3
if ! cmp -s "$code/jobs.txt" "$(python3 -c 'import sys; print(sys.prefix)')/headroom-jobs.txt"; then
  venv="$(mktemp -d)/venv"
  python="$venv/bin/python"
  from=()
  if compgen -G "$wheels/*.whl" >/dev/null; then from=(--no-index --find-links "$wheels"); fi
  echo "installing the job's libraries"
  # The image's pip, because not every image has the one that a venv would be given (ensurepip).
  python3 -m venv --without-pip "$venv" ||
    fail "The image's Python cannot make a venv: use an image with Python 3.11 or newer, its venv module and pip."
  python3 -m pip --python "$python" install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    ${from[@]+"${from[@]}"} --requirement "$code/jobs.txt" ||
    fail "The job's libraries could not be installed (see the log). Without internet, give the stack a WheelhouseUri with the wheels of requirements/jobs.txt."
  # LightGBM's wheel counts on the system's OpenMP, which Amazon Linux images lack; scikit-learn's wheel brings one.
  if ! python3 -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null; then
    mkdir "$venv/openmp"
    ln -s "$venv"/lib/python3.*/site-packages/scikit_learn.libs/libgomp*.so* "$venv/openmp/libgomp.so.1"
    export LD_LIBRARY_PATH="$venv/openmp${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  fi
fi

PYTHONPATH="$code" exec "$python" -m "headroom.$job" "$@" --message "$message"
