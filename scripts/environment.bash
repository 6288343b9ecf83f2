# Functions for scripts/audit and scripts/test: a Python, a virtual environment, and torch in it.
# Sourced, not run. `root` is the checkout; messages go to stderr, because stdout is the result's.

# The version that the suites were tried with. Some mirrors hold a CPU build of just this one.
readonly TRIED_TORCH="torch==2.13.0"
readonly CPU_TORCH_INDEX="https://download.pytorch.org/whl/cpu"

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
fail() { say "$1"; exit "${2:-4}"; }

# Print the first Python that is 3.11 or newer.
find_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11 python3.14; do
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  fail "no Python 3.11 or newer found (python3 is $(python3 --version 2>&1 || echo missing)); install one, with its venv module"
}

# has_torch PYTHON: whether this Python finds a torch, without importing it.
has_torch() { "$1" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)' >/dev/null 2>&1; }

# Whether an NVIDIA driver, or WSL2's way to one, is at hand.
has_nvidia() { [ -e /proc/driver/nvidia/version ] || [ -e /dev/nvidiactl ] || [ -e /dev/dxg ]; }

# works PYTHON: whether this Python runs and has pip.
works() { "$1" -c 'import pip' >/dev/null 2>&1; }

# make_environment FOLDER: a virtual environment, if there is none that works. It sees the packages of the Python that it is
# made from where that has torch: an installed torch is used, neither downloaded again nor replaced.
# FOLDER/gpuaudit-stamp marks it as ours: another's is installed into, never removed.
make_environment() {
  local folder=$1 python sight=()
  if works "$folder/bin/python"; then return; fi
  if [ -f "$folder/gpuaudit-stamp" ]; then
    rm -rf "$folder"
  elif [ -e "$folder" ]; then
    fail "$folder: not a virtual environment that works, and not made here; move it away"
  fi
  python=$(find_python)
  if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    fail "$python has no venv module; install it (Debian, Ubuntu: apt-get install python3-venv)"
  fi
  if has_torch "$python"; then
    say "torch is installed for $python; it is used as it is"
    sight=(--system-site-packages)
  fi
  say "making $folder"
  if ! { mkdir -p "$folder" && echo unfinished >"$folder/gpuaudit-stamp"; }; then
    fail "$folder: cannot be made; is the disk full, or the checkout read-only?"
  fi
  "$python" -m venv "${sight[@]+"${sight[@]}"}" "$folder" || fail "$folder: a virtual environment cannot be made; the words of $python are above"
}

# install PYTHON ARGS…: pip, quietly; never another torch than the one that is there.
install() {
  local python=$1 pin=() constraint
  shift
  if has_torch "$python"; then
    constraint=$(mktemp)
    "$python" -c 'from importlib.metadata import version; print("torch==" + version("torch"))' >"$constraint"
    pin=(--constraint "$constraint")
  fi
  "$python" -m pip install -qq --disable-pip-version-check "${pin[@]+"${pin[@]}"}" "$@" ||
    fail "pip could not install $*; its words are above"
}

# install_torch PYTHON: torch, if there is none. The CPU build where there is no NVIDIA driver, if one can be reached.
# Says what it is about to download, and how much.
install_torch() {
  local python=$1 plan
  if has_torch "$python"; then return; fi
  plan=$(mktemp)
  say "asking pip what torch needs"
  if has_nvidia; then
    pip_plan "$python" "$plan" torch || fail "pip finds no torch for $("$python" --version); its words are above"
    install_as_planned "$python" "$plan" torch
  elif pip_plan "$python" "$plan" "$TRIED_TORCH" && is_cpu_build "$python" "$plan"; then
    install_as_planned "$python" "$plan" "$TRIED_TORCH"
  elif pip_plan "$python" "$plan" torch --index-url "$CPU_TORCH_INDEX" --timeout 15 --retries 0 2>/dev/null; then
    install_as_planned "$python" "$plan" torch --index-url "$CPU_TORCH_INDEX"
  elif pip_plan "$python" "$plan" torch; then
    is_cpu_build "$python" "$plan" || say "no CPU build of torch can be reached; the CUDA build also runs without a GPU"
    install_as_planned "$python" "$plan" torch
  else
    fail "pip finds no torch for $("$python" --version); its words are above"
  fi
}

# pip_plan PYTHON REPORT ARGS…: what pip would install, as its JSON report.
pip_plan() {
  local python=$1 report=$2
  shift 2
  "$python" -m pip install -qq --disable-pip-version-check --dry-run --report "$report" "$@"
}

is_cpu_build() { "$1" "$root/scripts/downloads.py" --is-cpu-build "$2"; }

install_as_planned() {
  local python=$1 report=$2
  shift 2
  say "about to download $("$python" "$root/scripts/downloads.py" "$report")"
  install "$python" "$@"
}
