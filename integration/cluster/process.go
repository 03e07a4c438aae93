package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// Process is one run of an etcd server.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it is gone and reaped
}

// StartProcess runs an etcd binary with its output appended to a file. On Linux
// it dies with this process. Kill it.
func StartProcess(binary string, args []string, logFile string) (*Process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	p := &Process{cmd: exec.Command(binary, args...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = dieWithParent()
	started := make(chan error, 1)
	go func() {
		defer close(p.exited)
		// Where the child dies with its parent, that is the parent's thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.cmd.Wait() //nolint:errcheck // how it ended does not matter
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	return p, nil
}

// Kill ends the process at once, as kill -9 does, and returns when it is gone.
// Killing it twice does nothing.
func (p *Process) Kill() {
	p.cmd.Process.Kill() //nolint:errcheck // it may be gone already
	<-p.exited
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

func (p *Process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}
