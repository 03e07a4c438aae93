package cli

import (
	"errors"
	"fmt"
)

// Exit codes of the command. They are listed in docs/command.md.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnavailable = 69 // etcd gives no answer
	exitInternal    = 70
	exitNotObtained = 75
	exitLost        = 76
	exitDenied      = 77  // etcd refuses the user
	exitNotRunnable = 126 // as shells have it
	exitNotFound    = 127
	exitPipe        = 128 + 13 // SIGPIPE, as programs end that do not catch it
)

// An exitError is an error with the exit code it leads to.
type exitError struct {
	code int
	err  error // nil: everything has been said
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// fail makes an error that ends the program with code.
func fail(code int, format string, args ...any) error {
	return &exitError{code: code, err: fmt.Errorf(format, args...)}
}

// usage makes an error about how the command was called.
func usage(format string, args ...any) error { return fail(exitUsage, format, args...) }

// quit ends the program with code and says nothing.
func quit(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

// silent reports whether err has no words for the user.
func silent(err error) bool {
	var e *exitError
	return errors.As(err, &e) && e.err == nil
}
