#!/bin/bash
# Entry of every job's container: run.sh --job NAME [--FLAG VALUE]...
#
# The flags are those of `python -m headroom.NAME`; they may come in any order, because SageMaker's script mode makes
# them of a training job's hyperparameters, sorted by name. The image's own packages are never touched: the job's
# libraries go into a venv of their own, from the hashed lock beside this file. An image that carries them already
# says so with a copy of the lock in Python's prefix.
#
# With `--engine spark` the job is the driver of a Spark cluster. SageMaker starts this script on every instance; each
# makes its own environment, at the same place, and `smspark-submit` then decides which instance is the driver's.
set -euo pipefail

# Script mode starts a copy of this folder and tells where the channels are; a processing job has the folders as siblings.
code="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
wheels="${SM_CHANNEL_WHEELS:-$code/../wheels}"
# Script mode gives the image's packages to everything it starts: pip would take them for the venv's own.
unset PYTHONPATH

job="" message="" engine=machine flags=()
while [ $# -gt 0 ]; do
  case "$1" in
    --job) job="$2" ;;
    --message) message="$2" ;;
    --engine) engine="$2" flags+=("$1" "$2") ;;
    *) flags+=("$1" "$2") ;;
  esac
  shift 2
done

fail() {
  mkdir -p "$(dirname "$message")"
  printf '%s' "$1" >"$message"
  printf '%s\n' "$1" >&2
  exit 1
}

# In Python, because AWS's image has no `cmp`.
carries_lock='import pathlib, sys
own = pathlib.Path(sys.prefix, "headroom-jobs.txt")
sys.exit(not own.is_file() or own.read_bytes() != pathlib.Path(sys.argv[1]).read_bytes())'

python=python3
if ! python3 -c "$carries_lock" "$code/jobs.txt"; then
  venv="$(mktemp -d)/venv"
  # Executors on other instances are started with the driver's path of Python.
  if [ "$engine" = spark ]; then venv=/opt/headroom/venv && mkdir -p /opt/headroom; fi
  python="$venv/bin/python"
  from=()
  if compgen -G "$wheels/*.whl" >/dev/null; then from=(--no-index --find-links "$wheels"); fi
  echo "installing the job's libraries"
  # The image's pip, because not every image has the one that a venv would be given (ensurepip). Compiling everything
  # takes half of its time (26 of 54 s of a processor); a job loads a part, compiled on the way (at most 7 s).
  python3 -m venv --without-pip "$venv" ||
    fail "The image's Python cannot make a venv: use an image with Python 3.11 or newer, its venv module and pip."
  python3 -m pip --python "$python" install --quiet --disable-pip-version-check --no-compile --no-deps \
    --require-hashes --only-binary :all: ${from[@]+"${from[@]}"} --requirement "$code/jobs.txt" ||
    fail "The job's libraries could not be installed (see the log). Without internet, give the stack a WheelhouseUri with the wheels of requirements/jobs.txt."
  # LightGBM's wheel counts on the system's OpenMP, which Amazon Linux images lack; scikit-learn's wheel brings one.
  if ! python3 -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null; then
    mkdir "$venv/openmp"
    ln -s "$venv"/lib/python3.*/site-packages/scikit_learn.libs/libgomp*.so* "$venv/openmp/libgomp.so.1"
    export LD_LIBRARY_PATH="$venv/openmp${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  fi
fi

if [ "$engine" != spark ]; then
  PYTHONPATH="$code" exec "$python" -m "headroom.$job" ${message:+--message "$message"} "${flags[@]}"
fi

# The image would let the driver's Java grow to eight tenths of the instance, where the job itself needs the memory. The
# image reads this file; smspark-submit takes no such option.
mkdir -p "$code/../conf"
printf '[{"Classification": "spark-defaults", "Properties": {"spark.driver.memory": "8g"}}]' >"$code/../conf/configuration.json"

# Beside the message, because smspark-submit writes its own over it when a driver fails, which says nothing of why.
PYSPARK_PYTHON="$(command -v "$python")" && export PYSPARK_PYTHON
ended=0
smspark-submit "$code/submit.py" "$job" --message "$message.job" "${flags[@]}" || ended="$?"
if [ -f "$message.job" ]; then mv "$message.job" "$message"; fi
exit "$ended"
