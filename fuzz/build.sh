#!/usr/bin/env bash
# Builds the targets into $OUT as OSS-Fuzz and ClusterFuzzLite want them: each program with its options, its dictionary
# and its seeds. To be run anywhere; the toolchain is the one that cargo is, which has to be a nightly one.
set -euo pipefail
: "${OUT:?names the folder for what is built}"
OUT=$(realpath "$OUT")
cd "$(dirname "$0")"

cargo fuzz build
programs=${CARGO_TARGET_DIR:-target}/$(uname -m)-unknown-linux-gnu/release
for options in options/*.options; do
    target=$(basename "$options" .options)
    cp "$programs/$target" "$options" "$OUT"
    rm -f "$OUT/${target}_seed_corpus.zip"
    zip -q -j "$OUT/${target}_seed_corpus.zip" "seeds/$target"/*
done
cp dictionaries/*.dict "$OUT"
