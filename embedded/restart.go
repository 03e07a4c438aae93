package embedded

import (
	"context"
	"fmt"
)

// StopMember ends member i (from 0) in good order: if it leads and the others
// run, it hands its leadership over first. The others go on; its endpoint
// refuses connections until StartMember. Stopping a stopped member does
// nothing.
func (c *Cluster) StopMember(ctx context.Context, i int) error {
	if err := c.changeMember(ctx, i, c.stopMember); err != nil {
		return fmt.Errorf("embedded: stop member %d: %w", i, err)
	}
	return nil
}

// StartMember starts member i (from 0) again at its old addresses and returns
// when it answers linearizable reads, so a majority has to be running. Starting
// a member that runs does nothing; one that ended by itself is replaced.
func (c *Cluster) StartMember(ctx context.Context, i int) error {
	if err := c.changeMember(ctx, i, c.startMember); err != nil {
		return fmt.Errorf("embedded: start member %d: %w", i, err)
	}
	return nil
}

// changeMember runs one change at a time, and none beside or after Stop.
func (c *Cluster) changeMember(ctx context.Context, i int, change func(context.Context, int) error) error {
	if i < 0 || i >= len(c.clientPorts) {
		return fmt.Errorf("there are %d members", len(c.clientPorts))
	}
	select {
	case c.turn <- struct{}{}:
	case <-c.stopping:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-c.turn }()
	if closed(c.stopping) {
		return ErrStopped
	}
	// A Stop waits for the change, so it ends the change's waiting.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	finished := make(chan struct{})
	watching := make(chan struct{})
	defer func() { close(finished); <-watching }()
	go func() {
		defer close(watching)
		select {
		case <-c.stopping:
			cancel(ErrStopped)
		case <-finished:
		}
	}()
	return change(ctx, i)
}

func (c *Cluster) stopMember(_ context.Context, i int) error {
	c.mu.Lock()
	m := c.members[i]
	c.members[i] = nil
	c.mu.Unlock()
	if m == nil {
		return nil
	}
	return m.close()
}

func (c *Cluster) startMember(ctx context.Context, i int) error {
	c.mu.Lock()
	m := c.members[i]
	c.mu.Unlock()
	if m != nil {
		if !closed(m.ended) {
			return nil
		}
		if err := c.stopMember(ctx, i); err != nil {
			return err
		}
	}
	m, err := c.startOne(i)
	if err != nil {
		return err
	}
	c.adopt(i, m)
	return m.ready(ctx)
}
