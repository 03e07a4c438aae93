package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
)

// What made a job a dead letter, as Job.DiedBy tells it.
const (
	byHandler    = "handler"
	byCrash      = "crash"
	byExpired    = "expired"
	byUnreadable = "unreadable"
)

// A move is a claimed job that goes elsewhere: to be tried again, or to the dead
// letters.
type move struct {
	d   *delivery
	to  progress
	env envelope // as it is to stand there
	val []byte   // the same, as bytes
	key string
	due int64 // 0 for a dead letter
}

// nack gives a job back to be tried again.
func (c *consumer) nack(ctx context.Context, d *delivery, delay time.Duration, opts []SettleOption) error {
	if delay < 0 || delay > maxDelay {
		return fmt.Errorf("the delay %v is out of range", delay)
	}
	o := settleWith(opts)
	env := *d.env
	if env.Attempts = d.attempt(); o.free {
		env.Attempts--
	}
	if o.cause != nil {
		env.LastError = clip(fmt.Sprint(o.cause))
	}
	env.Due = millis(time.Now().Add(delay))
	return c.move(ctx, &move{d: d, to: nacked, env: env, due: env.Due, key: c.q.keys.later(env.Due, env.ID)})
}

// dead makes a job a dead letter.
func (c *consumer) dead(ctx context.Context, d *delivery, reason, by string, opts []SettleOption) error {
	return c.move(ctx, c.burial(d, reason, by, opts))
}

// burial is the move that makes a job a dead letter.
func (c *consumer) burial(d *delivery, reason, by string, opts []SettleOption) *move {
	o := settleWith(opts)
	env := *d.env
	if env.Attempts = d.attempt(); o.free || by == byExpired {
		env.Attempts--
	}
	if o.cause != nil {
		env.LastError = clip(fmt.Sprint(o.cause))
	}
	env.die(reason, by)
	return &move{d: d, to: doomed, env: env, key: c.q.keys.dead(env.Died, env.ID)}
}

// die fills in what a dead letter tells.
func (e *envelope) die(reason, by string) {
	e.Reason, e.DiedBy, e.Died = clip(reason), by, time.Now().UnixMilli()
}

func settleWith(opts []SettleOption) (o settleOptions) {
	for _, opt := range opts {
		if opt != nil {
			opt.applySettle(&o)
		}
	}
	return o
}

func (c *consumer) move(ctx context.Context, m *move) error { return c.moveAll(ctx, []*move{m})[0] }

// moveAll carries out moves, many in a commit.
func (c *consumer) moveAll(ctx context.Context, ms []*move) []error {
	errs := make([]error, len(ms))
	var send []*move
	var at []int
	for i, m := range ms {
		done, err := c.ask(m.d, m.to)
		switch {
		case errors.Is(err, errResolve):
			errs[i] = c.answered(m.d, c.resolve(ctx, m.d, m.to))
		case done || err != nil:
			errs[i] = err
		default:
			m.val = m.env.encode()
			send, at = append(send, m), append(at, i)
		}
	}
	if len(send) == 0 {
		return errs
	}
	for j, err := range c.moves.doAll(ctx, send) {
		errs[at[j]] = c.answered(send[j].d, err)
	}
	return errs
}

const (
	maxMoves = 50 // of a flight
)

// takeMoves picks the moves of a flight. Two deliveries of one job, of which one
// is stale, go one after the other: both put the job's place in the index, and
// etcd takes a key once in a commit.
func takeMoves(waiting []*part[*move]) int {
	bytes, of := 0, map[string]*delivery{}
	for n, p := range waiting {
		m := p.item
		bytes += len(m.val) + 512 + 9*(len(m.key)+32)
		if e := m.d.env; e.Unique != "" {
			bytes += 2 * (len(m.d.c.q.keys.data) + len(e.Unique) + 96)
		}
		other := of[m.env.ID]
		if n == maxMoves || n > 0 && bytes > MaxJobBytes || other != nil && other != m.d {
			return n
		}
		of[m.env.ID] = m.d
	}
	return len(waiting)
}

