package line

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/etcd"
)

// An Asking is a wish that whoever stands first hand over. It is written into
// the leader's own key.
type Asking struct {
	To      Heir      `json:"to"`
	Host    string    `json:"host,omitempty"`
	PID     int       `json:"pid,omitempty"`
	Program string    `json:"program,omitempty"`
	At      time.Time `json:"at,omitzero"` // by the clock of whoever asks
}

// Asked tells of the latest wish that the entry hand over.
func (e *Entry) Asked() <-chan Asking { return e.asked }

// ask passes a wish on, once, and forgets an older one that nobody has heard of.
func (e *Entry) ask(a Asking) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lastAsked == a {
		return
	}
	e.lastAsked = a
	select {
	case <-e.asked:
	default:
	}
	e.asked <- a
}

// Ask asks the first of the line to hand over to another contender, both as
// they were read.
func Ask(ctx context.Context, c *etcd.Client, first, to Member) error {
	n := self()
	note := first.Note
	note.Asked = &Asking{
		To: Heir{to.Key, to.Token}, Host: n.Host, PID: n.PID, Program: n.Program,
		At: time.Now().UTC().Truncate(time.Millisecond),
	}
	t := etcd.Txn{
		If: []etcd.Cmp{
			etcd.IfModRevision(etcd.Key(first.Key), etcd.Equal, first.Changed),
			etcd.IfCreateRevision(etcd.Key(to.Key), etcd.Equal, to.Token),
		},
		Then: []etcd.Op{etcd.Put(first.Key, note.encode(), etcd.IgnoreLease())},
	}
	var pace pacer
	unknown := false
	for {
		res, err := c.Txn(ctx, t)
		switch {
		case err == nil && (res.Succeeded || unknown):
			return nil
		case err == nil:
			return ErrChanged
		case !errors.Is(err, etcd.ErrUnknownOutcome) || !transient(err) || ctx.Err() != nil:
			return err
		}
		unknown = true // a repetition finds the key changed
		if werr := pace.wait(ctx, ctx); werr != nil {
			return errors.Join(werr, err)
		}
	}
}

// ErrChanged: the line has changed since it was read.
var ErrChanged = errors.New("the line has changed meanwhile")

// Depose hands the place of the first of the line to another contender, both as
// they were read, whatever the first is doing.
func Depose(ctx context.Context, c *etcd.Client, prefix string, first, to Member) error {
	l := &Line{prefix: prefix}
	key := etcd.Key(first.Key)
	t, heir, err := handoverTxn(l, first.Key, first.Token, to, etcd.AllOf(
		etcd.IfCreateRevision(key, etcd.Equal, first.Token),
		etcd.IfModRevision(key, etcd.Equal, first.Changed),
	))
	if err != nil {
		return err
	}
	var pace pacer
	for {
		res, err := c.Txn(ctx, t)
		switch {
		case err == nil:
			done, err := handedOver(res, first.Key, first.Token, heir, first.Lease)
			if !done && !errors.Is(err, ErrNoSuchContender) {
				err = ErrChanged
			}
			return err
		case errors.Is(err, etcd.ErrLeaseNotFound):
			return ErrNoSuchContender
		case !errors.Is(err, etcd.ErrUnknownOutcome) || !transient(err) || ctx.Err() != nil:
			return err
		}
		if werr := pace.wait(ctx, ctx); werr != nil {
			return errors.Join(werr, err)
		}
	}
}

// Members gives the contenders of a line, oldest first, of its keys. The values of a raw line are not looked at.
func Members(prefix string, kvs []etcd.KV, raw bool) []Member {
	l := &Line{prefix: prefix}
	rule := Rule{Raw: raw}
	ByAge(kvs)
	var ms []Member
	for _, kv := range kvs {
		if l.isContender(kv.Key) {
			ms = append(ms, rule.member(kv))
		}
	}
	return ms
}
