# shellcheck shell=bash
# What scripts/test and scripts/test-full share: parts that all run, whichever fails, and an end that says
# how each went and what failed in it. Sourced, never run.

PARTS=()
FAILED_PARTS=()

# part NAME COMMAND...
part() {
    local started=$SECONDS outcome=passed
    say "" "=== $1"
    "${@:2}" 2>&1 | tee "$(log_of "test $1")" || { outcome=FAILED FAILED_PARTS+=("$1"); }
    PARTS+=("$(printf '%-16s %-6s %s' "$1" "$outcome" "$(elapsed "$started")")")
}

# beside NAME COMMAND... and joined NAME: a part that runs while others do, one at a time; its output comes
# with joined.
beside() {
    say "" "=== $1 has begun"
    # With job control it has a process group of its own, in which Ctrl-C is not ignored.
    set -m
    "${@:2}" >"$(log_of "test $1")" 2>&1 </dev/null &
    set +m
    BESIDE=$! BESIDE_STARTED=$SECONDS
    trap 'kill -- "-$BESIDE" 2>/dev/null || true' EXIT
}

joined() {
    local outcome=passed
    wait "$BESIDE" || { outcome=FAILED FAILED_PARTS+=("$1"); }
    trap - EXIT
    say "" "=== $1"
    cat "$(log_of "test $1")"
    PARTS+=("$(printf '%-16s %-6s %s' "$1" "$outcome" "$(elapsed "$BESIDE_STARTED")")")
}

# The lines of a part's output that name what failed, colours taken off; without any, its end.
NAMES_A_FAILURE='^(FAILED|ERROR) '                          # pytest's summary
NAMES_A_FAILURE+='|^(error|fatal|failed): |^\[ERROR\]|^ x ' # our scripts, Ansible
NAMES_A_FAILURE+='|CRITICAL|AssertionError|Internal error'
NAMES_A_FAILURE+='|^ +--> |: error: |^In .* line [0-9]+:|^[^ ]+\.ya?ml:[0-9]' # linters
failures_of() {
    local log
    log=$(log_of "test $1")
    sed -E 's/\x1b\[[0-9;]*m//g' "$log" | grep -E "$NAMES_A_FAILURE" | tail -n 40 | cut -c 1-400 || tail -n 15 "$log"
}

# report TITLE: exits with an error when a part failed.
report() {
    local name
    for name in ${FAILED_PARTS[@]+"${FAILED_PARTS[@]}"}; do
        say "" "=== $name failed; its output is in $(log_of "test $name")" "$(failures_of "$name")"
    done
    say "" "=== $1, $(elapsed 0)" "${PARTS[@]}"
    ((${#FAILED_PARTS[@]} == 0)) || die "${#FAILED_PARTS[@]} of ${#PARTS[@]} parts failed: ${FAILED_PARTS[*]}"
}
