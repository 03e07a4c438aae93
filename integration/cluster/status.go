package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// ErrNoLeader says that no running member knows itself to lead.
var ErrNoLeader = errors.New("no leader")

// call posts to member i itself, past its proxy.
func (c *Cluster) call(ctx context.Context, i int, path, body string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Direct(i)+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	// With auth on, a refusal for want of a token comes from a member that
	// serves.
	if res.StatusCode == http.StatusBadRequest && bytes.Contains(b, []byte("user name is empty")) {
		return nil
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s at %s: %s: %s", path, c.members[i].name, res.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

func (c *Cluster) newHTTP() *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	if c.certs != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: c.certs.Roots}
		if c.options.ClientCerts {
			transport.TLSClientConfig.Certificates = []tls.Certificate{c.certs.Client}
		}
	}
	return &http.Client{Transport: transport}
}

// poll tries until it succeeds or ctx ends; the error is the last try's.
func poll(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// WaitReady waits until the given members, or all where none is given, answer
// linearizable reads.
func (c *Cluster) WaitReady(ctx context.Context, members ...int) error {
	if len(members) == 0 {
		for i := range c.members {
			members = append(members, i)
		}
	}
	for _, i := range members {
		err := poll(ctx, func() error {
			if !c.Running(i) {
				return errors.New("its process has ended")
			}
			return c.call(ctx, i, "/v3/kv/range", `{"key":"AA==","count_only":true}`, nil)
		})
		if err != nil {
			return fmt.Errorf("member %s is not ready: %w", c.members[i].name, err)
		}
	}
	return nil
}

// Leader returns the index of the member that leads. After a partition an old
// leader may believe in itself for a while: of two, the one of the higher raft
// term is returned.
func (c *Cluster) Leader(ctx context.Context) (int, error) {
	leader, highest := -1, uint64(0)
	for i, m := range c.members {
		if !c.Running(i) || m.paused.Load() {
			continue
		}
		var reply struct {
			Header struct {
				MemberID string `json:"member_id"`
			} `json:"header"`
			Leader   string `json:"leader"`
			RaftTerm string `json:"raftTerm"`
		}
		if err := c.call(ctx, i, "/v3/maintenance/status", "{}", &reply); err != nil {
			continue // it serves no one, so it leads no one
		}
		term, err := strconv.ParseUint(reply.RaftTerm, 10, 64)
		if err == nil && reply.Leader == reply.Header.MemberID && reply.Leader != "" && term > highest {
			leader, highest = i, term
		}
	}
	if leader < 0 {
		return -1, ErrNoLeader
	}
	return leader, nil
}

// WaitLeader waits for a leader other than the given members.
func (c *Cluster) WaitLeader(ctx context.Context, not ...int) (int, error) {
	leader := -1
	err := poll(ctx, func() (err error) {
		if leader, err = c.Leader(ctx); err != nil {
			return err
		}
		for _, n := range not {
			if leader == n {
				return fmt.Errorf("%w: %s still leads", ErrNoLeader, c.members[n].name)
			}
		}
		return nil
	})
	return leader, err
}

// learnIDs asks the members who they are, for the links.
func (c *Cluster) learnIDs(ctx context.Context) error {
	index := map[string]int{}
	for i, m := range c.members {
		var reply struct {
			Header struct {
				MemberID string `json:"member_id"`
			} `json:"header"`
		}
		err := poll(ctx, func() error { return c.call(ctx, i, "/v3/maintenance/status", "{}", &reply) })
		if err != nil {
			return err
		}
		id, err := strconv.ParseUint(reply.Header.MemberID, 10, 64)
		if err != nil {
			return fmt.Errorf("id of member %s: %w", m.name, err)
		}
		index[strconv.FormatUint(id, 16)] = i
	}
	c.links.mu.Lock()
	c.links.index = index
	c.links.mu.Unlock()
	return nil
}
