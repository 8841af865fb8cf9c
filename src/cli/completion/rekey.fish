# fish completion for rekey
function __rekey_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines (string join \n -- $words[2..-1] | rekey complete 2>/dev/null)
    switch "$lines[1]"
        case :files
            __fish_complete_path (commandline -ct)
        case :folders
            __fish_complete_directories (commandline -ct)
        case :commands
            __fish_complete_command
    end
    string join \n -- $lines[2..-1]
end
complete -c rekey -f -a '(__rekey_complete)'
