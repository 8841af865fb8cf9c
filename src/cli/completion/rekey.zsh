#compdef rekey
# zsh completion for rekey
_rekey() {
  local -a lines described
  local line
  lines=("${(@f)$(print -rl -- "${(@Q)words[2,CURRENT]}" | $words[1] complete 2>/dev/null)}")
  for line in "${(@)lines[2,-1]}"; do
    described+=("${${${line%%$'\t'*}//\\/\\\\}//:/\\:}:${line#*$'\t'}")
  done
  (( $#described )) && _describe rekey described
  case $lines[1] in
    :files) _files ;;
    :folders) _files -/ ;;
    :commands) _command_names -e ;;
  esac
}
if [[ $funcstack[1] == _rekey ]]; then
  _rekey "$@"
else
  compdef _rekey rekey
fi
