package queue

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// presence is the value of a consumer's key.
type presence struct {
	Host  string `json:"host,omitempty"`
	PID   int    `json:"pid,omitempty"`
	Since int64  `json:"since"`
	Note  string `json:"note,omitempty"`
}

// run is the consumer's life: it makes its presence known and starts what works
// for it. It ends, with all of these, when the consumer does.
func (c *consumer) run() {
	defer c.suspect.leave(c)
	if !c.begin() {
		return
	}
	ctx := c.life
	c.wg.Go(func() { c.follow(ctx, c.followControl) })
	c.wg.Go(func() { c.follow(ctx, c.followOwn) })
	c.wg.Go(func() { c.follow(ctx, c.followInbox) })
	for _, tasks := range []func(*agenda){c.ownTasks, c.sharedTasks, c.choreTasks} {
		c.wg.Go(func() { c.care(tasks) })
	}
	c.pump()
	// What was claimed is nobody's of ours any more.
	<-ctx.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cl := range c.claims {
		c.drop(cl, context.Cause(ctx))
	}
	c.buf = nil
	c.touch()
	// It ended by itself, or came just as it was closed.
	if c.doubled || !c.left && !errors.Is(context.Cause(ctx), ErrConsumerGone) {
		c.s.Abandon(c.q.keys.consumer(c.id), nil)
	}
}

// begin opens the queue and makes the presence known, as often as it takes. It
// reports false if the consumer has ended instead.
func (c *consumer) begin() bool {
	var retries pace.Retries
	for {
		err := c.q.open(c.life)
		if err == nil {
			if err = c.appear(); err == nil {
				return true
			}
		}
		if c.life.Err() != nil {
			return false
		}
		switch {
		case errors.Is(err, etcd.ErrNoSpace):
			c.report(full(err))
		case errors.Is(err, etcd.ErrLeaseNotFound):
			c.end(errors.Join(ErrConsumerGone, err)) // the session is about to notice
			return false
		case !transient(err):
			c.end(err)
			return false
		}
		c.q.log.Warn("queue consumer cannot start yet", "queue", c.q.name, "error", err)
		if c.isStopping() || retries.Wait(c.life) != nil {
			return false
		}
	}
}

func (c *consumer) isStopping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopping
}

// appear puts the consumer's presence. The key is made of a random number, so
// that what is found there after an attempt without an answer is ours.
func (c *consumer) appear() error {
	host, _ := os.Hostname()
	v, err := json.Marshal(presence{Host: host, PID: os.Getpid(), Since: time.Now().UnixMilli(), Note: c.opts.note})
	if err != nil {
		return err
	}
	key := c.q.keys.consumer(c.id)
	t := etcd.Txn{
		If:   []etcd.Cmp{etcd.Missing(etcd.Key(key))},
		Then: []etcd.Op{etcd.Put(key, v, etcd.WithLease(c.s.Lease()))},
		Else: []etcd.Op{etcd.Get(etcd.Key(key))},
	}
	doubt := false
	var retries pace.Retries
	for {
		begin := time.Now()
		res, err := c.q.c.Txn(c.life, t)
		if err == nil {
			rev := res.Header.Revision
			if !res.Succeeded {
				kv, ok := res.Results[0].Get.First()
				if !doubt || !ok || kv.Lease != c.s.Lease() {
					return damaged(key, "is there, although its name is a random number")
				}
				rev = kv.CreateRevision
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.created, c.doubled = rev, doubt
			c.trip = time.Since(begin)
			c.touch()
			return nil
		}
		doubt = doubt || errors.Is(err, etcd.ErrUnknownOutcome)
		if !doubt {
			return err
		}
		if errors.Is(err, etcd.ErrNoSpace) {
			c.report(full(err)) // and goes on trying
		}
		if !transient(err) && !errors.Is(err, etcd.ErrNoSpace) || retries.Wait(c.life) != nil {
			c.s.Abandon(key, nil) // it may still come
			return err
		}
	}
}

// report hands an error to those who are in Receive.
func (c *consumer) report(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
	c.failures++
	c.touch()
}

// follow keeps up one watch: f starts it, takes in the state and then every
// event, and is started again when events were compacted.
func (c *consumer) follow(ctx context.Context, f func(context.Context) error) {
	var retries pace.Retries
	for {
		err := f(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, etcd.ErrCompacted) || transient(err):
			c.q.log.Debug("queue consumer starts a watch again", "queue", c.q.name, "error", err)
		default:
			c.end(err)
			return
		}
		if retries.Wait(ctx) != nil {
			return
		}
	}
}
