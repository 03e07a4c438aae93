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
	wish := &Asking{
		To: Heir{to.Key, to.Token}, Host: n.Host, PID: n.PID, Program: n.Program,
		At: time.Now().UTC().Truncate(time.Millisecond),
	}
	t := etcd.Txn{
		If: []etcd.Cmp{
			etcd.IfModRevision(etcd.Key(first.Key), etcd.Equal, first.Changed),
			etcd.IfCreateRevision(etcd.Key(to.Key), etcd.Equal, to.Token),
		},
		Then: []etcd.Op{etcd.Put(first.Key, first.amended(map[string]any{"asked": wish}), etcd.IgnoreLease())},
		Else: []etcd.Op{etcd.Get(etcd.Key(first.Key))},
	}
	var pace pacer
	var unknown error
	for {
		res, err := c.Txn(ctx, t)
		if err == nil && !res.Succeeded {
			return asked(res, first, *wish, unknown)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, etcd.ErrUnknownOutcome) || !transient(err) || ctx.Err() != nil {
			return stillUnknown(first.Key, err, unknown)
		}
		unknown = err // a repetition finds the key changed
		if werr := pace.wait(ctx, ctx); werr != nil {
			return errors.Join(werr, err)
		}
	}
}

// asked says what came of a wish that was refused, after attempts without an
// answer if unknown is not nil. None of these can arrive any more.
func asked(res *etcd.TxnResult, first Member, wish Asking, unknown error) error {
	if unknown == nil {
		return ErrChanged
	}
	kv, ok := res.Results[0].Get.First()
	if !ok || kv.CreateRevision != first.Token {
		return errors.Join(ErrChanged, unknown)
	}
	m := member(kv)
	switch {
	case same(m.Asked, &wish):
		return nil // what the leader has said since keeps it
	case same(m.Asked, first.Asked) && sameHeir(m.Heir, first.Heir):
		return ErrChanged // it would stand there
	}
	return errors.Join(ErrChanged, unknown)
}

func same(a, b *Asking) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.To == b.To && a.Host == b.Host && a.PID == b.PID && a.Program == b.Program && a.At.Equal(b.At)
}

// stillUnknown completes the error of a repetition, which says nothing of the
// attempts before that have had no answer.
func stillUnknown(key string, err, unknown error) error {
	if err == nil || unknown == nil || errors.Is(err, etcd.ErrUnknownOutcome) {
		return err
	}
	return &etcd.Error{Op: "txn", On: key, Err: errors.Join(err, unknown), Unknown: true}
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
	own := hold{first.Key, first.Token, first.Heir}
	var pace pacer
	var unknown error
	for {
		res, err := c.Txn(ctx, t)
		switch {
		case err == nil:
			return deposed(res, own, first, heir, unknown)
		case errors.Is(err, etcd.ErrLeaseNotFound):
			return stillUnknown(first.Key, ErrNoSuchContender, unknown)
		case !errors.Is(err, etcd.ErrUnknownOutcome) || !transient(err) || ctx.Err() != nil:
			return stillUnknown(first.Key, err, unknown)
		}
		unknown = err
		if werr := pace.wait(ctx, ctx); werr != nil {
			return errors.Join(werr, err)
		}
	}
}

// deposed says what came of a Depose that has an answer, after attempts without
// one if unknown is not nil.
func deposed(res *etcd.TxnResult, own hold, first Member, heir Heir, unknown error) error {
	done, err := handedOver(res, own, heir, first.Lease)
	switch {
	case done:
		return nil
	case errors.Is(err, ErrDeleted), errors.Is(err, ErrDeposed):
		if unknown != nil { // perhaps by us, and the heir has gone since
			return errors.Join(ErrChanged, unknown)
		}
		return ErrChanged
	}
	if kv, _ := res.Results[0].Get.First(); kv.ModRevision != first.Changed {
		return ErrChanged
	}
	return err
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
