#!/bin/sh
# Programs that tests use besides Python. Installs what is missing where it may (root on Debian);
# names it otherwise, and the tests that need it are skipped by name (or fail, under CI=true).
# Everything there already: does nothing and needs no network.
set -eu
cd "$(dirname "$0")/../.."

has() { command -v "$1" >/dev/null 2>&1; }

# apt-get update at most once a run, and only if something has to be fetched.
refreshed=no
refresh() {
    if [ "$refreshed" = no ] && [ "$(id -u)" = 0 ]; then
        apt-get update -qq
        refreshed=yes
    fi
}

# Apache Kafka: Maven fetches it, Java runs it.
# A C compiler: the fold is tested as the image has it, too.
packages=
has cc || packages="$packages gcc libc6-dev"
has java && java -version >/dev/null 2>&1 || packages="$packages default-jre-headless"
# Chromium shows the wallboard to tests (tests/browser).
has chromium || packages="$packages chromium"
has mvn || [ -f tests/kafka/target/fetched ] || packages="$packages maven"
if [ -n "$packages" ]; then
    if has apt-get && [ "$(id -u)" = 0 ]; then
        refresh
        # shellcheck disable=SC2086  # a list of names
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
    else
        echo "Not installed:$packages. Tests on Apache Kafka, of the compiled fold and of pages need them" \
            "(Debian: sudo apt install$packages; macOS: xcode-select --install and" \
            "brew install openjdk maven)." >&2
    fi
fi

# promtool and amtool check the alert rules, prometheus and prometheus-alertmanager run them. Debian's
# packages would start the servers, too, so only the programs are taken out of them.
tools=build/tools
for pair in promtool:prometheus prometheus:prometheus amtool:prometheus-alertmanager \
    prometheus-alertmanager:prometheus-alertmanager; do
    program=${pair%%:*}
    package=${pair##*:}
    if has "$program" || [ -x "$tools/usr/bin/$program" ]; then
        continue
    fi
    if has apt-get && has dpkg-deb; then
        refresh
        mkdir -p "$tools"
        if (cd "$tools" && apt-get -o APT::Sandbox::User=root download -qq "$package" && dpkg-deb -x "$package"_*.deb . &&
            rm "$package"_*.deb); then
            continue
        fi
    fi
    echo "Not installed: $program. Tests of the alert rules need it" \
        "(Debian: sudo apt install $package; macOS: brew install prometheus alertmanager)." >&2
done

# Debian's Alertmanager reads its templates from where its package puts them, and nowhere else.
templates=/usr/share/prometheus/alertmanager
if [ -d "$tools$templates" ] && [ ! -e "$templates" ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$(dirname "$templates")"
    cp -r "$tools$templates" "$templates"
fi
