#!/bin/sh
# Writes .env from .env.example: every secret that is empty there gets 48 random hexadecimal digits. An existing .env stays as it is.
#
#   sh deploy/secrets.sh
set -eu
cd "$(dirname "$0")/.."
if [ -e .env ]; then
    echo ".env exists already; nothing was changed" >&2
    exit 1
fi
umask 077
trap 'rm -f .env.new' EXIT
while IFS= read -r line; do
    case $line in
    [A-Z]*=) printf '%s%s\n' "$line" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" ;;
    *) printf '%s\n' "$line" ;;
    esac
done <.env.example >.env.new
mv .env.new .env
echo ".env is written; read it once, it explains each line"
