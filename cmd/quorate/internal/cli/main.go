// Package cli is the command quorate: its commands, flags, output and exit
// codes. docs/command.md describes it for its users.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
)

// Main runs the command with this process's arguments and returns the exit code.
func Main() (code int) {
	app := &app{out: &output{to: os.Stdout}, errOut: os.Stderr, args: os.Args[1:], getenv: os.LookupEnv}
	defer func() {
		if p := recover(); p != nil {
			code = app.report(fail(exitInternal, "internal error, which is a bug in quorate: %v", p))
		}
	}()
	return app.run(context.Background())
}

// app is one run of the command.
type app struct {
	out     *output
	errOut  io.Writer
	args    []string
	getenv  func(string) (string, bool)
	signals *child.Signals

	flags globalFlags
}

// run carries the command out and returns the exit code.
func (a *app) run(ctx context.Context) int {
	a.signals = child.Catch()
	defer a.signals.Stop()
	root := a.root()
	root.SetArgs(a.args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = a.out.err
	}
	return a.report(err)
}

// report tells the user what went wrong and returns the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return exitOK
	}
	if a.out.err != nil && errors.Is(err, syscall.EPIPE) {
		return exitPipe // whoever read our output has what was wanted
	}
	code := codeOf(err)
	if silent(err) {
		return code
	}
	sentence := a.sentence(err)
	// The flags may not have been read when the error is about them.
	if a.flags.json || slices.Contains(beforeDashes(a.args), "--json") {
		line, _ := json.Marshal(struct {
			Error string `json:"error"`
			Exit  int    `json:"exit"`
		}{sentence, code})
		fmt.Fprintf(a.errOut, "%s\n", line)
		return code
	}
	fmt.Fprintf(a.errOut, "quorate: %s\n", sentence)
	return code
}

// beforeDashes gives what stands before "--": behind it are other programs' flags.
func beforeDashes(args []string) []string {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i]
	}
	return args
}

func codeOf(err error) int {
	if e := (*exitError)(nil); errors.As(err, &e) {
		return e.code
	}
	if s := child.InterruptedBy(err); s != nil {
		return child.Code(s)
	}
	return codeOfEtcd(err)
}
