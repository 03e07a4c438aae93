package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// ownCompletion gives cobra's command "completion" our words, and has it refuse
// a shell that it does not know.
func ownCompletion(c *cobra.Command) {
	c.Short = "Print a completion script for a shell"
	c.Long = `completion prints a script that completes quorate's commands and flags in a
shell. The help of each shell says how to load it.`
	c.Args = knownCommand
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	for _, shell := range c.Commands() {
		shell.Short = "Print the completion script for " + shell.Name()
		shell.Long = strings.ReplaceAll(shell.Long, "\n\n\n", "\n\n")
		if _, how, ok := strings.Cut(shell.Long, "\n\n"); ok {
			shell.Long = shell.Name() + " prints the completion script for that shell.\n\n" + how
		}
	}
}

// ownHelp has cobra's command "help" refuse what is no command.
func ownHelp(help *cobra.Command) {
	help.Use = "help [COMMAND...]"
	help.Short = "Show the help of a command"
	help.Long = "help shows the help of a command, as COMMAND --help does."
	help.Run = nil
	help.RunE = func(c *cobra.Command, args []string) error {
		found := c.Root()
		for _, name := range args {
			next := below(found, name)
			if next == nil {
				return knownCommand(found, []string{name})
			}
			found = next
		}
		found.InitDefaultHelpFlag()
		return found.Help()
	}
}

// below finds the command of that name below c.
func below(c *cobra.Command, name string) *cobra.Command {
	for _, sub := range c.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return sub
		}
	}
	return nil
}

// knownCommand is what cobra asks when an argument of a command that only has
// commands below it names none of them.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	for c.SuggestionsMinimumDistance = 1; hint == "" && c.SuggestionsMinimumDistance < min(3, len(args[0])); c.SuggestionsMinimumDistance++ {
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf(", perhaps %q", near[0])
		}
	}
	return usage("unknown command %q%s; see '%s --help'", args[0], hint, c.CommandPath())
}
