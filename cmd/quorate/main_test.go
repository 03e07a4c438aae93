package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/embedded"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/names"
	"github.com/quorate/quorate/lock"
)

// The test binary is three programs in one, told apart by its first argument:
// the command itself (so that the race detector watches it too), the programs
// that it runs, and the tests.
const (
	asQuorate = "as-quorate"
	asHelper  = "as-helper"
)

// bound is far more than anything here takes, on a slow and busy machine too;
// it ends a test that hangs.
const bound = 2 * time.Minute

// atOnce is how many tests run at the same time unless -parallel says it: most
// wait for what happens in its own time, so more than there are processors.
const atOnce = 8

// endpoint is an etcd that all tests share.
var endpoint string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case child.GuardArg:
			main()
		case asQuorate:
			os.Args = append([]string{"quorate"}, os.Args[2:]...)
			main()
		case asHelper:
			os.Exit(helper(os.Args[2], os.Args[3:]))
		}
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(withEtcd(m))
}

func withEtcd(m *testing.M) int {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "ETCDCTL_") {
			os.Unsetenv(name)
		}
	}
	// A program that the race detector watches sleeps for a second before it
	// exits, and here hundreds of them exit.
	os.Setenv("GORACE", strings.TrimSpace("atexit_sleep_ms=0 "+os.Getenv("GORACE")))
	// A script that runs the tests in its background has them, and whatever they
	// start, ignore the keyboard. What is caught instead is not inherited.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	ctx := context.Background()
	cluster, err := embedded.Start(ctx, embedded.Config{UnsafeNoFsync: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	endpoint = cluster.Endpoints()[0]
	code := m.Run()
	if err := cluster.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// helperCommand is how to run one of the helper programs.
func helperCommand(name string, args ...string) []string {
	return append([]string{os.Args[0], asHelper, name}, args...)
}

// quorate is a run of the command.
type quorate struct {
	*exec.Cmd
	t      *testing.T
	stdin  io.WriteCloser
	stdout *output // of run
	lines  *lines  // of begin
	stderr *output
}

// output is what a program has written so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func command(t *testing.T, args ...string) *quorate {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	q := &quorate{Cmd: exec.CommandContext(ctx, os.Args[0], append([]string{asQuorate}, args...)...), t: t}
	q.Env = append(os.Environ(), "ETCDCTL_ENDPOINTS="+endpoint,
		"ETCDCTL_DIAL_TIMEOUT=1m", "ETCDCTL_COMMAND_TIMEOUT=1m") // a busy machine is no etcd that hangs
	q.WaitDelay = bound // for those who hold its output open
	q.stdout, q.stderr = new(output), new(output)
	q.Stdout, q.Stderr = q.stdout, q.stderr
	return q
}

// run runs the command to its end and gives its exit code.
func (q *quorate) run() int {
	q.t.Helper()
	if err := q.Cmd.Run(); err != nil && q.ProcessState == nil {
		q.t.Fatal(err)
	}
	return q.ProcessState.ExitCode()
}

// begin starts the command with standard input and output in the test's hands.
func (q *quorate) begin() *quorate {
	q.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		q.t.Fatal(err)
	}
	q.Stdout = w
	if q.stdin, err = q.StdinPipe(); err != nil {
		q.t.Fatal(err)
	}
	if err := q.Start(); err != nil {
		q.t.Fatal(err)
	}
	w.Close()
	q.lines = readLines(r)
	q.t.Cleanup(func() {
		_ = q.Process.Kill()
		_ = q.Wait()
		r.Close()
	})
	return q
}

// code waits for the end and gives the exit code.
func (q *quorate) code() int {
	_ = q.Wait()
	return q.ProcessState.ExitCode()
}

// expect reads the next line of standard output, which must begin with prefix,
// and gives the rest of it.
func (q *quorate) expect(prefix string) string {
	q.t.Helper()
	select {
	case line, ok := <-q.lines.ch:
		if !ok {
			q.t.Fatalf("output ended instead of %q; standard error: %s", prefix, q.stderr)
		}
		rest, found := strings.CutPrefix(line, prefix)
		if !found {
			q.t.Fatalf("got line %q instead of %q", line, prefix)
		}
		return strings.TrimSpace(rest)
	case <-time.After(bound):
		q.t.Fatalf("no line %q", prefix)
	}
	return ""
}

// lines is a stream by lines; its channel is closed at the end of the stream.
type lines struct{ ch chan string }

func readLines(r io.Reader) *lines {
	l := &lines{make(chan string, 1000)}
	go func() {
		defer close(l.ch)
		var line []byte
		buf := make([]byte, 1)
		for {
			n, err := r.Read(buf)
			if n > 0 && buf[0] == '\n' {
				l.ch <- strings.TrimRight(string(line), "\r")
				line = line[:0]
			} else if n > 0 {
				line = append(line, buf[0])
			}
			if err != nil {
				return
			}
		}
	}()
	return l
}

// client is a client of the shared etcd.
func client(t *testing.T) *etcd.Client {
	t.Helper()
	c, err := etcd.New(etcd.Config{Endpoints: []string{endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// contenders gives the keys of those who hold the lock or wait for it.
func contenders(t *testing.T, c *etcd.Client, name string) []etcd.KV {
	t.Helper()
	segment, err := names.Escape(name)
	if err != nil {
		t.Fatal(err)
	}
	return keysBelow(t, c, lock.Root+segment+"/")
}

// keysBelow gives the keys that start with prefix.
func keysBelow(t *testing.T, c *etcd.Client, prefix string) []etcd.KV {
	t.Helper()
	r, err := c.Get(t.Context(), etcd.Prefix(prefix))
	if err != nil {
		t.Fatal(err)
	}
	return r.KVs
}
