#!/bin/sh
# curl: what the wire costs. Loads batches that are cut already, which is not counted; extracts to a file.
#   sh curl.sh load|extract URL FOLDER OUT POLL
set -eu
verb=$1 jobs=$2/services/async/66.0/job folder=$3 out=$4
space='xmlns="http://www.force.com/2009/06/asyncapi/dataload"'
session='X-SFDC-Session: 00D000000000001!bench'
ask() { curl -sS -H "$session" -H 'Content-Type: application/xml' "$@"; }
told() { sed -n "s/.*<$1>\([^<]*\)<.*/\1/p" | head -n 1; }
[ "$verb" = load ] && operation=insert || operation=query
job=$(ask -d "<jobInfo $space><operation>$operation</operation><object>Contact</object><contentType>CSV</contentType></jobInfo>" "$jobs" | told id)

if [ "$verb" = load ]; then
  for batch in "$folder"/cut/*.csv; do
    printf 'next\nurl = "%s/%s/batch"\nheader = "%s"\nheader = "Content-Type: text/csv"\nheader = "Expect:"\ndata-binary = "@%s"\noutput = "%s/%s.xml"\n' \
      "$jobs" "$job" "$session" "$batch" "$out" "$(basename "$batch")"
  done | sed 1d > "$out/send"
  curl -sS -K "$out/send"
  for sent in "$out"/*.csv.xml; do
    printf 'next\nurl = "%s/%s/batch/%s/result"\nheader = "%s"\noutput = "%s.result"\n' "$jobs" "$job" "$(told id < "$sent")" "$session" "$sent"
  done | sed 1d > "$out/fetch"
  curl -sS -K "$out/fetch"
  ask -o /dev/null -d "<jobInfo $space><state>Closed</state></jobInfo>" "$jobs/$job"
else
  batch=$(curl -sS -H "$session" -H 'Content-Type: text/csv' -d 'SELECT Id FROM Contact' "$jobs/$job/batch" | told id)
  result=$(ask "$jobs/$job/batch/$batch/result" | told result)
  ask -o "$out/out.csv" "$jobs/$job/batch/$batch/result/$result"
fi
echo '{"rows": -1}'
