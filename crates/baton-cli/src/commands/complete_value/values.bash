
# Values that are in the sync file, then all that the table of commands knows.
COMP_WORDBREAKS=${COMP_WORDBREAKS//:/}
_baton_with_values() {
    local value
    local -a values=()
    while IFS= read -r value; do
        values+=("$(printf '%q' "$value")")
    done < <("$1" complete-value -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if ((${#values[@]})); then
        COMPREPLY=("${values[@]}")
    else
        _baton "$@"
    fi
}
complete -F _baton_with_values -o nosort -o bashdefault -o default baton
