# PowerShell completion for rekey
Register-ArgumentCompleter -Native -CommandName rekey, rekey.exe -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  # Windows PowerShell writes ASCII otherwise.
  $OutputEncoding = [System.Text.UTF8Encoding]::new($false)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { "$_".Trim("'", '"') })
  $words += $wordToComplete.Trim("'", '"')
  $words | & $commandAst.GetCommandName() complete 2>$null | Where-Object { $_ -notlike ':*' } | ForEach-Object {
    $word, $meaning = $_ -split [char]9, 2
    $text = if ($word -match '^[\w./:=-]+$') { $word } else { "'" + ($word -replace "['‘’‚‛]", '$0$0') + "'" }
    [System.Management.Automation.CompletionResult]::new($text, $word, 'ParameterValue', "$meaning ")
  }
}