// moveFlight is what is kept of a flight of moves between two drivers.
type moveFlight struct {
	attempts
	txn     etcd.Txn
	place   []int           // of each part's result; two moves of one job have one
	results []etcd.OpResult // once there is an answer
}

// flyMoves carries out a flight of moves. Each compares that the job is still
// there, so repeating it does no harm.
func (c *consumer) flyMoves(ctx context.Context, f *flight[*move]) bool {
	st, _ := f.state.(*moveFlight)
	if st == nil {
		st = c.composeMoves(f.parts)
		f.state = st
	}
	if st.results == nil {
		res, err, arrived := st.send(ctx, c.q.c, st.txn)
		if !arrived {
			return false
		}
		if err != nil {
			for _, p := range f.parts {
				p.settle(full(err))
			}
			return true
		}
		st.results = res.Results
	}
	for i, p := range f.parts {
		switch {
		case p.out: // by the driver before
		case st.place[i] < 0:
			p.settle(ErrSettled)
		default:
			err := c.moved(ctx, st, p.item, st.results[st.place[i]].Txn)
			if ctx.Err() != nil && errors.Is(err, etcd.ErrUnknownOutcome) {
				return false // what came of it is for the next driver to find out
			}
			p.settle(err)
		}
	}
	return true
}

func (c *consumer) composeMoves(parts []*part[*move]) *moveFlight {
	st := &moveFlight{}
	seen := map[*delivery]bool{}
	soon := int64(0)
	for _, p := range parts {
		m := p.item
		if seen[m.d] {
			st.place = append(st.place, -1)
			continue
		}
		seen[m.d] = true
		t := etcd.Txn{
			If: []etcd.Cmp{m.d.claimed(), m.d.present()},
			Then: []etcd.Op{
				etcd.Delete(etcd.Key(m.d.key)),
				etcd.Put(m.key, m.val),
				etcd.Put(c.q.keys.at(m.env.ID), []byte(m.key)),
			},
			Else: []etcd.Op{etcd.Get(etcd.Key(m.d.claim.key)), etcd.Get(etcd.Key(m.d.key))},
		}
		if m.due == 0 {
			t.Then = append(t.Then, c.q.releaseUnique(m.d.env)...)
		} else if soon == 0 || m.due < soon {
			soon = m.due
		}
		st.place = append(st.place, len(st.txn.Then))
		st.txn.Then = append(st.txn.Then, etcd.Nest(t))
	}
	if soon != 0 {
		v, _ := json.Marshal(soonValue{Due: soon}) // always marshals
		st.txn.Then = append(st.txn.Then, etcd.Put(c.q.keys.soon(), v))
	}
	return st
}

// moved settles one move.
func (c *consumer) moved(ctx context.Context, st *moveFlight, m *move, res *etcd.TxnResult) error {
	if !res.Succeeded {
		_, there := res.Results[1].Get.First()
		switch held := m.d.claim.stillHeld(res.Results[0].Get); {
		case held && there:
			return damaged(m.d.key, "was changed while it was claimed")
		case st.doubt() || c.inDoubt(m.d):
			return c.resolve(ctx, m.d, m.to)
		case held:
			return ErrNotFound // somebody deleted it
		}
		c.takenAway(m.d.claim)
		return ErrClaimLost
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turned(m.d, m.to)
	if m.due == 0 {
		c.q.log.Warn("queue job is a dead letter", "queue", c.q.name, "job", m.env.ID, "reason", m.env.Reason, "by", m.env.DiedBy)
	}
	return nil
}

// A doom is a job that the consumer itself makes a dead letter.
type doom struct {
	d      *delivery
	by     string
	reason string
}

// burn has d made a dead letter, as soon as that is possible.
func (c *consumer) burn(d *delivery, by, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dooms = append(c.dooms, doom{d, by, reason})
	c.touch()
}
