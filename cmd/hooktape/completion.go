package main

import (
	"fmt"
	"os"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help implements kong.HelpProvider.
func (completionCmd) Help() string {
	return `Have your shell read it at its start:

  echo 'source <(hooktape completion bash)' >> ~/.bashrc
  echo 'source <(hooktape completion zsh)' >> ~/.zshrc
  hooktape completion fish > ~/.config/fish/completions/hooktape.fish`
}

// Run prints a shell script that completes command lines. The script calls the program with COMP_LINE set.
func (c completionCmd) Run(e *env) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	script := "complete -C %s hooktape\n"
	switch c.Shell {
	case "zsh":
		script = "autoload -U +X bashcompinit && bashcompinit\n" + script
	case "fish":
		script = "function __complete_hooktape\n    set -lx COMP_LINE (commandline -cp)\n    test -z (commandline " +
			"-ct); and set COMP_LINE \"$COMP_LINE \"\n    %s\nend\ncomplete -f -c hooktape -a " +
			"\"(__complete_hooktape)\"\n"
	}
	_, err = fmt.Fprintf(e.stdout, script, quoteWord(program))
	return err
}
