#!/bin/sh
# The browser tests need Chromium: install it where we may, with a Chinese font to look at; say so where not.
set -eu
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null
else
    echo "Chromium is missing; run: sudo apt-get install chromium fonts-noto-cjk" >&2
    exit 1
fi
