package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// pushFlags are the flags of "quorate queue push".
type pushFlags struct {
	lines    bool
	quiet    bool
	delay    time.Duration
	at       string
	priority int
	unique   string
	window   time.Duration
	ttl      time.Duration
	headers  []string
}

func (a *app) queuePushCommand() *cobra.Command {
	var f pushFlags
	c := &cobra.Command{
		Use:   "push NAME [PAYLOAD...]",
		Short: "Put jobs into a queue",
		Long: `push puts a job for each PAYLOAD into the queue NAME, all of them or none, and
prints their ids. Without a PAYLOAD standard input is the payload of one job;
with --lines each line of it is, but for empty ones. Lines are pushed as they
come, many at a time, those of one time all or none.

The exit code is 75 if --unique is taken.`,
		Example: `  quorate queue push mails '{"to":"ann"}' '{"to":"bob"}'
  quorate queue push reports --unique monthly --delay 10m < report.json
  find . -name '*.png' | quorate queue push files --lines --quiet`,
		Args: queueArgs(0, -1, ""),
		RunE: func(c *cobra.Command, args []string) error {
			opts, err := f.options(c, len(args)-1)
			if err != nil {
				return err
			}
			return a.unbounded(c, func(ctx context.Context, client *etcd.Client) error {
				p := &pusher{a: a, q: queue.New[[]byte](client, args[0]), opts: opts, quiet: f.quiet}
				return p.from(ctx, args[1:], f.lines)
			})
		},
	}
	c.Flags().BoolVar(&f.lines, "lines", false, "each line of standard input is a job")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "do not print ids")
	c.Flags().DurationVar(&f.delay, "delay", 0, "deliver the jobs after this time")
	c.Flags().StringVar(&f.at, "at", "", "deliver the jobs at this `time`, as in 2026-01-31T18:00:00Z")
	c.Flags().IntVar(&f.priority, "priority", 0, "0 to 9; the highest goes first")
	c.Flags().StringVar(&f.unique, "unique", "", "refuse the job while another with this `key` is there")
	c.Flags().DurationVar(&f.window, "unique-for", 0, "with --unique: refuse it for this time, done or not")
	c.Flags().DurationVar(&f.ttl, "expire", 0, "a job not begun within this time becomes a dead letter")
	c.Flags().StringArrayVar(&f.headers, "header", nil, "`name=value` that goes with the jobs; may be repeated")
	return c
}

// options makes the options of the jobs.
func (f *pushFlags) options(c *cobra.Command, payloads int) (opts []queue.EnqueueOption, err error) {
	given := c.Flags().Changed
	switch {
	case f.lines && payloads > 0:
		return nil, usage("--lines and a PAYLOAD exclude each other")
	case f.unique != "" && (f.lines || payloads > 1):
		return nil, usage("--unique is for a single job")
	case given("unique") && f.unique == "":
		return nil, usage("--unique is empty")
	case given("unique-for") && (f.unique == "" || f.window <= 0):
		return nil, usage("--unique-for must be positive, and goes with --unique")
	case given("delay") && given("at"):
		return nil, usage("--delay and --at exclude each other")
	case f.delay < 0:
		return nil, usage("--delay must not be negative, but is %v", f.delay)
	case given("expire") && f.ttl <= 0:
		return nil, usage("--expire must be positive, not %v", f.ttl)
	case f.priority < 0 || f.priority > queue.MaxPriority:
		return nil, usage("--priority %d is not between 0 and %d", f.priority, queue.MaxPriority)
	}
	headers := map[string]string{}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return nil, usage("--header %q is no name=value", h)
		}
		if !utf8.ValidString(h) {
			return nil, usage("--header %q is not valid UTF-8", h)
		}
		headers[name] = value
	}
	opts = append(opts, queue.Priority(f.priority), queue.Headers(headers), queue.Delay(f.delay), queue.TTL(f.ttl))
	if given("at") {
		at, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return nil, usage("--at %q is no time like 2026-01-31T18:00:00Z", f.at)
		}
		opts = append(opts, queue.At(at))
	}
	switch {
	case f.window > 0:
		opts = append(opts, queue.UniqueFor(f.unique, f.window))
	case f.unique != "":
		opts = append(opts, queue.Unique(f.unique))
	}
	return opts, nil
}

// pusher pushes jobs.
type pusher struct {
	a      *app
	q      *jobs
	opts   []queue.EnqueueOption
	quiet  bool
	pushed int
}

