/**
 * `xmcastctl completion`: scripts for shells that ask `xmcastctl __complete` what may follow, so that they never fall behind the commands.
 */
import { Argument, type Command } from 'commander';

import { candidatesFor, type LiveNames } from './complete';
import { EXIT, type ExitStatus } from './failure';
import type { CliIo } from './run';

const BASH = `# bash completion of xmcastctl. For this shell: source <(xmcastctl completion bash)
_xmcastctl() {
  local value
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do COMPREPLY+=("$value"); done \\
    < <("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _xmcastctl xmcastctl
`;

const ZSH = `#compdef xmcastctl
# zsh completion of xmcastctl. For this shell: source <(xmcastctl completion zsh)
_xmcastctl() {
  local value text
  local -a candidates
  while IFS=$'\\t' read -r value text; do candidates+=("\${value//:/\\\\:}:$text"); done \\
    < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( $#candidates )); then _describe xmcastctl candidates; else _files; fi
}
(( $+functions[compdef] )) && compdef _xmcastctl xmcastctl
`;

const FISH = `# fish completion of xmcastctl. For this shell: xmcastctl completion fish | source
function __xmcastctl_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l candidates ($words[1] __complete -- $words[2..-1] 2>/dev/null)
  if test (count $candidates) -gt 0
    printf '%s\\n' $candidates
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c xmcastctl -f -a '(__xmcastctl_complete)'
`;

const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
type Shell = keyof typeof SCRIPTS;

/** `liveNames` asks the daemon that the words before the cursor name. */
export function addCompletion(program: Command, io: CliIo, liveNames: LiveNames, finish: (status: ExitStatus) => void): void {
  program
    .command('completion')
    .description('a script that lets a shell complete xmcastctl, with the names that the router has now')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(xmcastctl completion bash)                                       for this shell\n  xmcastctl completion fish > ~/.config/fish/completions/xmcastctl.fish     for every shell to come',
    )
    .action((shell: Shell) => {
      io.stdout.write(SCRIPTS[shell]);
      finish(EXIT.ok);
    });
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      const candidates = await candidatesFor(program, words, liveNames);
      io.stdout.write(candidates.map(({ value, text }) => `${value}\t${text}\n`).join(''));
      finish(EXIT.ok);
    });
}
