# Values that are in the sync file, then all that the table of commands knows.
functions[_baton_of_table]=$functions[_baton]
_baton() {
    local program=${(Q)words[1]}
    local -a typed values
    # Words are as they were typed.
    typed=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
    values=("${(@f)$("${program/#\~\//$HOME/}" complete-value -- "${typed[@]}" 2>/dev/null)}")
    if [[ -z "$values" ]]; then
        _baton_of_table "$@"
        return
    fi
    [[ $PREFIX == --*=* ]] && compset -P 1 '*='
    compadd -V baton-values -a -- values
}

