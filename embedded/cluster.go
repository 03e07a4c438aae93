package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

var (
	// ErrInUse says that another Cluster, of this process or another one, holds
	// the directory.
	ErrInUse = errors.New("in use by another cluster")
	// ErrForeignDir says that the directory holds something other than the
	// cluster asked for: other members, or not a cluster of this package.
	ErrForeignDir = errors.New("not a directory of this cluster")
	// ErrStopped says that the cluster, or the member, was stopped.
	ErrStopped = errors.New("stopped")
)

// startTimeout bounds a Start whose context has no deadline.
const startTimeout = time.Minute

// Cluster is a set of running etcd members. All methods may be called
// concurrently.
type Cluster struct {
	config      Config
	store       *store
	layout      *layout
	clientPorts []int

	done     chan struct{} // closed when a member ended unasked, or with stopped
	stopping chan struct{} // closed by the first Stop
	stopped  chan struct{} // closed when it is through
	turn     chan struct{} // full while members are being stopped or started
	watchers sync.WaitGroup
	stopErr  error // read after stopped

	mu      sync.Mutex
	members []*member // nil where stopped
	cause   error
}

// Start starts the members and returns when all of them answer linearizable
// reads. ctx bounds the start alone; without a deadline it is bounded by a
// minute. On an error nothing is left running, and a directory that was fresh
// is fresh again.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	if config.Members == 0 {
		config.Members = 1
	}
	config.ClientPorts = slices.Clone(config.ClientPorts)
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, startTimeout,
			fmt.Errorf("no answer within %v: %w", startTimeout, context.DeadlineExceeded))
		defer cancel()
	}
	s, err := openStore(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	c, err := start(ctx, config, s)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", errors.Join(err, s.close()))
	}
	return c, nil
}

// start tries again where a port that was found free was taken before etcd had
// it, as long as nothing depends on that port.
func start(ctx context.Context, config Config, s *store) (*Cluster, error) {
	known, err := s.load(config.Members)
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		c, err := startOnce(ctx, config, s, known)
		if err == nil {
			return c, nil
		}
		if known == nil {
			err = errors.Join(err, s.discard(config.Members))
		}
		var fixed *fixedPortError
		if attempt == 4 || ctx.Err() != nil || errors.As(err, &fixed) || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
	}
}

func startOnce(ctx context.Context, config Config, s *store, l *layout) (*Cluster, error) {
	l, clientPorts, err := choosePorts(config, l)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		config:      config,
		store:       s,
		layout:      l,
		clientPorts: clientPorts,
		done:        make(chan struct{}),
		stopping:    make(chan struct{}),
		stopped:     make(chan struct{}),
		turn:        make(chan struct{}, 1),
		members:     make([]*member, config.Members),
	}
	if err := s.save(l); err != nil {
		c.releasePorts()
		return nil, err
	}
	if err := c.startAll(ctx); err != nil {
		err = errors.Join(err, c.closeMembers())
		c.releasePorts()
		return nil, err
	}
	return c, nil
}

// startAll starts one member after the other, because a member that finds its
// peers listening but not yet serving waits for them to time out; then it waits
// for all of them together.
func (c *Cluster) startAll(ctx context.Context) error {
	for i := range c.members {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		m, err := c.startOne(i)
		if err != nil {
			return err
		}
		c.adopt(i, m)
	}
	var ready errgroup.Group
	for _, m := range c.members {
		ready.Go(func() error { return m.ready(ctx) })
	}
	return ready.Wait()
}

func (c *Cluster) startOne(i int) (*member, error) {
	cfg, err := memberConfig(c.config, c.store, c.layout, i, c.clientPorts[i])
	if err != nil {
		return nil, err
	}
	return startMember(cfg, c.config)
}

// adopt makes m the running member i and watches over it.
func (c *Cluster) adopt(i int, m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members[i] = m
	c.watchers.Go(func() {
		<-m.ended
		if err := m.err(); err != nil {
			c.fail(fmt.Errorf("embedded: member %s: %w", m.name, err))
		}
	})
}

// fail records why the cluster is not whole any more; the first cause counts.
func (c *Cluster) fail(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil && !closed(c.stopping) {
		c.cause = cause
		close(c.done)
	}
}

// Endpoints returns the client URLs of all members, in the members' order and
// whether they run or not.
func (c *Cluster) Endpoints() []string {
	out := make([]string, len(c.clientPorts))
	for i, port := range c.clientPorts {
		out[i] = c.config.scheme() + "://" + address(port)
	}
	return out
}

// Dir returns the directory that holds the data.
func (c *Cluster) Dir() string { return c.store.dir }

// Done is closed when a member has ended without being asked to, or when the
// cluster has stopped. Err tells the two apart.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Err returns why a member ended without being asked to: nil as long as none
// did, and nil after a Stop that found all well.
func (c *Cluster) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// Leader returns the index of the member that leads, or -1 where none of the
// running members knows itself to.
func (c *Cluster) Leader() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.IndexFunc(c.members, func(m *member) bool { return m != nil && m.leads() })
}

// Stop ends all members, hangs up on their clients, and returns when everything
// is gone, a temporary directory included. It may be called any number of times
// and from several goroutines; each call waits for the one stop. If ctx ends
// first Stop returns its error, while the stop goes on.
func (c *Cluster) Stop(ctx context.Context) error {
	c.mu.Lock()
	if !closed(c.stopping) {
		close(c.stopping)
		go c.stop()
	}
	c.mu.Unlock()
	select {
	case <-c.stopped:
		return c.stopErr
	case <-ctx.Done():
		if closed(c.stopped) {
			return c.stopErr
		}
		return fmt.Errorf("embedded: stop: %w", context.Cause(ctx))
	}
}

func (c *Cluster) stop() {
	c.turn <- struct{}{} // never given back: nothing starts after a stop
	err := errors.Join(c.closeMembers(), c.store.close())
	c.releasePorts()
	if err != nil {
		c.stopErr = fmt.Errorf("embedded: stop: %w", err)
	}
	c.mu.Lock()
	if c.cause == nil {
		close(c.done)
	}
	c.mu.Unlock()
	close(c.stopped) // last: whoever returns from Stop finds Done closed
}

// closeMembers closes followers before leaders: a leader that still had peers
// would try to hand its leadership to one of them.
func (c *Cluster) closeMembers() error {
	c.mu.Lock()
	running := slices.DeleteFunc(slices.Clone(c.members), func(m *member) bool { return m == nil })
	clear(c.members)
	c.mu.Unlock()
	for _, m := range running {
		m.hangUp()
	}
	slices.SortStableFunc(running, func(a, b *member) int { return boolInt(a.leads()) - boolInt(b.leads()) })
	var errs []error
	for _, m := range running {
		errs = append(errs, m.close())
	}
	c.watchers.Wait()
	return errors.Join(errs...)
}

func (c *Cluster) releasePorts() {
	releasePorts(c.clientPorts...)
	releasePorts(c.layout.PeerPorts...)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
