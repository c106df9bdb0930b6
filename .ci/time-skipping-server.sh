#!/usr/bin/env bash
# Fetches Temporal's time-skipping test server with Maven into the cache and prints the path of a program that starts it.
# The tests find it through FOREWARM_TEST_SERVER. Needs Java 11 or newer and Maven.
set -euo pipefail
version=1.38.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/forewarm/temporal-test-server-$version"
program="$cache/temporal-test-server"

fetch() {
  local project="$cache/project"
  mkdir -p "$project"
  cat >"$project/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>forewarm</groupId>
  <artifactId>time-skipping-server</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
  mvn --batch-mode --quiet -Dstyle.color=never --file "$project/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/lib" >&2
}

# The program is written last, so that one cut off in mid-fetch is fetched again.
if [[ ! -x "$program" ]]; then
  fetch
  printf '#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -cp "%s/*" io.temporal.testserver.TestServer "$1" --enable-time-skipping\n' "$cache/lib" >"$program.partial"
  chmod +x "$program.partial"
  mv "$program.partial" "$program"
fi
echo "$program"
