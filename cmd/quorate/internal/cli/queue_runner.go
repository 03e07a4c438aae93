package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// What a command that works on a job finds in its environment, beside tokenVar.
const (
	queueVar   = "QUORATE_QUEUE"
	jobVar     = "QUORATE_JOB"
	attemptVar = "QUORATE_ATTEMPT"
	headersVar = "QUORATE_HEADERS"
)

// A runner runs a command for each job, as many at once as it is asked to. Each
// runs under a guard, which serves one after the other.
type runner struct {
	command child.Command
	name    string
	f       workFlags
	out     io.Writer // nil: the command has standard output itself
	errOut  io.Writer
	guards  chan *child.Guard // that are free
	running atomic.Int32
}

func newRunner(c child.Command, name string, f workFlags, bar *progress) *runner {
	r := &runner{command: c, name: name, f: f, guards: make(chan *child.Guard, f.concurrency), errOut: bar.through(os.Stderr)}
	if bar.on() && term.IsTerminal(int(os.Stdout.Fd())) {
		r.out = bar.through(os.Stdout)
	}
	return r
}

// close ends the guards; nothing runs any more.
func (r *runner) close() {
	for {
		select {
		case g := <-r.guards:
			_ = g.Close()
		default:
			return
		}
	}
}

func (r *runner) busy() int { return int(r.running.Load()) }

// A commandError is a command that has not done its job.
type commandError struct {
	name string
	exit child.Exit
	tail string // the end of what it wrote to standard error
}

func (e *commandError) head() string {
	if e.exit.Signal != nil {
		return fmt.Sprintf("%s was ended by %v", e.name, e.exit.Signal)
	}
	return fmt.Sprintf("%s exited with %d", e.name, e.exit.Code)
}

// Error tells how the command ended, and what it said.
func (e *commandError) Error() string {
	if e.tail == "" {
		return e.head()
	}
	return e.head() + ": " + e.tail
}

// run runs the command for d.
func (r *runner) run(ctx context.Context, s *etcd.Session, d *queue.Delivery[[]byte]) error {
	r.running.Add(1)
	defer r.running.Add(-1)
	g, err := r.guard()
	if err != nil {
		return err
	}
	defer r.free(g)
	pipes, err := r.connect(d.Value)
	if err != nil {
		return err
	}
	c := r.command
	c.Files = &pipes.files
	c.Env = append(slices.Clip(c.Env), queueVar+"="+r.name, jobVar+"="+d.ID,
		attemptVar+"="+strconv.Itoa(d.Attempt), tokenVar+"="+strconv.FormatInt(d.Token(), 10))
	if len(d.Headers) > 0 {
		headers, err := json.Marshal(d.Headers)
		if err != nil {
			return err
		}
		c.Env = append(c.Env, headersVar+"="+string(headers))
	}
	lease := r.f.lease()
	exit, err := g.Run(ctx, c, child.Options{
		Grace:    r.f.grace,
		Deadline: func() time.Time { return s.Deadline().Add(r.f.grace) },
		Tick:     lease.slack(),
		Lost:     d.Err,
	})
	said := pipes.close()
	if cause := context.Cause(ctx); cause != nil && (err != nil || exit.Code != 0) {
		if errors.Is(cause, queue.ErrJobTimeout) {
			return fmt.Errorf("%s took longer than %v: %w", r.command.Args[0], r.f.timeout, cause)
		}
		return cause
	}
	switch {
	case err != nil:
		return err
	case exit.Code == 0:
		return nil
	}
	failed := &commandError{name: r.command.Args[0], exit: exit, tail: said}
	if exit.Signal == nil && slices.Contains(r.f.deadOn, exit.Code) {
		return queue.Permanent(failed)
	}
	return failed
}

// guard gives a guard that is free, or a new one.
func (r *runner) guard() (*child.Guard, error) {
	for {
		select {
		case g := <-r.guards:
			if g.Renew() == nil {
				return g, nil
			}
			_ = g.Close() // it had to end with its command, or in the meantime
		default:
			return child.NewGuard()
		}
	}
}

func (r *runner) free(g *child.Guard) {
	select {
	case r.guards <- g:
	default:
		_ = g.Close()
	}
}

// jobPipes are the ends of a command's pipes that are here.
type jobPipes struct {
	files [3]*os.File // of the command
	give  []io.Closer // to be closed when it has ended
	wg    sync.WaitGroup
	tail  tail
}

// pipeWait is how long what a command left behind, outside of its group, may
// hold its output open.
const pipeWait = time.Second

// connect makes the standard input, which gives payload, and the outputs of a
// command.
func (r *runner) connect(payload []byte) (p *jobPipes, err error) {
	p = &jobPipes{}
	defer func() {
		if err != nil {
			p.close()
			err = fmt.Errorf("make a pipe: %w", err)
		}
	}()
	var in *os.File
	if p.files[0], in, err = os.Pipe(); err != nil {
		return nil, err
	}
	p.give = append(p.give, in)
	p.wg.Go(func() {
		_, _ = in.Write(payload) // it need not read it
		in.Close()
	})
	p.files[1] = os.Stdout
	if r.out != nil {
		if p.files[1], err = p.copyTo(r.out); err != nil {
			return nil, err
		}
	}
	p.files[2], err = p.copyTo(io.MultiWriter(&p.tail, r.errOut))
	return p, err
}

// copyTo makes a pipe for the command to write to.
func (p *jobPipes) copyTo(w io.Writer) (*os.File, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.give = append(p.give, from)
	p.wg.Go(func() { _, _ = io.Copy(w, from) })
	return to, nil
}

// close waits for what the command has written, and gives the end of what went
// to standard error.
func (p *jobPipes) close() string {
	for _, f := range p.files {
		if f != nil && f != os.Stdout {
			f.Close()
		}
	}
	done := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(pipeWait):
	}
	for _, c := range p.give {
		c.Close()
	}
	<-done
	return p.tail.String()
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

const tailBytes = 1000

// Write never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	if len(t.b) > 2*tailBytes {
		t.b = append(t.b[:0], t.b[len(t.b)-tailBytes:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	b := t.b[max(0, len(t.b)-tailBytes):]
	return strings.TrimSpace(strings.ToValidUTF8(string(b), "\ufffd"))
}
