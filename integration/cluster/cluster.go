package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/integration/servers"
)

// Options says what to start. The zero value is one member of the newest
// version.
type Options struct {
	Members int    // 1 or 3; 0 means 1
	Version string // a release line of servers.Lines; empty means the newest
	TLS     bool   // https on the client ports, with certificates made for it
	// ClientCerts makes the members demand a client certificate; with TLS only.
	ClientCerts bool
	// Fsync makes the members sync their log to disk. Killing a process loses
	// nothing without it; only a crash of the machine would.
	Fsync bool
	Args  []string // further etcd flags; they win over the harness's own
}

// Cluster is a set of etcd processes. Calls that change members are for one
// goroutine; the rest may be called concurrently.
type Cluster struct {
	options Options
	binary  string
	dir     string
	token   string
	certs   *Certs
	members []*member
	links   links
	http    *http.Client
}

// Start starts a cluster that ends with the test, and fails the test where that
// does not work. When the test fails, the members' logs are printed.
func Start(t testing.TB, options Options) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // a build included, on a slow machine
	defer cancel()
	c, err := New(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for i, m := range c.members {
				log := c.Log(i)
				t.Logf("last of %s's log:\n%s", m.name, log[max(0, len(log)-4096):])
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// New starts a cluster and returns when all members answer linearizable reads.
// Close it.
func New(ctx context.Context, options Options) (*Cluster, error) {
	if options.Members == 0 {
		options.Members = 1
	}
	if options.Members != 1 && options.Members != 3 {
		return nil, fmt.Errorf("cluster: %d members, not 1 or 3", options.Members)
	}
	if options.Version == "" {
		options.Version = servers.Newest
	}
	binary, err := servers.Binary(ctx, options.Version)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	for attempt := 0; ; attempt++ {
		c, err := start(ctx, options, binary)
		// etcd opens its own listeners, so a free port may be taken by the
		// time it does.
		if err == nil || attempt == 4 || !errors.Is(err, errPortTaken) {
			return c, err
		}
	}
}

var errPortTaken = errors.New("a port was taken")

func start(ctx context.Context, options Options, binary string) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "quorate-cluster-")
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	c := &Cluster{options: options, binary: binary, dir: dir, token: "quorate-" + rand.Text()}
	c.links.cut = map[[2]int]bool{}
	if err := c.start(ctx); err != nil {
		for i := range c.members {
			if strings.Contains(c.Log(i), "address already in use") {
				err = errors.Join(errPortTaken, err)
			}
			err = fmt.Errorf("%w\n%s", err, c.Log(i))
		}
		return nil, errors.Join(fmt.Errorf("cluster: %w", err), c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if c.options.TLS {
		certs, err := NewCerts(c.dir)
		if err != nil {
			return err
		}
		c.certs = certs
	}
	c.http = c.newHTTP()
	for i := range c.options.Members {
		m, err := c.newMember(i)
		if err != nil {
			return err
		}
		c.members = append(c.members, m)
	}
	for _, m := range c.members {
		if err := c.launch(m); err != nil {
			return err
		}
	}
	ready, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("five minutes are over"))
	// A member that ended will not come back: no use in waiting.
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel()
	for _, m := range c.members {
		watchers.Go(func() {
			select {
			case <-m.process.Load().exited:
				cancel()
			case <-ready.Done():
			}
		})
	}
	if err := c.WaitReady(ready); err != nil {
		return err
	}
	return c.learnIDs(ready)
}

// Endpoints returns the client URLs that lead through the proxies.
func (c *Cluster) Endpoints() []string {
	var out []string
	for _, m := range c.members {
		out = append(out, c.scheme()+"://"+m.client.Addr())
	}
	return out
}

// Direct returns the client URL of member i past its proxy.
func (c *Cluster) Direct(i int) string { return c.scheme() + "://" + c.members[i].clientAddr }

// Certs returns the certificates of a cluster with TLS, else nil.
func (c *Cluster) Certs() *Certs { return c.certs }

// Close kills all members and returns when everything is gone, data included.
func (c *Cluster) Close() error {
	for _, m := range c.members {
		m.client.Close()
		m.peer.Close()
		if m.process.Load() != nil {
			m.process.Load().Kill()
		}
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}

func (c *Cluster) scheme() string {
	if c.options.TLS {
		return "https"
	}
	return "http"
}

// freeAddrs returns loopback addresses nobody listened on a moment ago.
func freeAddrs(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all stay taken until all are found
		out = append(out, l.Addr().String())
	}
	return out, nil
}
