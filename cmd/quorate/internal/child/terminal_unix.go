//go:build unix

package child

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A terminal is the controlling terminal, which belongs to one group at a
// time: reading from it, or changing it, stops every other group.
//
// The command gets it at once where standard input and output both are
// terminals. Where they are not, this process may be part of a pipeline whose
// other members use the terminal; the command then gets it when it asks for
// it. In either case only while this process's group has it.
type terminal struct {
	file  *os.File
	group int // the command's
	wants bool
	state *term.State // as it was before the command got it
}

// openTerminal gives nil where there is no controlling terminal.
func openTerminal(group int) *terminal {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	both := term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
	return &terminal{file: f, group: group, wants: both}
}

func (t *terminal) owner() int {
	pgrp, err := unix.IoctlGetInt(int(t.file.Fd()), unix.TIOCGPGRP)
	if err != nil {
		return -1
	}
	return pgrp
}

// ours reports whether this process's group has the terminal.
func (t *terminal) ours() bool { return t != nil && t.owner() == syscall.Getpgrp() }

// given reports whether the command's group has the terminal.
func (t *terminal) given() bool { return t != nil && t.owner() == t.group }

// wanted reports whether the command is to have the terminal and may.
func (t *terminal) wanted() bool { return t != nil && t.wants && t.ours() }

// give hands the terminal to the command's group.
func (t *terminal) give() {
	if t.state == nil {
		t.state, _ = term.GetState(int(t.file.Fd()))
	}
	_ = unix.IoctlSetPointerInt(int(t.file.Fd()), unix.TIOCSPGRP, t.group)
}

// takeBack returns the terminal to this process's group, as it was, if the
// command's group had it to the end.
func (t *terminal) takeBack() {
	if t == nil {
		return
	}
	defer t.file.Close()
	if !t.given() {
		return
	}
	// It is changed from the background now, which would stop this process.
	signal.Ignore(syscall.SIGTTOU)
	defer signal.Reset(syscall.SIGTTOU)
	_ = unix.IoctlSetPointerInt(int(t.file.Fd()), unix.TIOCSPGRP, syscall.Getpgrp())
	if t.state != nil {
		_ = term.Restore(int(t.file.Fd()), t.state)
	}
}
