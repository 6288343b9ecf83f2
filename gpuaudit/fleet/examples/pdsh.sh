#!/usr/bin/env bash
# Audit hosts by ssh. Usage: NONCE=$(openssl rand -hex 32) ./pdsh.sh HOSTS FOLDER, with HOSTS as pdsh -w takes them and FOLDER on a shared disk
set -euo pipefail
hosts=$1 folder=$2
mkdir -p "$folder/keys"
pdsh -w "$hosts" -u 1800 "
  node=\$(hostname)
  [ -e '$folder'/\$node/evidence.json ] && exit 0
  own=\$(printf '%s %s' '$NONCE' \$node | sha256sum | cut -c1-64)
  if gpuaudit attest --nonce \$own --out '$folder'/\$node > /dev/null; then
    gpuaudit keys show --pem > '$folder'/keys/\$node.pub
  else
    echo \"attest ended with status \$? on \$node\" > '$folder'/\$node.failed
  fi"
