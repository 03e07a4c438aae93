package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/embedded"
)

// devFlags are the flags of "quorate dev".
type devFlags struct {
	port    int
	dir     string
	members int
}

// defaultPort is etcd's own.
const defaultPort = 2379

func (a *app) devCommand() *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use:   "dev [flags] [-- COMMAND [ARG...]]",
		Short: "Run an etcd to develop and test with",
		Long: `dev runs a real etcd inside this process, on 127.0.0.1 alone and without
authentication, until it is interrupted.

With a command behind "--" it runs that one, with ETCDCTL_ENDPOINTS naming the
etcd, which then takes a free port unless --port is given. When the command has
ended etcd is stopped, and the exit code is the command's.

Without --data nothing stays when it ends.`,
		Example: `  quorate dev
  quorate dev --data ./etcd-data --members 3
  quorate dev -- go test ./...`,
		Args: func(c *cobra.Command, args []string) error {
			return onlyBehindDashes(c, args, 0)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if !c.Flags().Changed("port") && len(args) == 0 {
				f.port = defaultPort
			}
			if f.members != 1 && f.members != 3 {
				return usage("--members must be 1 or 3, not %d", f.members)
			}
			if f.port < 0 || f.port > 65536-f.members {
				return usage("--port %d is out of range", f.port)
			}
			return a.dev(c.Context(), f, args)
		},
	}
	c.Flags().IntVar(&f.port, "port", 0, "client port, 0 for a free one; three members take this and the two after it (default 2379, with a COMMAND a free one)")
	c.Flags().StringVar(&f.dir, "data", "", "`directory` that keeps the data; it is made where it is missing")
	c.Flags().IntVar(&f.members, "members", 1, "number of members, 1 or 3")
	return c
}

// onlyBehindDashes checks that n arguments stand before "--" and none but the
// command behind it.
func onlyBehindDashes(c *cobra.Command, args []string, n int) error {
	before := c.ArgsLenAtDash()
	if before < 0 {
		before = len(args)
	}
	if before > n {
		return usage("%q is unexpected: the command to run stands behind \"--\"; see '%s --help'", args[n], c.CommandPath())
	}
	if c.ArgsLenAtDash() >= 0 && len(args) == before {
		return usage("there is no command behind \"--\"; see '%s --help'", c.CommandPath())
	}
	return nil
}

// dev runs etcd until a signal ends it, or as long as command runs.
func (a *app) dev(ctx context.Context, f devFlags, command []string) (err error) {
	var run child.Command
	if len(command) > 0 {
		if run, err = find(command); err != nil {
			return err
		}
	}
	starting, stopListening := a.signals.Context(ctx)
	defer stopListening()
	cluster, err := embedded.Start(starting, f.config(a))
	if err != nil {
		if child.InterruptedBy(context.Cause(starting)) != nil {
			return context.Cause(starting)
		}
		return f.explain(err)
	}
	defer func() {
		// Bounded by etcd itself; the user can still kill this process.
		if e := cluster.Stop(context.WithoutCancel(ctx)); e != nil && err == nil {
			err = fail(exitFailed, "%s", plain(e))
		}
	}()
	if len(command) > 0 {
		stopListening()
		return a.devRun(ctx, cluster, run)
	}
	if err := a.announce(cluster, f); err != nil {
		return err
	}
	select {
	case <-starting.Done():
		if !a.flags.json {
			fmt.Fprintln(a.errOut, "quorate: stopping etcd")
		}
		return nil
	case <-cluster.Done():
		return fail(exitFailed, "etcd has ended: %v", cluster.Err())
	}
}

func (f devFlags) config(a *app) embedded.Config {
	cfg := embedded.Config{Members: f.members, Dir: f.dir}
	if f.port != 0 {
		for i := range f.members {
			cfg.ClientPorts = append(cfg.ClientPorts, f.port+i)
		}
	}
	if a.flags.debug {
		cfg.Logger = slog.New(slog.NewTextHandler(a.errOut, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	return cfg
}

// explain turns a failed start into advice.
func (f devFlags) explain(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && f.port != 0:
		what := fmt.Sprintf("port %d of 127.0.0.1 is", f.port)
		if f.members > 1 {
			what = fmt.Sprintf("one of the ports %d to %d of 127.0.0.1 is", f.port, f.port+f.members-1)
		}
		return fail(exitFailed, "%s in use, perhaps by another etcd: choose one with --port, or a free one with --port 0", what)
	case errors.Is(err, embedded.ErrInUse):
		return fail(exitFailed, "--data %s is in use by another etcd", f.dir)
	case errors.Is(err, embedded.ErrForeignDir):
		return fail(exitFailed, "--data %s: %s", f.dir, strings.TrimPrefix(err.Error(), "embedded: "))
	}
	return fail(exitFailed, "etcd did not start: %s", strings.TrimPrefix(err.Error(), "embedded: "))
}

// announce says on standard output that etcd is ready, and how to use it.
func (a *app) announce(cluster *embedded.Cluster, f devFlags) error {
	endpoints := strings.Join(cluster.Endpoints(), ",")
	if a.flags.json {
		return a.printJSON(struct {
			Endpoints []string `json:"endpoints"`
			Members   int      `json:"members"`
			Data      string   `json:"data"`
			Temporary bool     `json:"temporary"`
			Version   string   `json:"version"`
			PID       int      `json:"pid"`
		}{cluster.Endpoints(), f.members, cluster.Dir(), f.dir == "", embeddedEtcd(), os.Getpid()})
	}
	data := "in " + cluster.Dir()
	if f.dir == "" {
		data = "temporary, gone when this ends; --data DIR keeps it"
	}
	members := "1 member"
	if f.members > 1 {
		members = fmt.Sprintf("%d members", f.members)
	}
	use := ""
	if f.port != defaultPort || f.members > 1 {
		use = "  export ETCDCTL_ENDPOINTS=" + endpoints + "\n"
	}
	_, err := fmt.Fprintf(a.out, `etcd %s is ready: %s at %s
Data: %s.

In another terminal:
%s  quorate status
  quorate lock NAME -- COMMAND     # never two at a time

Ctrl-C ends it.
`, embeddedEtcd(), members, endpoints, data, use)
	return err
}

// devRun runs the command against cluster.
func (a *app) devRun(ctx context.Context, cluster *embedded.Cluster, run child.Command) error {
	run.Env = devEnv(os.Environ(), cluster.Endpoints())
	guard, err := child.NewGuard()
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	defer guard.Close()
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		select {
		case <-cluster.Done():
			end(fail(exitFailed, "etcd has ended: %v", cluster.Err()))
		case <-running.Done():
		}
	}()
	exit, err := guard.Run(running, run, child.Options{Signals: a.signals, Grace: devGrace})
	etcdErr := context.Cause(running)
	end(nil)
	<-watching
	switch {
	case err != nil:
		return notStarted(err)
	case etcdErr != nil:
		return etcdErr
	}
	return quit(exit.Code)
}

// devEnv is the environment of a command that runs against our etcd: what
// belongs to another one is taken out.
func devEnv(env, endpoints []string) []string {
	out := make([]string, 0, len(env)+2)
	for _, kv := range env {
		if !strings.HasPrefix(kv, "ETCDCTL_") && !strings.HasPrefix(kv, commandVar+"=") {
			out = append(out, kv)
		}
	}
	if exe, err := os.Executable(); err == nil {
		out = append(out, commandVar+"="+exe)
	}
	return append(out, envName("endpoints")+"="+strings.Join(endpoints, ","))
}
