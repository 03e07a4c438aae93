package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/election"
)

// elect runs the command while it leads. How the time of a lease is spent is said
// at (*app).lock.
func (a *app) elect(c *cobra.Command, f electFlags, name string, command []string) error {
	run, err := find(command)
	if err != nil {
		return err
	}
	client, err := a.connect(c, nil)
	if err != nil {
		return err
	}
	defer client.Close()
	guard, err := child.NewGuard() // it gets ready while we wait
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	l := &leading{a: a, f: f, name: name, command: run, guard: guard}
	defer func() { l.guard.Close() }()
	fit, err := newCheckup(f.fit, name, l.checked)
	if err != nil {
		return err
	}
	l.ctx, l.end = context.WithCancelCause(context.WithoutCancel(c.Context()))
	defer l.end(nil)
	l.listen()
	defer func() { l.deafen() }()

	if f.timeout > 0 {
		l.patience = time.AfterFunc(f.timeout, func() { l.end(errWaited) })
		defer l.patience.Stop()
	}
	s, err := a.session(l.ctx, client, f.lockFlags)
	if err != nil {
		if timedOut(l.ctx, err) {
			return fail(exitNotObtained, "not elected in election %q within %v: etcd at %s has not answered", name, f.timeout, a.where(err))
		}
		return err
	}
	defer func() { a.closeSession(l.ctx, s, l.by) }()
	l.waits()
	defer func() { l.tell.Stop() }()
	meta := map[string]string{"command": filepath.Base(command[0])}
	maps.Copy(meta, f.meta)
	e := election.New(s, name, append(fit.options(), election.WithMetadata(meta))...)
	err = e.Run(l.ctx, []byte(f.value), l.lead,
		election.OnStopped(l.stopped), election.OnRetry(l.retry))
	switch {
	case l.over:
		return l.result
	case context.Cause(l.ctx) == errWaited:
		why := ledBy(err)
		if failure := fit.failure(); failure != nil {
			why = ": the check fails: " + plain(failure)
		}
		return fail(exitNotObtained, "not elected in election %q within %v%s", name, f.timeout, why)
	}
	return err
}

// leading is one run of "quorate elect".
type leading struct {
	a        *app
	f        electFlags
	name     string
	command  child.Command
	guard    *child.Guard // of the next term
	ctx      context.Context
	end      context.CancelCauseFunc
	deafen   func() // stops listening to signals
	tell     *time.Timer
	patience *time.Timer // nil where it waits as long as it takes
	retried  string      // the last error that was told

	over   bool      // nothing more is to be done
	result error     // then: what becomes of it
	by     time.Time // and when all is to be over
}

var errOver = errors.New("it is over")

// finish makes err what becomes of it all.
func (l *leading) finish(err error) {
	if !l.over {
		l.over, l.result, l.by = true, err, time.Now().Add(l.a.patience())
	}
	l.end(errOver)
}

// listen has a signal that asks to end end the waiting. While the command runs
// signals are the command's.
func (l *leading) listen() {
	heard, stop := l.a.signals.Context(l.ctx)
	off := context.AfterFunc(heard, func() { l.end(context.Cause(heard)) })
	l.deafen = func() {
		off()
		stop()
	}
}

// waits says after a while that it waits.
func (l *leading) waits() {
	l.tell = time.AfterFunc(tellAfter, func() {
		l.event("waiting", nil)
		if !l.a.flags.json && term.IsTerminal(int(os.Stderr.Fd())) {
			fmt.Fprintf(l.a.errOut, "quorate: waiting to lead in election %q\n", l.name)
		}
	})
}

