#!/bin/sh
# What the tests need of the system: Chromium, a Chinese font to look at, and poppler, which renders label files.
# Install it where we may; say so where not.
set -eu
packages="chromium fonts-noto-cjk poppler-utils"
command -v chromium >/dev/null && command -v pdftoppm >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
else
    echo "Chromium or poppler is missing; run: sudo apt-get install $packages" >&2
    exit 1
fi
