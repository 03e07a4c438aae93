package queues

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// asWorker makes this test binary a process that works jobs, if it is the first
// argument.
const asWorker = "as-worker"

// name is the queue's.
const name = "orders"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asWorker {
		if err := beWorker(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// ttl is the least that etcd grants.
const ttl = 2 * time.Second

// beWorker works until it is killed. A job is a number; every third is done in
// one commit with its result, the others are acknowledged, and a worker that is
// to die of it dies of job "poison".
func beWorker(endpoint, prefetch, attempts string) error {
	n, err := strconv.Atoi(prefetch)
	if err != nil {
		return err
	}
	most, err := strconv.Atoi(attempts)
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, err := etcd.New(etcd.Config{Endpoints: []string{endpoint}, AttemptTimeout: 2 * time.Second})
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		err := workUntilLost(ctx, c, n, most)
		fmt.Println("lost", err) // as after a pause: a process goes on with a new session
	}
}

func workUntilLost(ctx context.Context, c *etcd.Client, prefetch, attempts int) error {
	s, err := etcd.NewSession(ctx, c, etcd.WithTTL(ttl))
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	q := queue.New[string](c, name)
	cons, err := q.Consumer(s, queue.Prefetch(prefetch), queue.MaxAttempts(attempts))
	if err != nil {
		return err
	}
	defer cons.Close(ctx)
	fmt.Println("ready")
	for {
		ds, err := cons.Receive(ctx, 20)
		if err != nil {
			return err
		}
		for _, d := range ds {
			if d.Value == "poison" {
				os.Exit(3)
			}
			if err := work(ctx, d); err != nil && !errors.Is(err, queue.ErrClaimLost) {
				return err
			}
		}
	}
}

func work(ctx context.Context, d *queue.Delivery[string]) error {
	if n, err := strconv.Atoi(d.Value); err == nil && n%3 != 0 {
		return d.Ack(ctx)
	}
	_, err := d.AckWith(ctx, etcd.Txn{Then: []etcd.Op{etcd.Put("result/"+d.ID, []byte(d.Value))}})
	return err
}

// worker is one of those processes.
type worker struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start starts a worker and waits until it is at work.
func start(t *testing.T, endpoint string, prefetch, attempts int) *worker {
	t.Helper()
	w := &worker{cmd: exec.CommandContext(t.Context(), os.Args[0], asWorker, endpoint, strconv.Itoa(prefetch), strconv.Itoa(attempts)), done: make(chan struct{})}
	w.cmd.Stderr = os.Stderr
	out, err := w.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, w.cmd.Start())
	ready := make(chan struct{}, 1)
	go func() {
		defer close(w.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == "ready" {
				select {
				case ready <- struct{}{}:
				default:
				}
			}
		}
		_ = w.cmd.Wait()
	}()
	t.Cleanup(w.kill)
	select {
	case <-ready:
	case <-w.done:
	case <-time.After(2 * time.Minute):
		t.Fatal("a worker does not start")
	}
	return w
}

// kill ends the process with SIGKILL.
func (w *worker) kill() {
	_ = w.cmd.Process.Kill()
	<-w.done
}
