package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// close hands back what was not begun and ends the consumer.
func (c *consumer) close(ctx context.Context) error {
	select {
	case c.closing <- struct{}{}: // also where ctx has ended: the consumer ends in any case
	default:
		select {
		case c.closing <- struct{}{}:
		case <-ctx.Done():
			return pace.Over(ctx)
		}
	}
	defer func() { <-c.closing }()
	if c.closed {
		return nil
	}
	c.mu.Lock()
	c.stopping = true
	c.touch()
	c.mu.Unlock()
	err := c.wind(ctx)
	c.end(ErrConsumerClosed)
	c.wg.Wait()
	c.closed = true
	return err
}

// wind lets what is under way come to an end, hands back, and takes the presence
// away.
func (c *consumer) wind(ctx context.Context) error {
	both, cancel := c.bind(ctx)
	defer cancel()
	if err := c.still(both); err != nil {
		c.giveUp()
		return fmt.Errorf("a claim is still under way, and left to others: %w", err)
	}
	c.mu.Lock()
	ds := append(c.owed, c.buf...)
	c.buf, c.owed = nil, nil
	for _, d := range ds {
		d.at = started
	}
	created := c.created
	c.mu.Unlock()
	err := c.giveBack(both, ds)
	if errors.Is(err, ErrClaimLost) {
		err = nil // others have it already
	}
	if created == 0 || c.s.Err() != nil {
		return err
	}
	c.disown()
	derr := c.leave(both, created)
	if derr != nil {
		c.giveUp()
	} else {
		c.mu.Lock()
		c.left = true
		c.mu.Unlock()
	}
	return errors.Join(err, derr)
}

// giveUp leaves it to the session to take the presence away, so that others can
// have what is left however long the session lives.
func (c *consumer) giveUp() {
	c.disown()
	c.s.Abandon(c.q.keys.consumer(c.id), nil)
}

// disown ends the contexts of what was given out and not settled: as soon as the
// presence is gone others may have it.
func (c *consumer) disown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cl := range c.claims {
		cl.end(ErrConsumerClosed)
	}
}

// leave takes the presence away, and tells the others if no claims are left for
// them to take over.
func (c *consumer) leave(ctx context.Context, created int64) error {
	key := etcd.Key(c.q.keys.consumer(c.id))
	t := etcd.Txn{
		If:   []etcd.Cmp{etcd.IfCreateRevision(key, etcd.Equal, created)},
		Then: []etcd.Op{etcd.Delete(key)},
	}
	nothing := t
	nothing.If = append(nothing.If, etcd.Missing(etcd.Prefix(c.q.keys.claimsOf(c.id))))
	nothing.Then = append(nothing.Then, etcd.Put(c.q.keys.took(), []byte(c.id)))
	if res, err := c.q.c.Txn(ctx, nothing); err == nil && res.Succeeded {
		return nil
	}
	_, err := c.q.c.Txn(ctx, t) // also when etcd is full
	return err
}

// still waits until nothing is under way and all records are cared for. Jobs that
// could not be made dead letters, and claims that could not be handed back, because
// etcd is full for instance, are left to those who take over.
func (c *consumer) still(ctx context.Context) error {
	for {
		c.mu.Lock()
		busy := c.claiming != 0 || c.handing > 0 || len(c.finished) > 0 || len(c.dooms) > 0 && c.notYet["bury"].IsZero()
		for n := range c.records {
			busy = busy || c.claims[n] == nil && !c.ended[n] && c.notYet["adopt"].IsZero()
		}
		changed := c.changed
		c.mu.Unlock()
		if !busy || c.over() != nil {
			return nil
		}
		if err := pace.Over(ctx); err != nil {
			return err
		}
		await(ctx, changed, time.Time{})
	}
}
