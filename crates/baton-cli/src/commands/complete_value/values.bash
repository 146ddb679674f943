
# Values that are in the sync file, then all that the table of commands knows.
COMP_WORDBREAKS=${COMP_WORDBREAKS//:/}
_baton_with_values() {
    local word value before='' sign='' quote=''
    local -a typed=() values=()
    # Words are as they were typed, and `--flag=value` is three of them.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ $word == '=' && $before == --* ]]; then
            sign=1
            continue
        fi
        sign='' quote='' before=$word
        if [[ $word == [\'\"]* ]]; then
            quote=${word:0:1}
            word=${word:1}
            word=${word%"$quote"}
        else
            word=${word//\\/}
        fi
        typed+=("$word")
    done
    if [[ $sign ]]; then
        typed+=('')
        quote=''
    fi
    while IFS= read -r value; do
        case $quote in
            "'") [[ $value == *\'* ]] || values+=("$value") ;;
            '"') [[ $value == *[\"\$\`\\!]* ]] || values+=("$value") ;;
            *) values+=("$(printf '%q' "$value")") ;;
        esac
    done < <("${1/#\~\//$HOME/}" complete-value -- "${typed[@]}" 2>/dev/null)
    if ((${#values[@]})); then
        COMPREPLY=("${values[@]}")
    else
        _baton "$@"
    fi
}
if [[ ${BASH_VERSINFO[0]} -eq 4 && ${BASH_VERSINFO[1]} -ge 4 || ${BASH_VERSINFO[0]} -gt 4 ]]; then
    complete -F _baton_with_values -o nosort -o bashdefault -o default baton
else
    complete -F _baton_with_values -o bashdefault -o default baton
fi
