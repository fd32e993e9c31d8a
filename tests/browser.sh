#!/bin/sh
# The browser tests need Chromium and a Chinese font: install them where we may, say so where not.
set -eu
command -v chromium >/dev/null && fc-list 2>/dev/null | grep -qi 'noto.*cjk' && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fontconfig fonts-noto-cjk >/dev/null
else
    echo "Chromium or a Chinese font is missing; run: sudo apt-get install chromium fonts-noto-cjk" >&2
    exit 1
fi
