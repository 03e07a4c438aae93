package child

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes put a command into group, and have the system kill it when the
// thread that started it is gone.
func attributes(group int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pgid: group, Pdeathsig: syscall.SIGKILL}
}

// reapOrphans makes this process the one that orphans of the command come to,
// so that those of the group do not linger as zombies and look alive.
func reapOrphans() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// self names this program, also when its file was removed or replaced.
func self() (string, error) {
	const exe = "/proc/self/exe"
	if _, err := os.Stat(exe); err == nil {
		return exe, nil
	}
	return os.Executable()
}

// clock gives the time since the machine was started. It is the same in all
// processes, nobody sets it, and it does not stand still in a suspended machine.
func clock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Duration(time.Now().UnixNano())
	}
	return time.Duration(ts.Nano())
}

// noSuchGroup reports what the attempt to signal a group says.
func noSuchGroup(err error) bool { return err == syscall.ESRCH }