// from pushes the payloads, or what standard input has.
func (p *pusher) from(ctx context.Context, payloads []string, byLine bool) error {
	if byLine {
		return p.lines(ctx, os.Stdin)
	}
	var jobs [][]byte
	for _, s := range payloads {
		jobs = append(jobs, []byte(s))
	}
	if len(jobs) == 0 {
		b, err := io.ReadAll(io.LimitReader(os.Stdin, queue.MaxJobBytes+1))
		if err != nil {
			return fail(exitFailed, "read standard input: %w", err)
		}
		if len(b) > queue.MaxJobBytes {
			return fail(exitFailed, "standard input is longer than a job can be (%s)", size(queue.MaxJobBytes))
		}
		jobs = [][]byte{b}
	}
	return p.after(p.push(ctx, jobs))
}

// push pushes jobs in one commit and prints their ids.
func (p *pusher) push(ctx context.Context, jobs [][]byte) error {
	ids, err := p.q.EnqueueMany(ctx, jobs, p.opts...)
	switch dup := (*queue.DuplicateError)(nil); {
	case errors.As(err, &dup):
		return fail(exitNotObtained, "the key %q is taken by job %s", dup.Key, dup.Owner)
	case errors.Is(err, queue.ErrTooLarge):
		if len(jobs) == 1 {
			return fail(exitFailed, "the job is too large: with its headers it can have %s, a little of it for quorate itself", size(queue.MaxJobBytes))
		}
		return fail(exitFailed, "the jobs are too large for one commit, which can have %s: push them in several calls, or with --lines", size(queue.MaxJobBytes))
	case err != nil:
		return err
	}
	p.pushed += len(ids)
	if p.quiet {
		return nil
	}
	for _, id := range ids {
		if p.a.flags.json {
			err = p.a.printJSON(struct {
				ID string `json:"id"`
			}{id})
		} else {
			_, err = fmt.Fprintln(p.a.out, id)
		}
		if err != nil {
			what := "their ids"
			if len(ids) == 1 {
				what = "its id"
			}
			return fail(exitFailed, "%s could not be shown: %w", what, err)
		}
	}
	return nil
}

// A push of lines has at most this many jobs, and about this many bytes.
const (
	pushJobs  = 1000
	pushBytes = 512 << 10
)

// lines pushes each line of in.
func (p *pusher) lines(ctx context.Context, in io.Reader) error {
	// The reader may sit in a read for ever; it ends with the process.
	ch, failed := make(chan []byte, pushJobs), make(chan error, 1)
	go readJobs(ctx, in, ch, failed)
	bar := p.a.progress()
	defer bar.close()
	for {
		batch, ok := gather(ctx, ch)
		if len(batch) > 0 {
			if err := p.push(ctx, batch); err != nil {
				return p.after(err)
			}
			bar.show("%d jobs pushed", p.pushed)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !ok {
			return p.after(<-failed)
		}
	}
}

// after says how far it came before an error.
func (p *pusher) after(err error) error {
	if err == nil || p.pushed == 0 {
		return err
	}
	were := "were"
	if p.pushed == 1 {
		were = "was"
	}
	return fail(codeOf(err), "after %s %s pushed: %s", counted(p.pushed, "job"), were, p.a.sentence(err))
}

// gather waits for a line and gives it with those that are there already.
func gather(ctx context.Context, ch <-chan []byte) (batch [][]byte, ok bool) {
	size := 0
	for len(batch) < pushJobs && size < pushBytes {
		var line []byte
		if len(batch) == 0 {
			select {
			case line, ok = <-ch:
			case <-ctx.Done():
				return nil, true
			}
		} else {
			select {
			case line, ok = <-ch:
			default:
				return batch, true
			}
		}
		if !ok {
			return batch, false
		}
		batch, size = append(batch, line), size+len(line)
	}
	return batch, true
}

// readJobs sends the lines of in to ch, and tells at the end what went wrong.
func readJobs(ctx context.Context, in io.Reader, ch chan<- []byte, failed chan<- error) {
	defer close(ch)
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 64<<10), queue.MaxJobBytes)
	n := 0
	for s.Scan() {
		n++
		if len(s.Bytes()) == 0 {
			continue
		}
		select {
		case ch <- append([]byte(nil), s.Bytes()...):
		case <-ctx.Done():
			failed <- nil
			return
		}
	}
	err := s.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = fail(exitFailed, "line %d is longer than a job can be (%s)", n+1, size(queue.MaxJobBytes))
	} else if err != nil {
		err = fail(exitFailed, "read standard input: %w", err)
	}
	failed <- err
}
