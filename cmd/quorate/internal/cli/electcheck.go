package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/election"
)

// checkFlags say how "quorate elect" finds out whether it is fit to lead.
type checkFlags struct {
	line     string // of the shell; empty: there is no check
	every    time.Duration
	timeout  time.Duration
	failures int
}

func (f *checkFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.line, "check", "", "stand, and lead, only while this command `line`, run by the shell, exits with 0")
	c.Flags().DurationVar(&f.every, "check-every", 5*time.Second, "time between two checks")
	c.Flags().DurationVar(&f.timeout, "check-timeout", 0, "a check that takes longer has failed, and is killed (default: --check-every)")
	c.Flags().IntVar(&f.failures, "check-failures", 1, "how many checks in a row have to fail")
}

func (f *checkFlags) check(c *cobra.Command) error {
	if f.line == "" {
		for _, name := range []string{"check", "check-every", "check-timeout", "check-failures"} {
			if c.Flags().Changed(name) {
				return usage("--%s needs a command line in --check", name)
			}
		}
		return nil
	}
	switch {
	case f.every <= 0:
		return usage("--check-every must be positive, not %v", f.every)
	case f.timeout < 0 || c.Flags().Changed("check-timeout") && f.timeout == 0:
		return usage("--check-timeout must be positive, not %v", f.timeout)
	case f.failures <= 0:
		return usage("--check-failures must be positive, not %d", f.failures)
	}
	if f.timeout == 0 {
		f.timeout = f.every
	}
	return nil
}

// shell gives the command that has a line carried out.
func shell(line string) []string {
	if runtime.GOOS == "windows" {
		return []string{"cmd", "/d", "/c", line}
	}
	return []string{"sh", "-c", line}
}

// A checkup runs the command of --check, and tells when it begins to fail and when
// it passes again.
type checkup struct {
	command child.Command
	f       checkFlags
	tell    func(failure error) // nil: it passes

	mu   sync.Mutex
	last error // of the last check, as it was told
}

// newCheckup gives nil where there is no check.
func newCheckup(f checkFlags, name string, tell func(error)) (*checkup, error) {
	if f.line == "" {
		return nil, nil
	}
	run, err := find(shell(f.line))
	if err != nil {
		return nil, err
	}
	run.Env = append(run.Env, electionVar+"="+name)
	return &checkup{command: run, f: f, tell: tell}, nil
}

// options makes it the health check of an election.
func (c *checkup) options() []election.Option {
	if c == nil {
		return nil
	}
	return []election.Option{election.WithHealthCheck(election.HealthCheck{
		Check: c.check, Every: c.f.every, Timeout: c.f.timeout, Failures: c.f.failures,
	})}
}

// failure says what the last check found.
func (c *checkup) failure() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// check runs the command once.
func (c *checkup) check(ctx context.Context) error {
	err := c.run(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return err // nobody wants to know any more
	}
	c.mu.Lock()
	before := c.last
	c.last = err
	c.mu.Unlock()
	if (before == nil) != (err == nil) {
		c.tell(err)
	}
	return err
}

// run has a guard of its own for each check, so that one that hangs ends with this
// process, too.
func (c *checkup) run(ctx context.Context) error {
	g, err := child.NewGuard()
	if err != nil {
		return err
	}
	defer g.Close()
	var p jobPipes
	run := c.command
	if p.files[0], err = os.Open(os.DevNull); err == nil {
		p.files[1], err = p.copyTo(&p.tail)
	}
	if err != nil {
		p.close()
		return fmt.Errorf("make a pipe: %w", err)
	}
	p.files[2] = p.files[1]
	run.Files = &p.files
	exit, err := g.Run(ctx, run, child.Options{})
	said := p.close()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("it takes longer than %v", c.f.timeout)
	case err != nil:
		return err
	case exit.Code != 0:
		return &commandError{name: "it", exit: exit, tail: oneLine(said)}
	}
	return nil
}
