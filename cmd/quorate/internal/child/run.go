package child

import (
	"context"
	"fmt"
	"os"
	"time"
)

// A Command is what to run.
type Command struct {
	Path string   // the executable
	Args []string // its arguments, the command's own name first
	Env  []string // its environment

	// Files are its standard input, output and error instead of this process's.
	// A command that has them runs in the background: the terminal is not for
	// it. Nil where it has those of this process, the terminal included.
	Files *[3]*os.File
}

// files gives the standard input, output and error of the command.
func (c Command) files() []*os.File {
	if c.Files != nil {
		return c.Files[:]
	}
	return []*os.File{os.Stdin, os.Stdout, os.Stderr}
}

// Options say how long a command may run and who speaks to it.
type Options struct {
	// Signals are passed on to the command as they arrive; see Catch. May be nil.
	Signals *Signals

	// Grace is the time between asking the group to end and killing it.
	Grace time.Duration

	// Deadline tells when the group must be gone as far as is known now; the
	// zero time is never. It is asked every Tick, and the guard keeps to the
	// last answer by itself. Nil means never.
	Deadline func() time.Time
	Tick     time.Duration

	// Lost tells why the command may not go on, or nil. It is asked before a
	// command that was stopped goes on. Nil means it always may.
	Lost func() error
}

// An Exit is how a command ended.
type Exit struct {
	Code   int // the exit code; 128 + the signal's number where a signal ended it
	Signal os.Signal
}

// Run runs c, with this process's standard input, output and error unless it
// has its own, and waits for its end. When ctx ends, the group is asked to end and killed after
// Options.Grace, or by the deadline if that is sooner. What the command left
// running in its group is ended the same way before Run returns. An error means
// that c was not started, or that its guard was lost.
//
// A Guard serves one Run, and another one after Renew.
func (g *Guard) Run(ctx context.Context, c Command, o Options) (Exit, error) {
	p, err := g.start(c)
	if err != nil {
		return Exit{}, fmt.Errorf("start %s: %w", c.Path, err)
	}
	r := &running{p: p, o: o}
	defer r.stopTimers()
	r.arm()
	done := ctx.Done()
	for {
		select {
		case e := <-p.events:
			switch e.kind {
			case exited:
				r.sweep()
				return e.exit, r.guardErr
			case stopped:
				r.resume(e)
			case guardLost:
				r.guardErr = fmt.Errorf("the guard of %s has ended: %w", c.Path, e.err)
				p.kill()
			}
		case s := <-r.o.Signals.channel():
			p.pass(s)
		case <-done:
			done = nil
			r.end()
		case <-r.killAt():
			p.kill()
		case <-r.tick():
			r.arm()
		}
	}
}

// running is one Run.
type running struct {
	p        *process
	o        Options
	ticks    *time.Ticker
	kill     *time.Timer
	guardErr error
}

// arm tells the guard the deadline as it is now.
func (r *running) arm() {
	if r.o.Deadline == nil {
		return
	}
	if r.ticks == nil {
		r.ticks = time.NewTicker(max(r.o.Tick, 10*time.Millisecond))
	}
	// The clock is read first: if this process is held up in between, the
	// guard's deadline is too early, never too late.
	now := clock()
	if d := r.o.Deadline(); !d.IsZero() {
		r.p.arm(now + time.Until(d))
	}
}

// end asks the group to end, and has it killed soon.
func (r *running) end() {
	r.p.terminate()
	wait := r.o.Grace
	if r.o.Deadline != nil {
		if d := r.o.Deadline(); !d.IsZero() {
			wait = min(wait, time.Until(d))
		}
	}
	r.kill = time.NewTimer(max(wait, 0))
}

// resume lets a command that was stopped go on, unless it may not any more.
func (r *running) resume(e event) {
	if !r.p.suspend(e) {
		return
	}
	if r.o.Lost != nil && r.o.Lost() != nil {
		r.p.kill()
		return
	}
	r.arm()
	r.p.proceed()
}

// sweep ends what the command left behind in its group, and waits for that, so
// that nothing of it runs beside whoever comes next.
func (r *running) sweep() {
	if r.p.dismiss() {
		return
	}
	if r.kill == nil {
		r.end()
	}
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	var giveUp <-chan time.Time // a process in an uninterruptible call dies when that returns
	for {
		select {
		case <-poll.C:
			if r.p.gone() {
				return
			}
		case <-r.kill.C:
			r.p.kill()
			giveUp = time.After(killWait)
		case <-giveUp:
			return
		}
	}
}

// killWait bounds the wait for processes that were killed to be gone.
const killWait = 2 * time.Second

func (r *running) killAt() <-chan time.Time {
	if r.kill == nil {
		return nil
	}
	return r.kill.C
}

func (r *running) tick() <-chan time.Time {
	if r.ticks == nil {
		return nil
	}
	return r.ticks.C
}

func (r *running) stopTimers() {
	if r.ticks != nil {
		r.ticks.Stop()
	}
	if r.kill != nil {
		r.kill.Stop()
	}
}

// An event is something that happened to the command.
type event struct {
	kind eventKind
	exit Exit
	sig  os.Signal // stopped: by what
	err  error     // guardLost: how
}

type eventKind uint8

const (
	exited eventKind = iota
	stopped
	guardLost
)
