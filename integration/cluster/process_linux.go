package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// dieWithParent makes the kernel kill the child when the test process dies. The
// child gets a process group of its own, so that an interrupt typed at the
// terminal reaches the test first.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// awaitStopped waits until every thread of a process stands still: the signal
// reaches them one after the other, when it has long been sent.
func awaitStopped(pid int) error {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil {
			return err
		}
		still := len(stats) > 0
		for _, name := range stats {
			b, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
				continue // the thread has ended
			}
			if err != nil {
				return err
			}
			// The state stands behind the command's name, which is in brackets.
			_, state, _ := bytes.Cut(b[bytes.LastIndexByte(b, ')')+1:], []byte(" "))
			still = still && len(state) > 0 && (state[0] == 'T' || state[0] == 't')
		}
		if still {
			return nil
		}
	}
	return errors.New("it does not stand still within 5s")
}
