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
  python3 -m venv "$venv" || fail "The image's Python cannot make a venv: use an image with Python 3.11 or newer and its venv module."
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    ${from[@]+"${from[@]}"} --requirement "$code/jobs.txt" ||
    fail "The job's libraries could not be installed (see the log). Without internet, give the stack a WheelhouseUri with the wheels of requirements/jobs.txt."
fi

PYTHONPATH="$code" exec "$python" -m "headroom.$job" "$@" --message "$message"
