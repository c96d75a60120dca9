# shellcheck shell=bash
# What the scripts share: where things are, how they speak, how long steps show progress.
# Sourced, never run.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
STATE=$ROOT/.lab
LOGS=$STATE/log
VENV=${MESOS_LAB_VENV:-$ROOT/.venv}
export ROOT STATE LOGS VENV

say() { printf '%s\n' "$@"; }
note() { printf '   %s\n' "$@"; }
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    local line
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}

# Seconds since $1 (a value of SECONDS) as 1m05s.
elapsed() {
    local seconds=$((SECONDS - $1))
    if ((seconds < 60)); then printf '%ds' "$seconds"; else printf '%dm%02ds' $((seconds / 60)) $((seconds % 60)); fi
}

# step TITLE COMMAND...: runs the command with its output in .lab/log/<title>.log, shows
# the time that passes, and prints the log's end when it fails.
step() {
    begin "$@"
    finish "$1"
}

# begin TITLE COMMAND... and finish TITLE: the same in two parts, with other steps between.
begin() {
    local title=$1 log
    shift
    mkdir -p "$LOGS"
    log=$(log_of "$title")
    "$@" >"$log" 2>&1 </dev/null &
    # A file instead of an associative array: the bash of macOS has none.
    echo "$! $SECONDS" >"$log.job"
}

finish() {
    local title=$1 status=0 job started log
    log=$(log_of "$title")
    read -r job started <"$log.job"
    rm "$log.job"
    watch_job "$job" "$title" "$started" "$log"
    wait "$job" || status=$?
    if ((status != 0)); then
        printf ' x %s failed after %s; the end of %s:\n' "$title" "$(elapsed "$started")" "${log#"$ROOT"/}" >&2
        tail -n 25 "$log" | sed 's/^/   | /' >&2
        return "$status"
    fi
    printf ' + %s (%s)\n' "$title" "$(elapsed "$started")"
}

log_of() { printf '%s/%s.log' "$LOGS" "$(tr -cs 'A-Za-z0-9\n' '-' <<<"$1")"; }

# Shows progress until the job ends: one line that changes on a terminal, else a line
# after 10 seconds and then one every 20.
watch_job() {
    local job=$1 title=$2 started=$3 log=$4 next=10
    while kill -0 "$job" 2>/dev/null; do
        sleep 0.2
        if [[ -t 1 ]]; then
            printf '\r   %s %s\033[K' "$title" "$(elapsed "$started")"
        elif ((SECONDS - started >= next)); then
            printf '   %s ... %s: %s\n' "$title" "$(elapsed "$started")" "$(last_line "$log")"
            next=$((SECONDS - started + 20))
        fi
    done
    if [[ -t 1 ]]; then printf '\r\033[K'; fi
}

last_line() { tail -n 1 "$1" 2>/dev/null | tr -d '\r' | cut -c 1-100; }

# The engine that the docker client uses, as every other client understands it: Python's
# does not read docker contexts.
export_docker_host() {
    [[ -z ${DOCKER_HOST:-} ]] || return 0
    local host
    host=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null) || return 0
    if [[ -n $host && $host != unix:///var/run/docker.sock ]]; then export DOCKER_HOST=$host; fi
}

# With MITOGEN=1 Ansible keeps a Python running on each node instead of starting one a task.
use_mitogen() {
    [[ -n ${MITOGEN:-} ]] || return 0
    ANSIBLE_STRATEGY_PLUGINS=$("$VENV/bin/python" -c \
        'import ansible_mitogen, pathlib; print(pathlib.Path(ansible_mitogen.__file__).parent / "plugins" / "strategy")')
    export ANSIBLE_STRATEGY_PLUGINS ANSIBLE_STRATEGY=mitogen_linear
}

# apt-get that asks nothing, waits for another apt to finish and, with a bundle, knows only its packages.
apt_get() {
    local options=(-q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
    if [[ -n ${MESOS_LAB_BUNDLE:-} ]]; then
        options+=(-o "Dir::Etc::SourceList=$MESOS_LAB_BUNDLE/sources.list" -o Dir::Etc::SourceParts=/dev/null)
        options+=(-o "Dir::State::Lists=$MESOS_LAB_BUNDLE/lists" -o APT::Sandbox::User=root)
    fi
    DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" "$@"
}

python_release() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }
debian_release() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null || true; }

