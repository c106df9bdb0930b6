#!/bin/sh
# Creates Temporal's two databases and brings their tables to the newest form; may run again at any time.
set -eu

for name in temporal temporal_visibility; do
  schema=temporal
  [ "$name" = temporal_visibility ] && schema=visibility
  sql() { temporal-sql-tool --plugin postgres12 --ep postgres --port 5432 --user forewarm --db "$name" "$@"; }
  sql create
  sql setup-schema --version 0.0
  sql update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
