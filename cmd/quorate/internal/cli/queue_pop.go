package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

func (a *app) queuePopCommand() *cobra.Command {
	var timeout time.Duration
	var n int
	c := &cobra.Command{
		Use:   "pop NAME",
		Short: "Take a job out of a queue and print it",
		Long: `pop takes the next job of the queue NAME, writes its payload to standard output as
it is (with -n greater than 1: and a line feed), and ends the job. If it dies in
between, the job is delivered again.

It does not wait unless --timeout says so. The exit code is 75 if there was no
job, or with -n fewer than that.`,
		Example: `  quorate queue pop mails
  quorate queue pop mails --timeout 1m --json | jq .payload`,
		Args: queueArgs(0, 0, ""),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case n < 1 || n > 1000:
				return usage("-n must be between 1 and 1000, not %d", n)
			case c.Flags().Changed("timeout") && timeout <= 0:
				return usage("--timeout must be positive, not %v", timeout)
			}
			return a.unbounded(c, func(ctx context.Context, client *etcd.Client) error {
				return a.queuePop(ctx, client, args[0], n, timeout)
			})
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 1, "how many jobs")
	c.Flags().DurationVar(&timeout, "timeout", 0, "wait so long for a job (default: do not wait)")
	return c
}

func (a *app) queuePop(ctx context.Context, client *etcd.Client, name string, wanted int, timeout time.Duration) (err error) {
	n := wanted
	q := queue.New[[]byte](client, name)
	if timeout == 0 {
		st, err := q.Stats(ctx)
		switch {
		case err != nil:
			return err
		case st.Ready == 0:
			return fail(exitNotObtained, "no job of queue %q is ready", name)
		case st.Paused:
			return fail(exitNotObtained, "queue %q is paused", name)
		}
		timeout = a.flags.commandTimeout // others may be faster
		n = int(min(int64(n), st.Ready))
	}
	f := lockFlags{ttl: defaultWorkTTL}
	f.grace = f.ttl / 5
	s, err := a.session(ctx, client, f)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.patience())
		defer cancel()
		_ = s.Close(ctx)
	}()
	consumer, err := q.Consumer(s)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.patience())
		defer cancel()
		if cerr := consumer.Close(ctx); err == nil {
			err = cerr
		}
	}()
	waiting, cancel := context.WithTimeoutCause(ctx, timeout, errWaited)
	defer cancel()
	for left := n; left > 0; {
		ds, err := consumer.Receive(waiting, left)
		if err != nil {
			if context.Cause(waiting) == errWaited {
				return tooFew(n-left, wanted, name)
			}
			return err
		}
		for _, d := range ds {
			if err := a.popped(ctx, d, wanted > 1); err != nil {
				return err
			}
		}
		left -= len(ds)
	}
	if n < wanted {
		return tooFew(n, wanted, name)
	}
	return nil
}

// tooFew says that not all of the jobs came that were asked for.
func tooFew(came, wanted int, name string) error {
	if wanted == 1 {
		return fail(exitNotObtained, "no job of queue %q came in time", name)
	}
	return fail(exitNotObtained, "%d of %d jobs of queue %q came", came, wanted, name)
}

// popped prints a job and ends it.
func (a *app) popped(ctx context.Context, d *queue.Delivery[[]byte], feed bool) error {
	var err error
	if a.flags.json {
		err = a.printJSON(describeJob(d.Job))
	} else if _, err = a.out.Write(d.Value); err == nil && feed {
		_, err = fmt.Fprintln(a.out)
	}
	if err != nil {
		_ = d.Return(ctx)
		return err
	}
	if err := d.Ack(ctx); err != nil {
		if errors.Is(err, queue.ErrClaimLost) {
			return fail(exitLost, "job %s was printed, but goes to somebody else as well: %s", d.ID, plain(err))
		}
		return err
	}
	return nil
}