# open_bundle FILE: unpacks what scripts/bundle made, once, and points pip, apt and the node image at it.
open_bundle() {
    local file=$1 folder=$STATE/bundle from wanted python
    [[ -f $file ]] || die "there is no bundle at $file" "Make one with 'make bundle' where there is a network."
    from=$(realpath "$file") from+=$(stat --format ' %s %Y' "$file")
    if [[ $(cat "$folder/from" 2>/dev/null) != "$from" ]]; then
        step "Bundle unpacked" unpack_bundle "$file" "$folder" || die "$file is no whole bundle" "Copy it again, or make it anew."
        printf '%s\n' "$from" >"$folder/from"
    fi
    bundle_field() { sed -n "s/^$1=//p" "$folder/bundle"; }
    [[ $(bundle_field machine) == $(uname -m) ]] ||
        die "the bundle is for $(bundle_field machine), this machine is $(uname -m)" "Make one on a machine of this kind."
    python=$(find_python)
    [[ $(bundle_field python) == $(python_release "$python") ]] ||
        die "the bundle is for Python $(bundle_field python), $python is $(python_release "$python")" \
            "Name another in MESOS_LAB_PYTHON, or make the bundle with this one."
    wanted=$(cd "$ROOT/scripts" && "$python" -c 'from labkit import wheelhouse; print(wheelhouse.definition())')
    [[ $(bundle_field definition) == "$wanted" ]] ||
        die "the bundle was made by another version of the lab" "Check out that version, or make the bundle anew."
    mkdir -p "$STATE/cache/wheelhouse"
    cp -r "$folder"/wheelhouse/* "$STATE/cache/wheelhouse"
    MESOS_LAB_NODE_IMAGE=$(bundle_field image)
    export MESOS_LAB_NODE_IMAGE MESOS_LAB_BUNDLE=$folder PIP_NO_INDEX=1 PIP_FIND_LINKS=$folder/python
}

unpack_bundle() {
    rm -rf "$2"
    mkdir -p "$2/lists/partial"
    tar --extract --file "$1" --directory "$2" --no-same-owner && (cd "$2" && sha256sum --check --quiet SHA256SUMS) || return 1
    echo "deb [trusted=yes] file:$2/debian ./" >"$2/sources.list"
}

# After the engine answers.
load_bundled_image() {
    if ! docker image inspect "$MESOS_LAB_NODE_IMAGE" >/dev/null 2>&1; then
        step "Node image, loaded" docker load --quiet --input "$MESOS_LAB_BUNDLE/image.tar.gz"
    fi
}

# The first Python that is new enough and not too new.
find_python() {
    local candidate
    for candidate in "${MESOS_LAB_PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [[ -n $candidate ]] && usable_python "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    die "no Python from 3.11 to 3.14 found" \
        "Install one (Debian: apt-get install python3 python3-venv) or name it in MESOS_LAB_PYTHON."
}
usable_python() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null
}

# Tests that run a real ZooKeeper are skipped where there is none.
ensure_zookeeper() {
    if [[ -e /usr/share/java/zookeeper.jar ]] && command -v java >/dev/null; then return 0; fi
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        step "Package lists" apt_get update
        step "ZooKeeper" apt_get install --no-install-recommends libzookeeper-java default-jre-headless
    else
        note "No ZooKeeper here: tests that need one are skipped." \
            "Debian has it in libzookeeper-java and default-jre-headless."
    fi
}
