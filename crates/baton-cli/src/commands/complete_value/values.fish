
# Values that are in the sync file.
function __fish_baton_has_values
    set -l typed (commandline -opc)
    set -l word (commandline -ct | string trim --left --chars '\'"' | string unescape)
    set -q word[1]; or set word ''
    set -g __fish_baton_values ($typed[1] complete-value -- $typed[2..-1] $word 2>/dev/null)
    set -q __fish_baton_values[1]
end
complete -c baton -n __fish_baton_has_values -f -a '$__fish_baton_values'
