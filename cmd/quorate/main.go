// Command quorate coordinates programs over etcd. See docs/command.md.
package main

import (
	"os"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/cmd/quorate/internal/cli"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == child.GuardArg {
		os.Exit(child.GuardMain())
	}
	os.Exit(cli.Main())
}
