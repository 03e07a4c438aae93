//go:build unix

package child

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// passed are the signals that are meant for the command rather than for the
// process that runs it. SIGTSTP is not among them: it stops this process as it
// stops any other, which stopJob rests on, and could not once it was caught.
var passed = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
	syscall.SIGWINCH, syscall.SIGALRM, syscall.SIGCONT,
}

// ending are those of them that ask a program to end.
var ending = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// Catch begins to catch the signals that are passed on to a command. Those that
// were ignored when the process began (nohup) stay ignored.
func Catch() *Signals {
	s := &Signals{ch: make(chan os.Signal, 16)}
	for _, sig := range passed {
		if !signal.Ignored(sig) {
			signal.Notify(s.ch, sig)
		}
	}
	// Writing to a pipe that nobody reads is an error to deal with, not the end.
	s.pipe = make(chan os.Signal, 1)
	signal.Notify(s.pipe, syscall.SIGPIPE)
	return s
}

// stopJob stops this process's group, as the terminal does on Ctrl-Z, and
// returns when it has been continued.
func stopJob() {
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGCONT)
	defer signal.Stop(woken)
	_ = syscall.Kill(0, syscall.SIGTSTP)
	// Time passes while the process is stopped, so after a stop the first look
	// finds both. A group that no shell watches over is not stopped at all; it
	// goes on after this moment.
	select {
	case <-woken:
	case <-time.After(100 * time.Millisecond):
	}
}

// Code is the exit code of a program that a signal ended.
func Code(s os.Signal) int {
	if sig, ok := s.(syscall.Signal); ok {
		return 128 + int(sig)
	}
	return 1
}

// Name is what people call the signal.
func Name(s os.Signal) string {
	if sig, ok := s.(syscall.Signal); ok {
		if name := unix.SignalName(sig); name != "" {
			return name
		}
	}
	return s.String()
}
