//go:build unix && !linux

package child

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes put a command into group.
func attributes(group int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pgid: group}
}

// reapOrphans has no counterpart here: init reaps.
func reapOrphans() {}

// self names this program.
func self() (string, error) { return os.Executable() }

// clock gives the time since the machine was started. It is the same in all
// processes and nobody sets it.
func clock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return time.Duration(time.Now().UnixNano())
	}
	return time.Duration(ts.Nano())
}

// noSuchGroup reports what the attempt to signal a group says; a group of
// zombies may not be signalled.
func noSuchGroup(err error) bool { return err == syscall.ESRCH || err == syscall.EPERM }
