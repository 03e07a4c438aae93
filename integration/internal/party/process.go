package party

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asParty is the first argument of a test binary that is run as a party.
const asParty = "as-party"

// How long leases last.
const (
	// TTL is that of sessions in trouble, where some run out: the least that etcd
	// grants.
	TTL = 2 * time.Second
	// Lease is that of sessions which run out only where their process is killed or
	// stopped for so long. A machine that is busy elsewhere may hold one up for
	// more than TTL.
	Lease = 5 * time.Second
)

// Main is for a test binary's TestMain: it runs the tests or, in a process that
// Start has started, be with the arguments given there. It gives the exit code.
func Main(m *testing.M, be func(args []string) error) int {
	if len(os.Args) < 2 || os.Args[1] != asParty {
		return m.Run()
	}
	if err := be(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A Process is a party in a process of its own. It is told what to do on its
// standard input, a line each, and answers on its standard output.
type Process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out chan string
}

// Start starts this test binary as a party. It ends with the test.
func Start(t *testing.T, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], append([]string{asParty}, args...)...), out: make(chan string, 16)}
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

// Tell tells the process what to do.
func (p *Process) Tell(what string) {
	p.t.Helper()
	_, err := fmt.Fprintln(p.in, what)
	require.NoError(p.t, err)
}

// Hear gives what it says of word.
func (p *Process) Hear(word string) string {
	p.t.Helper()
	select {
	case line, ok := <-p.out:
		require.True(p.t, ok, "the process has ended")
		rest, found := strings.CutPrefix(line, word+" ")
		require.True(p.t, found, "%q instead of %q", line, word)
		return rest
	case <-time.After(3 * time.Minute):
		p.t.Fatalf("it says nothing of %q", word)
		return ""
	}
}

// Does tells it what to do and asserts that it succeeds.
func (p *Process) Does(what string) {
	p.t.Helper()
	p.Tell(what)
	require.Equal(p.t, "<nil>", p.Hear(what))
}

// Signal sends it a signal.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// Kill kills it.
func (p *Process) Kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
}

// Ended waits for its end, and asserts that it was a good one.
func (p *Process) Ended() {
	p.t.Helper()
	for range p.out { // until it is closed
	}
	require.NoError(p.t, p.cmd.Wait())
}
