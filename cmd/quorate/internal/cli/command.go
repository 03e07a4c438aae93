package cli

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
)

const (
	// commandVar tells a command that quorate runs where quorate is, so that
	// it can call it although it may not be in the PATH.
	commandVar = "QUORATE"
	// devGrace is what a command of "quorate dev" gets to end when its etcd has.
	devGrace = 5 * time.Second
)

// find looks the command up in the PATH, before anything else is done for it.
func find(command []string) (child.Command, error) {
	path, err := exec.LookPath(command[0])
	if errors.Is(err, exec.ErrDot) {
		err = nil // named by the user, as shells have it
	}
	if err != nil {
		return child.Command{}, notRunnable(command[0], err)
	}
	return child.Command{Path: path, Args: command, Env: os.Environ()}, nil
}

// notRunnable tells apart, as shells do, a command that is not there and one
// that cannot be run.
func notRunnable(name string, err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return fail(exitNotFound, "command %q is not found", name)
	}
	return fail(exitNotRunnable, "command %q cannot be run: %w", name, rootCause(err))
}

// notStarted is for an error of child.Guard.Run.
func notStarted(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return notRunnable(e.Path, err)
	}
	return fail(exitFailed, "%w", err)
}

func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
