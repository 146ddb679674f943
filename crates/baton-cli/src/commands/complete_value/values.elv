
# Values that are in the sync file, then all that the table of commands knows.
var baton-of-table = $edit:completion:arg-completer[baton]
set edit:completion:arg-completer[baton] = {|@words|
    var begin = ''
    var word = $words[-1]
    if (and (str:has-prefix $word '--') (str:contains $word '=')) {
        set begin = $word[..(+ 1 (str:index $word '='))]
    }
    var values = []
    try {
        set values = [((external $words[0]) complete-value -- (all $words[1..]))]
    } catch e {
        set values = []
    }
    if (> (count $values) 0) {
        for value $values { put $begin$value }
    } else {
        $baton-of-table $@words
    }
}
