//go:build unix

package child

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// process is a running command in the group of its guard.
type process struct {
	g      *Guard
	pid    int
	tty    *terminal // nil: there is none
	events chan event
}

// start runs c in the guard's group.
func (g *Guard) start(c Command) (*process, error) {
	if !g.ready {
		if err := g.expect(wordReady); err != nil {
			return nil, err
		}
	}
	g.ready = false
	p := &process{g: g, events: make(chan event, 1)}
	if c.Files == nil {
		p.tty = openTerminal(g.pid)
	}
	if p.tty.wanted() {
		p.tty.give()
	}
	started := make(chan error)
	go p.tend(c, started)
	if err := <-started; err != nil {
		p.tty.takeBack()
		return nil, err
	}
	return p, nil
}

// tend starts the command and reports what happens to it until it has ended,
// which is the last event: whoever receives it knows that tend is through. It
// keeps to one thread, because to Linux a process's parent is the thread that
// started it.
func (p *process) tend(c Command, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	reapOrphans()
	proc, err := os.StartProcess(c.Path, c.Args, &os.ProcAttr{
		Env:   c.Env,
		Files: c.files(),
		Sys:   attributes(p.g.pid),
	})
	if err != nil {
		started <- err
		return
	}
	p.pid = proc.Pid
	_ = proc.Release()
	started <- nil
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-p.g.pid, &ws, syscall.WUNTRACED, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			p.events <- event{kind: exited, exit: Exit{Code: 1}} // somebody else has reaped it
			return
		case pid == p.pid && ws.Stopped():
			p.events <- event{kind: stopped, sig: ws.StopSignal()}
		case pid == p.pid:
			p.events <- event{kind: exited, exit: exitOf(ws)}
			return
		case pid == p.g.pid && !ws.Stopped():
			p.g.ended = true
			p.events <- event{kind: guardLost, err: errors.New(describe(ws))}
		}
	}
}

func exitOf(ws syscall.WaitStatus) Exit {
	if ws.Signaled() {
		return Exit{Code: 128 + int(ws.Signal()), Signal: ws.Signal()}
	}
	return Exit{Code: ws.ExitStatus()}
}

func describe(ws syscall.WaitStatus) string {
	if ws.Signaled() {
		return ws.Signal().String()
	}
	return "exit code " + strconv.Itoa(ws.ExitStatus())
}

// arm tells the guard to kill the group when the clock shows at.
func (p *process) arm(at time.Duration) {
	_ = p.g.say(fmt.Sprintf("%s %d", wordDeadline, max(at, 1)))
}

// pass hands a signal on. Those that a terminal sends, and those that ask to
// end, go to the whole group; the others have a meaning to the command only.
func (p *process) pass(s os.Signal) {
	sig, ok := s.(syscall.Signal)
	if !ok {
		return
	}
	switch sig {
	case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP:
		p.signalGroup(sig)
	case syscall.SIGCONT:
		p.proceed()
	default:
		_ = syscall.Kill(p.pid, sig)
	}
}

func (p *process) signalGroup(sig syscall.Signal) { _ = syscall.Kill(-p.g.pid, sig) }

// terminate asks the group to end. What is stopped could not hear that.
func (p *process) terminate() {
	p.signalGroup(syscall.SIGTERM)
	p.signalGroup(syscall.SIGCONT)
}

// kill ends the group, the guard with it unless it has left.
func (p *process) kill() { p.signalGroup(syscall.SIGKILL) }

// suspend deals with a command that was stopped, and reports whether it is to
// go on. One that wants the terminal while it is ours to give gets it. Where
// the user stopped the job, or it waits for its turn at the terminal, this
// process stops as well, so that the shell takes over; when the shell wakes it,
// the command goes on too.
func (p *process) suspend(e event) bool {
	switch e.sig {
	case syscall.SIGTTIN, syscall.SIGTTOU:
		if p.tty.ours() {
			p.tty.wants = true
			return true
		}
		if p.tty.given() {
			return true // it was stopped before that, and has it now
		}
	case syscall.SIGTSTP:
	default:
		return false // stopped by hand: whoever did it will continue it
	}
	if p.tty == nil {
		return false
	}
	stopJob()
	return true
}

// proceed lets a stopped command go on.
func (p *process) proceed() {
	if p.tty.wanted() {
		p.tty.give()
	}
	p.signalGroup(syscall.SIGCONT)
}

// dismiss is called when the command has ended. It reports whether nothing is
// left in its group.
func (p *process) dismiss() bool {
	p.tty.takeBack()
	if p.g.ended {
		return p.gone()
	}
	// The guard goes to this process's group. Its number, which is the
	// group's, stays taken as long as it lives.
	if p.g.say(wordLeave+" "+strconv.Itoa(syscall.Getpgrp())) != nil || p.g.expect(wordLeft) != nil {
		p.kill()
		return true
	}
	p.g.left = true
	return p.gone()
}

// gone reports whether nothing is left in the group.
func (p *process) gone() bool {
	for {
		pid, err := syscall.Wait4(-p.g.pid, nil, syscall.WNOHANG, nil)
		if pid <= 0 && err != syscall.EINTR {
			break
		}
		if pid == p.g.pid {
			p.g.ended = true
		}
	}
	return noSuchGroup(syscall.Kill(-p.g.pid, 0))
}
