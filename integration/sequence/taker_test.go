package sequence

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/sequence"
)

// takerEnv makes the test binary a process that takes numbers: its value says
// how, as fields of orders.
const takerEnv = "QUORATE_TEST_TAKER"

func TestMain(m *testing.M) {
	if os.Getenv(takerEnv) == "" {
		os.Exit(m.Run())
	}
	if err := take(os.Getenv(takerEnv)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// orders say what a taker does.
type orders struct {
	endpoint string
	name     string // of the sequence
	kind     string // next, in or cached
	calls    int    // 0: until it is killed
	deadly   point  // where it kills itself
	step     int64  // at the how manieth such point; 0: nowhere
	cut      int    // one of so many replies is lost; 0: none
}

// A point is a moment of a request.
type point string

const (
	beforeSending point = "before-sending"
	whileSending  point = "while-sending"
	afterSending  point = "after-sending"
	afterReply    point = "after-reply"
)

var points = []point{beforeSending, whileSending, afterSending, afterReply}

func (o orders) String() string {
	return fmt.Sprintln(o.endpoint, o.name, o.kind, o.calls, o.deadly, o.step, o.cut)
}

// take is the taker. It tells each number it gets in a line on standard output,
// at once: what a killed process has said stays said.
func take(how string) error {
	var o orders
	if _, err := fmt.Sscan(how, &o.endpoint, &o.name, &o.kind, &o.calls, &o.deadly, &o.step, &o.cut); err != nil {
		return err
	}
	d := &deathDialer{orders: o}
	c, err := etcd.New(etcd.Config{Endpoints: []string{o.endpoint}, Dial: d.dial})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := sequence.New(c, o.name)
	next := s.Next
	switch o.kind {
	case "in":
		next = func(ctx context.Context) (int64, error) {
			n, _, err := s.NextIn(ctx, func(n int64) etcd.Txn {
				number := strconv.FormatInt(n, 10)
				return etcd.Txn{Then: []etcd.Op{etcd.Put("invoice/"+o.name+"/"+number, []byte(number))}, Else: []etcd.Op{etcd.Put("never/"+o.name, nil)}}
			})
			return n, err
		}
	case "cached":
		cached := s.Cached(5)
		defer func() {
			if err := cached.Close(ctx); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
		next = cached.Next
	}
	for i := 0; o.calls == 0 || i < o.calls; i++ {
		n, err := next(ctx)
		if err != nil {
			return err
		}
		if _, err := fmt.Println(n); err != nil {
			return err
		}
	}
	return nil
}

// A deathDialer opens connections on which the process ends, or replies are
// lost.
type deathDialer struct {
	orders
	passed atomic.Int64 // deadly points
}

func (d *deathDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &deathConn{nc, d}, nil
}

// at ends the process, as kill -9 does, if this is where it is to end.
func (d *deathDialer) at(p point) {
	if p != d.deadly || d.passed.Add(1) != d.step {
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // nothing more happens here
}

// dies reports whether the process is about to end at p.
func (d *deathDialer) dies(p point) bool { return p == d.deadly && d.passed.Load()+1 == d.step }

type deathConn struct {
	net.Conn
	d *deathDialer
}

func (c *deathConn) Write(p []byte) (int, error) {
	c.d.at(beforeSending)
	if c.d.dies(whileSending) {
		_, _ = c.Conn.Write(p[:len(p)/2])
	}
	c.d.at(whileSending)
	n, err := c.Conn.Write(p)
	c.d.at(afterSending)
	return n, err
}

func (c *deathConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		return n, err
	}
	c.d.at(afterReply)
	if c.d.cut > 0 && rand.IntN(c.d.cut) == 0 {
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}
