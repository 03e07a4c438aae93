package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/embedded"
)

func TestStartReturnsWhenTheSingleMemberServes(t *testing.T) {
	c := start(t, embedded.Config{})
	put(t, c.Endpoints()[0], "k", "v")
	if got := get(t, c.Endpoints()[0], "k"); got != "v" {
		t.Errorf("got %q", got)
	}
	if c.Leader() != 0 {
		t.Errorf("leader is %d", c.Leader())
	}
}

func TestStopRemovesATemporaryDirectoryAndKeepsAGivenOne(t *testing.T) {
	temporary, given := start(t, embedded.Config{}), start(t, embedded.Config{Dir: t.TempDir()})
	for _, c := range []*embedded.Cluster{temporary, given} {
		if _, err := os.Stat(filepath.Join(c.Dir(), "m1", "member")); err != nil {
			t.Error(err)
		}
		stop(t, c)
	}
	if _, err := os.Stat(temporary.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("temporary directory: %v", err)
	}
	if _, err := os.Stat(given.Dir()); err != nil {
		t.Error(err)
	}
}

func TestStopIsIdempotentAndReturnsToEveryCaller(t *testing.T) {
	c := start(t, embedded.Config{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			stop(t, c)
			select {
			case <-c.Done():
			default:
				t.Error("Done is open after Stop")
			}
		})
	}
	callers.Wait()
	stop(t, c)
	if err := c.Err(); err != nil {
		t.Error(err)
	}
	if err := c.StartMember(t.Context(), 0); !errors.Is(err, embedded.ErrStopped) {
		t.Errorf("start member after stop: %v", err)
	}
}

func TestStopHangsUpOnOpenWatchesAtOnce(t *testing.T) {
	c := start(t, embedded.Config{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.Endpoints()[0], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"create_request":{"key":"` + b64("k") + `"}}`
	if _, err := fmt.Fprintf(conn, "POST /v3/watch HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil { // the watch is created
		t.Fatal(err)
	}
	// Left to itself, etcd waits for open watches for some seconds. How long the
	// rest of a stop takes on this machine now, another cluster tells.
	other := start(t, embedded.Config{})
	begin := time.Now()
	stop(t, other)
	idle := time.Since(begin)
	begin = time.Now()
	stop(t, c)
	if took := time.Since(begin); took > 3*time.Second+10*idle {
		t.Errorf("stop took %v, and %v without a watch", took, idle)
	}
}

func TestStopEndsWithItsContextWhileTheStopGoesOn(t *testing.T) {
	c := start(t, embedded.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	stop(t, c)
}

func TestSeveralClustersStartAtOnce(t *testing.T) {
	var starts sync.WaitGroup
	seen := sync.Map{}
	for range 4 {
		starts.Go(func() {
			c, err := embedded.Start(t.Context(), embedded.Config{UnsafeNoFsync: true})
			if err != nil {
				t.Error(err)
				return
			}
			defer stop(t, c)
			if _, twice := seen.LoadOrStore(c.Endpoints()[0], true); twice {
				t.Errorf("endpoint %s is used twice", c.Endpoints()[0])
			}
			put(t, c.Endpoints()[0], "own", c.Endpoints()[0])
			if got := get(t, c.Endpoints()[0], "own"); got != c.Endpoints()[0] {
				t.Errorf("%s read %q", c.Endpoints()[0], got)
			}
		})
	}
	starts.Wait()
}

func TestATakenClientPortIsAClearError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = embedded.Start(t.Context(), embedded.Config{Dir: dir, ClientPorts: []int{port}})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "client address of member m1") {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "m1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the failed start left data: %v", err)
	}
}

func TestAGivenClientPortIsUsed(t *testing.T) {
	port := quietPort(t)
	c := start(t, embedded.Config{ClientPorts: []int{port}})
	if got := c.Endpoints()[0]; got != fmt.Sprintf("http://127.0.0.1:%d", port) {
		t.Errorf("endpoint is %s", got)
	}
}

// quietPort finds a port that nobody listens on, and that the system gives to
// nobody who asks for any: the tests of other packages do all the time.
func quietPort(t *testing.T) int {
	t.Helper()
	for port := 20_000 + rand.IntN(10_000); port < 32_000; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("all ports are taken")
	return 0
}

func TestStartEndsWithItsContextAndLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("no longer wanted")
	cancel(why)
	dir := t.TempDir()
	if _, err := embedded.Start(ctx, embedded.Config{Dir: dir}); !errors.Is(err, why) {
		t.Errorf("error is %v", err)
	}
	c := start(t, embedded.Config{Dir: dir})
	put(t, c.Endpoints()[0], "k", "v")
}

func TestStopLeavesNoGoroutineBehind(t *testing.T) {
	stop(t, start(t, embedded.Config{})) // what etcd starts once a process is started now
	before := stacks()
	stop(t, start(t, embedded.Config{Members: 3, UnsafeNoFsync: true}))
	// etcd closes some of its connections without waiting for their readers.
	deadline := time.Now().Add(time.Minute)
	for {
		if n := len(stacks()); n <= len(before) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left running:\n\n%s", strings.Join(stacks(), "\n\n"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stacks returns the goroutines of etcd, gRPC and this package.
func stacks() []string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var out []string
	for s := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(s, "go.etcd.io/") || strings.Contains(s, "google.golang.org/grpc") ||
			strings.Contains(s, "quorate/embedded.") {
			out = append(out, s)
		}
	}
	return out
}
