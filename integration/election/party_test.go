package election

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

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

// A party is a process of its own that stands for election: this test binary,
// run with asParty as its first argument.
const asParty = "as-party"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asParty {
		if err := beParty(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	name = "scheduler"
	// partyTTL is the least that etcd grants.
	partyTTL = 2 * time.Second
)

var prefix = election.Root + name + "/"

// beParty leads and does as it is told on standard input.
func beParty(endpoint string) error {
	ctx := context.Background()
	c, err := etcd.New(etcd.Config{Endpoints: []string{endpoint}})
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := etcd.NewSession(ctx, c, etcd.WithTTL(partyTTL))
	if err != nil {
		return err
	}
	e := election.New(s, name)
	t, err := e.Campaign(ctx, []byte(strconv.Itoa(os.Getpid())))
	if err != nil {
		return err
	}
	fmt.Println("leads", t.Token())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "look":
			fmt.Println("expired", errors.Is(t.Err(), etcd.ErrSessionExpired) && errors.Is(t.Err(), election.ErrLost))
		case "context":
			<-t.Context().Done()
			fmt.Println("cause", context.Cause(t.Context()))
		case "write":
			fmt.Println("write", write(ctx, c, t))
		case "transfer":
			cs, err := e.Candidates(ctx)
			if err == nil {
				err = t.Transfer(ctx, cs[len(cs)-1])
			}
			fmt.Println("transfer", err)
		case "resign":
			fmt.Println("resign", t.Resign(ctx))
			return s.Close(ctx)
		}
	}
	return nil
}

var errRefused = errors.New("refused")

// write puts the token under the guard.
func write(ctx context.Context, c *etcd.Client, t *election.Term) error {
	r, err := c.Txn(ctx, etcd.Txn{
		If:   []etcd.Cmp{t.Guard()},
		Then: []etcd.Op{etcd.Put("protected", []byte(strconv.FormatInt(t.Token(), 10)))},
	})
	if err == nil && !r.Succeeded {
		err = errRefused
	}
	return err
}

// party is one of those processes.
type party struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out chan string
}

func start(t *testing.T, endpoint string) *party {
	t.Helper()
	p := &party{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], asParty, endpoint), out: make(chan string, 16)}
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

// token waits until the process leads.
func (p *party) token() int64 {
	p.t.Helper()
	n, err := strconv.ParseInt(p.hear("leads"), 10, 64)
	require.NoError(p.t, err)
	return n
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

// history gives all changes of the keys of set up to a revision.
func history(t *testing.T, c *etcd.Client, set etcd.KeySet, until int64) []etcd.Event {
	t.Helper()
	w, err := c.Watch(t.Context(), set, etcd.FromRevision(1), etcd.WithProgress())
	require.NoError(t, err)
	defer w.Close()
	var events []etcd.Event
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		evs, err := w.Next(ctx)
		cancel()
		require.NoError(t, err)
		for _, ev := range evs.Events {
			if ev.KV.ModRevision <= until {
				events = append(events, ev)
			}
		}
		if evs.Revision >= until {
			return events
		}
	}
}
