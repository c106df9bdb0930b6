#!/bin/sh
# Registers the namespace and the search attributes that Forewarm's workflows set; may run again at any time.
# Reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.
set -eu

until temporal operator cluster health >/dev/null 2>&1; do sleep 1; done

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 7d

# A namespace that was just created is known to all parts of the server some seconds later.
until known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" 2>/dev/null); do sleep 1; done

while read -r name type; do
  echo "$known" | grep -qw "$name" ||
    temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type "$type" </dev/null
done <<'ATTRIBUTES'
ForewarmFleet Keyword
ForewarmHost Keyword
ForewarmPhase Keyword
ForewarmEpoch Int
ForewarmWave Int
ForewarmApproval Keyword
ForewarmRisk Double
ForewarmVerdict Keyword
ATTRIBUTES
