package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/auth"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"
)

// abandonAfter bounds the closing of a member that already broke down: what is
// left of it may wait for a goroutine that is gone.
const abandonAfter = 10 * time.Second

// member is one run of one etcd server, from start to close.
type member struct {
	name string
	etcd *embed.Etcd

	serving chan struct{} // closed when the client endpoint is served
	broken  chan struct{} // closed when etcd gave up
	ended   chan struct{} // closed when the member ended, asked or not
	asked   chan struct{} // closed when close was called

	mu      sync.Mutex
	servers []*grpc.Server
	cause   error // why it ended unasked
}

// startMember starts an etcd server. It may return before the server has
// joined its cluster; ready waits for that.
func startMember(cfg *embed.Config, c Config) (*member, error) {
	m := &member{
		name:    cfg.Name,
		serving: make(chan struct{}),
		broken:  make(chan struct{}),
		ended:   make(chan struct{}),
		asked:   make(chan struct{}),
	}
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(newLogger(c.Logger, m.name, m.breakDown))
	register := cfg.ServiceRegister
	cfg.ServiceRegister = func(s *grpc.Server) {
		if register != nil {
			register(s)
		}
		m.addServer(s)
	}
	// A goroutine of its own, because etcd may end the one it runs on.
	started := make(chan error, 1)
	go func() {
		err := errors.New("etcd ended its own start")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("etcd panicked: %v", p)
			}
			started <- err
		}()
		m.etcd, err = embed.StartEtcd(cfg)
	}()
	var err error
	select {
	case err = <-started:
	case <-m.broken:
		err = m.afterBreakdown(started)
	}
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", m.name, err)
	}
	go m.watch()
	return m, nil
}

// afterBreakdown waits a little for a start that met fatal trouble. Where that
// happened on a goroutine etcd's own start waits for, the start never returns:
// it is abandoned, with its listeners, instead of ending the process.
func (m *member) afterBreakdown(started <-chan error) error {
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case err := <-started:
		if err == nil {
			m.etcd.Close()
		}
	case <-grace.C:
	}
	return m.err()
}

func (m *member) addServer(s *grpc.Server) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.servers) == 0 {
		close(m.serving)
	}
	m.servers = append(m.servers, s)
}

// breakDown is told why etcd gave up; the first reason counts.
func (m *member) breakDown(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cause == nil {
		m.cause = cause
		close(m.broken)
	}
}

func (m *member) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cause
}

// watch closes ended when the member is gone, with a cause if nobody asked.
func (m *member) watch() {
	defer close(m.ended)
	errs := m.etcd.Err()
	for {
		select {
		case <-m.asked:
			return
		case <-m.broken:
			return
		case <-m.etcd.Server.StopNotify():
			m.endedUnasked(errors.New("the server stopped by itself"))
			return
		case err, open := <-errs:
			if err != nil {
				m.endedUnasked(err)
				return
			}
			if !open {
				errs = nil
			}
		}
	}
}

// endedUnasked records a cause unless the end was asked for in the meantime:
// closing makes the listeners fail too.
func (m *member) endedUnasked(cause error) {
	select {
	case <-m.asked:
	default:
		m.breakDown(cause)
	}
}

// ready waits until the member serves clients and answers a linearizable read,
// which takes a leader.
func (m *member) ready(ctx context.Context) error {
	for _, step := range []<-chan struct{}{m.etcd.Server.ReadyNotify(), m.serving} {
		select {
		case <-step:
		case <-m.ended:
			return fmt.Errorf("member %s ended while starting: %w", m.name, m.err())
		case <-ctx.Done():
			return fmt.Errorf("member %s is not ready: %w", m.name, context.Cause(ctx))
		}
	}
	for {
		_, err := m.etcd.Server.Range(ctx, &pb.RangeRequest{Key: []byte{0}, CountOnly: true})
		// With auth on, the read got as far as being refused: behind the
		// point where it waited for the leader.
		if err == nil || errors.Is(err, auth.ErrUserEmpty) || errors.Is(err, auth.ErrPermissionDenied) {
			return nil
		}
		select {
		case <-m.ended:
			return fmt.Errorf("member %s ended while starting: %w", m.name, m.err())
		case <-ctx.Done():
			return fmt.Errorf("member %s is not ready: %w", m.name, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond): // no leader yet
		}
	}
}

// close ends the member and returns when it is gone. It is called once.
func (m *member) close() error {
	close(m.asked)
	<-m.ended
	m.hangUp()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// A server that has not joined its cluster yet, Close would wait for.
		if !closed(m.etcd.Server.ReadyNotify()) {
			m.etcd.Server.HardStop()
		}
		m.etcd.Close()
	}()
	if m.err() == nil {
		select {
		case <-done:
			return nil
		case <-m.broken: // it met trouble while closing
		}
	}
	abandon := time.NewTimer(abandonAfter)
	defer abandon.Stop()
	select {
	case <-done:
		return nil
	case <-abandon.C:
		return fmt.Errorf("member %s did not close after it broke down: %w", m.name, m.err())
	}
}

// hangUp ends the calls in progress. etcd itself would wait for open watches
// until a timeout of several seconds.
func (m *member) hangUp() {
	m.mu.Lock()
	servers := m.servers
	m.mu.Unlock()
	for _, s := range servers {
		s.Stop()
	}
}

func (m *member) leads() bool {
	return m.etcd.Server.Leader() == m.etcd.Server.MemberID()
}

// memberConfig puts the configuration of member i in etcd's terms.
func memberConfig(c Config, s *store, l *layout, i, clientPort int) (*embed.Config, error) {
	cfg := embed.NewConfig()
	if c.TLS != nil {
		cfg.ClientTLSInfo.CertFile = c.TLS.CertFile
		cfg.ClientTLSInfo.KeyFile = c.TLS.KeyFile
		cfg.ClientTLSInfo.TrustedCAFile = c.TLS.ClientCAFile
		cfg.ClientTLSInfo.ClientCertAuth = c.TLS.ClientCAFile != ""
	}
	cfg.LogLevel = "error" // unused by the logger set later; "debug" would open profiling endpoints
	cfg.QuotaBackendBytes = c.QuotaBytes
	if c.SnapshotCount != 0 {
		cfg.SnapshotCount = c.SnapshotCount
	}
	cfg.UnsafeNoFsync = c.UnsafeNoFsync
	cfg.TickMs, cfg.ElectionMs = c.election()
	c.Compaction.apply(cfg)
	if c.Modify != nil {
		c.Modify(i, cfg)
	}

	cfg.Name = memberName(i)
	cfg.Dir = s.memberDir(i)
	cfg.InitialClusterToken = l.Token
	initial := make([]string, len(l.PeerPorts))
	for j, port := range l.PeerPorts {
		initial[j] = memberName(j) + "=http://" + address(port)
	}
	cfg.InitialCluster = strings.Join(initial, ",")
	peer := url.URL{Scheme: "http", Host: address(l.PeerPorts[i])}
	client := url.URL{Scheme: c.scheme(), Host: address(clientPort)}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	return cfg, nil
}

func (c Config) scheme() string {
	if c.TLS != nil {
		return "https"
	}
	return "http"
}
