
    # Values that are in the sync file, then all that the table of commands knows.
    $typed = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object {
            if ($_ -is [StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
        })
    $begin = if ($wordToComplete -match '^--[^=]+=') { $Matches[0] } else { '' }
    $word = $wordToComplete.TrimStart([char[]]@("'", '"'))
    # Earlier versions give no empty word to a program.
    $givesEmpty = "$PSNativeCommandArgumentPassing" -in 'Standard', 'Windows'
    if ($word -eq '' -and -not $givesEmpty) { $word = '""' }
    $values = try {
        @(& $commandAst.GetCommandName() complete-value '--' @typed $word 2>$null)
    } catch {
        @()
    }
    if ($values) {
        return $values | ForEach-Object {
            # What could mean something else to the shell is quoted.
            $text = if ($_ -match '^[\w./:][\w./:+=-]*$') {
                $_
            } else {
                "'" + [CodeGeneration]::EscapeSingleQuotedStringContent($_) + "'"
            }
            [CompletionResult]::new($begin + $text, $_, [CompletionResultType]::ParameterValue, $_)
        }
    }