// lead runs the command for a term.
func (l *leading) lead(ctx context.Context, t *election.Term) error {
	l.tell.Stop()
	if l.patience != nil {
		l.patience.Stop()
	}
	l.deafen()
	l.retried = ""
	guard := l.guard
	defer guard.Close()
	run := l.command
	run.Env = append(append([]string(nil), run.Env...), electionVar+"="+l.name, tokenVar+"="+strconv.FormatInt(t.Token(), 10))
	l.event("elected", t)
	exit, err := guard.Run(ctx, run, child.Options{
		Signals:  l.a.signals,
		Grace:    l.f.grace,
		Deadline: func() time.Time { return t.Deadline().Add(l.f.grace) },
		Tick:     l.f.slack(),
		Lost:     t.Err,
	})
	cause := context.Cause(ctx)
	if cause == nil {
		cause = t.Err()
	}
	switch {
	case cause == nil && err != nil:
		l.finish(notStarted(err))
	case cause == nil:
		l.exited(t, exit)
	case l.f.once && errors.Is(cause, election.ErrAsked):
		l.finish(fail(exitLost, "the leadership in election %q was handed over", l.name))
	case l.f.once:
		l.finish(fail(exitLost, "the leadership in election %q was lost while %s ran: %s", l.name, l.command.Args[0], plain(endedBy(cause))))
	}
	if !l.over {
		if l.guard, err = child.NewGuard(); err != nil {
			l.finish(fail(exitFailed, "%w", err))
		}
		l.listen()
		l.waits()
	}
	return nil
}

// exited is called when the command has ended by itself.
func (l *leading) exited(t *election.Term, exit child.Exit) {
	l.finish(quit(exit.Code))
	if l.a.flags.json {
		_ = writeJSON(l.a.errOut, electEvent{Event: "resigned", Election: l.name, Token: t.Token(), Exit: &exit.Code})
	}
}

// stopped tells how a term ended that did not end because its command had.
func (l *leading) stopped(t *election.Term, cause error) {
	switch {
	case cause == nil || errors.Is(cause, errOver) && t.Err() == nil:
		return
	case errors.Is(cause, election.ErrAsked):
		l.event("handing-over", t)
	case t.Err() != nil:
		l.event("lost", t)
	}
	if !l.a.flags.json && !l.over {
		fmt.Fprintf(l.a.errOut, "quorate: the leadership in election %q is over: %s\n", l.name, plain(endedBy(cause)))
	}
}

// endedBy leaves of an error about a lost term what ended that.
func endedBy(err error) error {
	var e *election.Error
	if errors.As(err, &e) && e.Lost {
		return e.Err
	}
	return err
}

// retry tells why it can't stand just now.
func (l *leading) retry(err error) {
	if why := plain(err); why != l.retried {
		l.retried = why
		l.a.warn(err)
	}
}

// checked tells that the check fails, and how, or that it passes again.
func (l *leading) checked(failure error) {
	switch {
	case l.a.flags.json && failure != nil:
		_ = writeJSON(l.a.errOut, electEvent{Event: "unhealthy", Election: l.name, Error: plain(failure)})
	case l.a.flags.json:
		l.event("healthy", nil)
	case failure != nil:
		fmt.Fprintf(l.a.errOut, "quorate: the check of election %q fails: %s\n", l.name, plain(failure))
	default:
		fmt.Fprintf(l.a.errOut, "quorate: the check of election %q passes again\n", l.name)
	}
}

// warn tells of an error that is not the end.
func (a *app) warn(err error) {
	if a.flags.json {
		_ = writeJSON(a.errOut, struct {
			Event string `json:"event"`
			Error string `json:"error"`
		}{"retrying", a.sentence(err)})
		return
	}
	fmt.Fprintf(a.errOut, "quorate: %s; trying again\n", a.sentence(err))
}

// ledBy tells who stood in front, as far as err knows.
func ledBy(err error) string {
	var e *election.Error
	for errors.As(err, &e) {
		if len(e.By) > 0 {
			return ": it is led by " + e.By[0].String()
		}
		err = e.Err
	}
	return ""
}

// An electEvent is what "quorate elect --json" writes to standard error, a line
// each: the command has standard output.
type electEvent struct {
	Event    string `json:"event"` // waiting, elected, resigned, handing-over, lost, unhealthy, healthy
	Election string `json:"election"`
	Token    int64  `json:"token,omitempty"`
	Exit     *int   `json:"exit,omitempty"`
	Error    string `json:"error,omitempty"` // of unhealthy
}

func (l *leading) event(event string, t *election.Term) {
	if !l.a.flags.json {
		return
	}
	e := electEvent{Event: event, Election: l.name}
	if t != nil {
		e.Token = t.Token()
	}
	_ = writeJSON(l.a.errOut, e)
}
