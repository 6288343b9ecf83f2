#!/usr/bin/env bash
# Audit every node of a Slurm allocation. Usage: NONCE=$(openssl rand -hex 32) salloc -N 8 --exclusive --gpus-per-node=8 ./srun.sh FOLDER
set -euo pipefail
export FOLDER=$1 NONCE
mkdir -p "$FOLDER/keys"
srun --ntasks-per-node=1 --kill-on-bad-exit=0 bash -c '
  node=$(hostname)
  if [ -e "$FOLDER/$node/evidence.json" ]; then exit 0; fi
  own=$(printf "%s %s" "$NONCE" "$node" | sha256sum | cut -c1-64)
  if gpuaudit attest --nonce "$own" --out "$FOLDER/$node" > /dev/null; then
    gpuaudit keys show --pem > "$FOLDER/keys/$node.pub"
  else
    echo "attest ended with status $? on $node" > "$FOLDER/$node.failed"
  fi'
