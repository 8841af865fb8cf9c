# bash completion for rekey
_rekey() {
  local -a words=() lines=()
  local i word line value glue= prefix=
  # readline takes = and : for the ends of words, rekey does not.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ ${#words[@]} -gt 0 && ( -n $glue || $word =~ ^[=:]+$ ) ]]; then
      words[${#words[@]}-1]+=$word
    else
      words+=("$word")
    fi
    if [[ $word =~ ^[=:]+$ ]]; then glue=1; else glue=; fi
  done
  word=${words[${#words[@]}-1]}
  [[ $word == *[=:]* ]] && prefix=${word%"${word##*[=:]}"}
  mapfile -t lines < <(printf '%s\n' "${words[@]}" | "${COMP_WORDS[0]/#\~/$HOME}" complete 2>/dev/null)
  COMPREPLY=()
  for line in "${lines[@]:1}"; do
    value=${line%%$'\t'*}
    COMPREPLY+=("$(printf %q "${value#"$prefix"}")")
  done
  case ${lines[0]-} in
    :files) compopt -o default ;;
    :folders) compopt -o dirnames ;;
    :commands) mapfile -t COMPREPLY < <(compgen -c -- "$word") ;;
  esac
}
complete -F _rekey rekey
