#!/usr/bin/env bash
# ClusterFuzzLite runs this in the image of the Dockerfile beside it, which has the sources in $SRC/olemem.
set -euo pipefail
exec "$SRC/olemem/fuzz/build.sh"
