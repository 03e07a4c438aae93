package sequence

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/embedded"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/sequence"
)

// server gives the endpoint of a real etcd, and a client.
func server(t *testing.T) (string, *etcd.Client) {
	t.Helper()
	e, err := embedded.Start(t.Context(), embedded.Config{UnsafeNoFsync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop(context.Background())) })
	c, err := etcd.New(etcd.Config{Endpoints: e.Endpoints()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return e.Endpoints()[0], c
}

func (o orders) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), takerEnv+"="+o.String())
	return cmd
}

func number(t *testing.T, line string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	require.NoError(t, err)
	return n
}

// One process after the other takes numbers and is killed, each a step later,
// until one comes through.
func TestProcessesKilledAtEveryStepTakeNoNumberTwice(t *testing.T) {
	t.Parallel()
	endpoint, c := server(t)
	for _, kind := range []string{"next", "in", "cached"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			name, last := "killed-"+kind, int64(0)
			killed := 0
			for _, p := range points {
				for step := int64(1); ; step++ {
					o := orders{endpoint: endpoint, name: name, kind: kind, calls: 4, deadly: p, step: step}
					cmd := o.command(t.Context())
					var stderr bytes.Buffer
					cmd.Stderr = &stderr
					out, err := cmd.Output()
					for line := range strings.Lines(string(out)) {
						n := number(t, line)
						require.Greater(t, n, last, "%v", o)
						last = n
					}
					if kind == "in" {
						gapless(t, c, name, last)
					}
					if err == nil {
						break
					}
					require.Empty(t, stderr.String(), "it was to be killed, not to fail: %v", o)
					killed++
				}
			}
			n, err := sequence.New(c, name).Next(t.Context())
			require.NoError(t, err)
			require.Greater(t, n, last)
			require.Greater(t, killed, 4*3)
			t.Logf("%d processes killed, %d numbers", killed, n)
		})
	}
}

// gapless asserts that every number up to the current one has its invoice, and
// none above; at least up to told.
func gapless(t *testing.T, c *etcd.Client, name string, told int64) {
	t.Helper()
	current, err := sequence.New(c, name).Current(t.Context())
	if told > 0 {
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, current, told)
	prefix := "invoice/" + name + "/"
	written := map[int64]bool{}
	for kv, err := range c.List(t.Context(), etcd.Prefix(prefix)) {
		require.NoError(t, err)
		written[number(t, strings.TrimPrefix(kv.Key, prefix))] = true
	}
	require.Len(t, written, int(current))
	if current > 0 {
		require.Equal(t, current, slices.Max(slices.Collect(maps.Keys(written))))
	}
	r, err := c.Get(t.Context(), etcd.Prefix("never/"+name))
	require.NoError(t, err)
	require.Empty(t, r.KVs, "the caller's Else was carried out although its If held")
}

// Several at once, whose replies get lost now and then, and who are killed at
// any time and replaced.
func TestProcessesKilledAtAnyTimeTakeNoNumberTwice(t *testing.T) {
	t.Parallel()
	endpoint, c := server(t)
	for _, kinds := range [][]string{{"next", "next", "cached"}, {"in", "next", "in"}, {"in", "in"}} {
		t.Run(strings.Join(kinds, ","), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			l := &ledger{got: make(map[int64]string)}
			over := time.Now().Add(4 * time.Second) // or later, where little has happened by then
			name := strings.Join(kinds, "-")
			var wg sync.WaitGroup
			for i, kind := range kinds {
				wg.Go(func() {
					for life := 0; ctx.Err() == nil; life++ {
						o := orders{endpoint: endpoint, name: name, kind: kind, deadly: beforeSending, cut: 40}
						mine, kill := context.WithTimeout(ctx, time.Duration(100+rand.IntN(700))*time.Millisecond)
						if err := l.follow(o.command(mine), fmt.Sprintf("%s %d.%d", kind, i, life), kind == "cached"); err != nil {
							t.Error(err)
						}
						kill()
					}
				})
			}
			// We take some as well: each is greater than all that were told
			// before we asked.
			s := sequence.New(c, name)
			ours := 0
			for ctx.Err() == nil {
				before := l.greatest()
				n, err := s.Next(ctx)
				require.NoError(t, err)
				require.Greater(t, n, before)
				require.NoError(t, l.add(n, "us", false))
				ours++
				if time.Now().After(over) && l.size()-ours > 20 {
					cancel()
				}
				require.True(t, time.Now().Before(over.Add(3*time.Minute)), "the others take %d numbers only", l.size()-ours)
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			}
			wg.Wait()
			l.mu.Lock()
			defer l.mu.Unlock()
			t.Logf("%d numbers, %d of them ours", len(l.got), ours)
			if !slices.Contains(kinds, "next") {
				// Whatever is no invoice is ours.
				current, err := s.Current(t.Context())
				require.NoError(t, err)
				r, err := c.Get(t.Context(), etcd.Prefix("invoice/"+name+"/"), etcd.CountOnly())
				require.NoError(t, err)
				require.Equal(t, current, int64(ours)+r.Count, "gaps")
			}
		})
	}
}

// A ledger is who got which number.
type ledger struct {
	mu     sync.Mutex
	got    map[int64]string
	strict int64 // the greatest but those of blocks
}

func (l *ledger) add(n int64, who string, cached bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other, ok := l.got[n]; ok {
		return fmt.Errorf("%d was given to %s and to %s", n, other, who)
	}
	l.got[n] = who
	if !cached {
		l.strict = max(l.strict, n)
	}
	return nil
}

func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.got)
}

func (l *ledger) greatest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.strict
}

// follow runs a taker until it is killed, and notes what it says.
func (l *ledger) follow(cmd *exec.Cmd, who string, cached bool) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return nil // its time was over before it began
	}
	last := int64(0)
	for sc := bufio.NewScanner(out); sc.Scan(); {
		n, perr := strconv.ParseInt(sc.Text(), 10, 64)
		if perr != nil {
			break // killed in the middle of a line
		}
		if aerr := l.add(n, who, cached); aerr != nil && err == nil {
			err = aerr
		}
		if n <= last && err == nil {
			err = fmt.Errorf("%s got %d after %d", who, n, last)
		}
		last = n
	}
	_ = cmd.Wait() // it was killed
	if err == nil && stderr.Len() > 0 {
		err = fmt.Errorf("%s: %s", who, &stderr)
	}
	return err
}
