// What a shell runs at each press of Tab. It knows nothing of commands: it asks the program, which knows those that it has.

/** Shells whose lines can be completed. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** A script for each shell, to be sourced. */
export const scripts: Record<(typeof SHELLS)[number], string> = {
  bash: `\
# usageflow: completion for bash
_usageflow() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(usageflow __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _usageflow usageflow
`,
  zsh: `\
#compdef usageflow
# usageflow: completion for zsh
_usageflow() {
  local line
  local -a found
  while IFS= read -r line; do
    found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done < <(usageflow __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe usageflow found; else _files; fi
}
compdef _usageflow usageflow
`,
  fish: `\
# usageflow: completion for fish
function __usageflow_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found (usageflow __complete $words[2..] 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c usageflow -f -a '(__usageflow_complete)'
`,
};
