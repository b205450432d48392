#!/bin/sh
# What has to pass before a change is merged.
set -eu
cd "$(dirname "$0")"
scanflow fmt --check policies
scanflow test policies
scanflow check -f agents --policies policies
