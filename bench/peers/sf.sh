#!/bin/sh
# The sf command line: 2.0, its commands for files. It logs in with a token first, and waits a pause of its own between two looks.
#   sh sf.sh load2|extract2 URL FOLDER OUT POLL
set -eu
verb=$1 url=$2 folder=$3 out=$4
clients=$PWD/tests/judges/clients/sf
mkdir -p "$out/home"
cd "$out/home"
export HOME="$PWD" SF_ACCESS_TOKEN='00D000000000001!bench' SF_AUTOUPDATE_DISABLE=true SF_DISABLE_TELEMETRY=true SF_USE_GENERIC_UNIX_KEYCHAIN=true
sf() { "$clients/node_modules/node/bin/node" "$clients/sf.mjs" "$@"; }
sf org login access-token --instance-url "$url" --no-prompt --alias bench --set-default --json > login.json
case $verb in
  load2) sf data import bulk --sobject Contact --file "$folder/contacts.csv" --wait 30 --json > said.json ;;
  extract2) sf data export bulk --query 'SELECT Id FROM Contact' --output-file "$out/out.csv" --wait 30 --json > said.json ;;
esac
sed -n 's/.*"\(processedRecords\|totalSize\)": *\([0-9]*\).*/{"rows": \2}/p' said.json
