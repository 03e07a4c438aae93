package locks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

// A party is a process of its own that takes locks: this test binary, run with
// asParty as its first argument.
const asParty = "as-party"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asParty {
		if err := beParty(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// partyTTL is the least that etcd grants.
const partyTTL = 2 * time.Second

func beParty(role, endpoint, arg string) error {
	ctx := context.Background()
	c, err := etcd.New(etcd.Config{Endpoints: []string{endpoint}})
	if err != nil {
		return err
	}
	defer c.Close()
	if role == "crowd" {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		return beCrowd(ctx, c, n)
	}
	return beHolder(ctx, c, arg)
}

// beCrowd has n goroutines of one session wait for the lock, and each write its
// token.
func beCrowd(ctx context.Context, c *etcd.Client, n int) error {
	s, err := etcd.NewSession(ctx, c, etcd.WithTTL(time.Minute))
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	m := lock.New(s, "crowd")
	var g errgroup.Group
	for range n {
		g.Go(func() error {
			h, err := m.Acquire(ctx)
			if err != nil {
				return err
			}
			if err := write(ctx, c, h, "protected"); err != nil {
				return err
			}
			return h.Release(ctx)
		})
	}
	return g.Wait()
}

var errRefused = errors.New("refused")

// write puts the token under the guard.
func write(ctx context.Context, c *etcd.Client, h *lock.Handle, key string) error {
	r, err := c.Txn(ctx, etcd.Txn{
		If:   []etcd.Cmp{h.Guard()},
		Then: []etcd.Op{etcd.Put(key, []byte(strconv.FormatInt(h.Token(), 10)))},
	})
	if err == nil && !r.Succeeded {
		err = errRefused
	}
	return err
}

// beHolder takes a lock and does as it is told on standard input.
func beHolder(ctx context.Context, c *etcd.Client, name string) error {
	s, err := etcd.NewSession(ctx, c, etcd.WithTTL(partyTTL))
	if err != nil {
		return err
	}
	h, err := lock.New(s, name).Acquire(ctx)
	if err != nil {
		fmt.Println("failed", errors.Is(err, etcd.ErrSessionExpired))
		return nil
	}
	fmt.Println("held", h.Token())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "look":
			fmt.Println("expired", errors.Is(h.Err(), etcd.ErrSessionExpired) && errors.Is(h.Err(), lock.ErrLost))
		case "context":
			<-h.Context().Done()
			fmt.Println("cause", context.Cause(h.Context()))
		case "write":
			fmt.Println("write", write(ctx, c, h, "protected"))
		case "release":
			fmt.Println("release", h.Release(ctx))
			return s.Close(ctx)
		}
	}
	return nil
}

// party is one of those processes.
type party struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out chan string
}

func start(t *testing.T, role, endpoint, arg string) *party {
	t.Helper()
	p := &party{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], asParty, role, endpoint, arg), out: make(chan string, 16)}
	p.cmd.Stderr = os.Stderr
	var err error
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.out)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.out <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-read
		_ = p.cmd.Wait()
	})
	return p
}

// tell tells the process what to do.
func (p *party) tell(what string) {
	p.t.Helper()
	_, err := fmt.Fprintln(p.in, what)
	require.NoError(p.t, err)
}

// hear gives what it says of word.
func (p *party) hear(word string) string {
	p.t.Helper()
	select {
	case line, ok := <-p.out:
		require.True(p.t, ok, "the process has ended")
		rest, found := strings.CutPrefix(line, word+" ")
		require.True(p.t, found, "%q instead of %q", line, word)
		return rest
	case <-time.After(20 * time.Second):
		p.t.Fatalf("it says nothing of %q", word)
		return ""
	}
}

func newClient(t *testing.T, endpoints ...string) *etcd.Client {
	t.Helper()
	c, err := etcd.New(etcd.Config{Endpoints: endpoints})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func newSession(t *testing.T, c *etcd.Client, opts ...etcd.SessionOption) *etcd.Session {
	t.Helper()
	s, err := etcd.NewSession(t.Context(), c, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// inLine waits until n keys are below a prefix.
func inLine(t *testing.T, c *etcd.Client, prefix string, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		r, err := c.Get(ctx, etcd.Prefix(prefix), etcd.CountOnly())
		require.NoError(t, err)
		if r.Count == n {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d in line instead of %d", r.Count, n)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// written gives the tokens that were written to a key, in the order of their
// commits.
func written(t *testing.T, c *etcd.Client, key string, n int) []int64 {
	t.Helper()
	w, err := c.Watch(t.Context(), etcd.Key(key), etcd.FromRevision(1))
	require.NoError(t, err)
	defer w.Close()
	var tokens []int64
	for len(tokens) < n {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		evs, err := w.Next(ctx)
		cancel()
		require.NoError(t, err)
		for _, ev := range evs.Events {
			token, err := strconv.ParseInt(string(ev.KV.Value), 10, 64)
			require.NoError(t, err)
			tokens = append(tokens, token)
		}
	}
	return tokens
}
