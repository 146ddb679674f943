# shellcheck shell=bash
# For scripts that check others: counts faults, and ends with 1 if there are any.
#
#   source packaging/faults.bash
#   passes "what" command…            the command succeeds
#   refused "what" "text" command…    the command fails, and its output has the text
#   fault "what"                      something else is wrong
#   report "what was checked"         the last line of the script

faults=0
output=$(mktemp)

fault() {
  echo "fault: $*" >&2
  faults=$((faults + 1))
}

passes() {
  local what=$1
  shift
  "$@" >"$output" 2>&1 || fault "$what: $(tail -5 "$output")"
}

refused() {
  local what=$1 text=$2
  shift 2
  if "$@" >"$output" 2>&1; then
    fault "$what: it was not refused"
  elif ! grep -qF -- "$text" "$output"; then
    fault "$what: the error is: $(cat "$output")"
  fi
}

report() {
  rm -f "$output"
  if [ "$faults" -gt 0 ]; then
    echo "error: $1: faults: $faults" >&2
    exit 1
  fi
  echo "$1: all checks passed"
}

# needs TOOL…: ends the script if a tool is not installed.
needs() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || { echo "error: $tool is not installed" >&2; exit 1; }
  done
}
