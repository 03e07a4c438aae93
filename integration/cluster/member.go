package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// member is one etcd server with its addresses and data, running or not.
type member struct {
	name         string
	dir, logFile string
	clientAddr   string // where etcd itself listens
	peerAddr     string
	client, peer *Proxy
	process      atomic.Pointer[Process] // nil before the first start
	paused       atomic.Bool
}

// Kill ends member i as kill -9 does, and returns when it is gone. Its client
// port refuses connections from then on.
func (c *Cluster) Kill(i int) {
	c.members[i].client.Refuse()
	c.members[i].process.Load().Kill()
	c.members[i].paused.Store(false)
}

// Terminate asks member i to end in good order (SIGTERM) and waits for it. etcd
// lets open watches go on for several seconds first.
func (c *Cluster) Terminate(ctx context.Context, i int) error {
	m := c.members[i]
	if err := terminate(m.process.Load().cmd.Process); err != nil && m.process.Load().alive() {
		return fmt.Errorf("terminate %s: %w", m.name, err)
	}
	select {
	case <-m.process.Load().exited:
		m.client.Refuse()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("terminate %s: %w", m.name, context.Cause(ctx))
	}
}

// Pause stops member i in its tracks (SIGSTOP): its connections stay open, and
// nothing moves until Resume. On Linux it returns when that is so.
func (c *Cluster) Pause(i int) error {
	err := pause(c.members[i].process.Load().cmd.Process)
	if err == nil {
		err = awaitStopped(c.PID(i))
	}
	if err != nil {
		return fmt.Errorf("pause %s: %w", c.members[i].name, err)
	}
	c.members[i].paused.Store(true)
	return nil
}

// Resume lets a paused member go on.
func (c *Cluster) Resume(i int) error {
	if err := resume(c.members[i].process.Load().cmd.Process); err != nil {
		return fmt.Errorf("resume %s: %w", c.members[i].name, err)
	}
	c.members[i].paused.Store(false)
	return nil
}

// Restart starts member i again on its data and its addresses, after killing it
// where it still runs. It does not wait until the member serves; WaitReady does.
func (c *Cluster) Restart(i int) error {
	m := c.members[i]
	if m.process.Load() != nil {
		c.Kill(i)
	}
	if err := c.launch(m); err != nil {
		return err
	}
	return m.client.Heal()
}

// Wipe removes member i's data; it must not be running.
func (c *Cluster) Wipe(i int) error {
	if c.Running(i) {
		return fmt.Errorf("wipe %s: it runs", c.members[i].name)
	}
	return os.RemoveAll(c.members[i].dir)
}

// Running reports whether member i's process lives, paused or not.
func (c *Cluster) Running(i int) bool { return c.members[i].process.Load().alive() }

// PID returns the process id of member i.
func (c *Cluster) PID(i int) int { return c.members[i].process.Load().PID() }

// Client returns the proxy between clients and member i.
func (c *Cluster) Client(i int) *Proxy { return c.members[i].client }

// Log returns what member i has printed so far.
func (c *Cluster) Log(i int) string {
	b, err := os.ReadFile(c.members[i].logFile)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (c *Cluster) launch(m *member) error {
	p, err := StartProcess(c.binary, c.args(m), m.logFile)
	if err != nil {
		return fmt.Errorf("member %s: %w", m.name, err)
	}
	m.process.Store(p)
	return nil
}

// args are the flags of a member, the caller's last.
func (c *Cluster) args(m *member) []string {
	var initial []string
	for _, o := range c.members {
		initial = append(initial, o.name+"=http://"+o.peer.Addr())
	}
	args := []string{
		"--name=" + m.name,
		"--data-dir=" + m.dir,
		"--listen-client-urls=" + c.scheme() + "://" + m.clientAddr,
		"--advertise-client-urls=" + c.scheme() + "://" + m.client.Addr(),
		"--listen-peer-urls=http://" + m.peerAddr,
		"--initial-advertise-peer-urls=http://" + m.peer.Addr(),
		"--initial-cluster=" + strings.Join(initial, ","),
		"--initial-cluster-token=" + c.token,
		"--log-level=warn",
	}
	if !c.options.Fsync {
		args = append(args, "--unsafe-no-fsync")
	}
	if c.certs != nil {
		args = append(args, "--cert-file="+c.certs.CertFile, "--key-file="+c.certs.KeyFile)
		if c.options.ClientCerts {
			args = append(args, "--client-cert-auth", "--trusted-ca-file="+c.certs.CAFile)
		}
	}
	return append(args, c.options.Args...)
}

func (c *Cluster) newMember(i int) (*member, error) {
	name := fmt.Sprintf("m%d", i+1)
	m := &member{name: name, dir: filepath.Join(c.dir, name), logFile: filepath.Join(c.dir, name+".log")}
	addrs, err := freeAddrs(2)
	if err != nil {
		return nil, err
	}
	m.clientAddr, m.peerAddr = addrs[0], addrs[1]
	if m.client, err = NewProxy(m.clientAddr); err != nil {
		return nil, err
	}
	if m.peer, err = NewProxy(m.peerAddr); err != nil {
		m.client.Close()
		return nil, err
	}
	m.peer.change(func() {
		m.peer.blocked = func(source string, dir Direction) bool { return c.links.blocked(source, i, dir) }
	})
	return m, nil
}
