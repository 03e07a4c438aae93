package cluster

import "syscall"

// dieWithParent makes the kernel kill the child when the test process dies. The
// child gets a process group of its own, so that an interrupt typed at the
// terminal reaches the test first.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
