package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/names"
)

// pausedValue is the value of c/paused.
type pausedValue struct {
	Since  int64  `json:"since"`
	Reason string `json:"reason,omitempty"`
}

// readPaused reads c/paused: what matters is that it is there.
func readPaused(kv etcd.KV) *pausedValue {
	p := &pausedValue{}
	_ = json.Unmarshal(kv.Value, p) // someone else's bytes pause as well
	return p
}

func (q *core) pause(ctx context.Context, reason string) error {
	if err := q.open(ctx); err != nil {
		return err
	}
	v, err := json.Marshal(pausedValue{Since: time.Now().UnixMilli(), Reason: clip(reason)})
	if err != nil {
		return err
	}
	key, name := etcd.Key(q.keys.pauses()), []byte(nonce(6))
	return again(ctx, func() error {
		res, err := q.c.Get(ctx, key)
		if err != nil {
			return err
		}
		last, _ := res.First()
		if bytes.Equal(last.Value, name) {
			return nil // by an attempt without an answer
		}
		// The key stays when the queue is resumed: so an attempt that comes late
		// does not pause it again.
		done, err := q.repeat(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, last.ModRevision)},
			Then: []etcd.Op{etcd.Put(q.keys.pauses(), name), etcd.Put(q.keys.paused(), v)},
		})
		if err == nil && !done.Succeeded {
			return errMoved
		}
		return err
	})
}

// resume compares the pause that it ends, so that an attempt that comes late does
// not end a later one.
func (q *core) resume(ctx context.Context) error {
	if err := q.open(ctx); err != nil {
		return err
	}
	key := etcd.Key(q.keys.paused())
	return again(ctx, func() error {
		res, err := q.c.Get(ctx, key, etcd.KeysOnly())
		if err != nil {
			return err
		}
		kv, there := res.First()
		if !there {
			return nil
		}
		done, err := q.repeat(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, kv.ModRevision)},
			Then: []etcd.Op{etcd.Delete(key)},
		})
		if err == nil && !done.Succeeded {
			return errMoved
		}
		return err
	})
}

// repeat carries out a transaction that does no harm if it is carried out twice,
// and repeats it as long as a reply is lost.
func (q *core) repeat(ctx context.Context, t etcd.Txn) (*etcd.TxnResult, error) {
	var try attempts
	res, err, _ := try.send(ctx, q.c, t)
	return res, err
}

// readPresence reads a consumer's key.
func readPresence(id string, kv etcd.KV) ConsumerInfo {
	var p presence
	_ = json.Unmarshal(kv.Value, &p) // that it is there is what matters
	return ConsumerInfo{ID: id, Host: p.Host, PID: p.PID, Note: p.Note, Since: timeAt(p.Since)}
}

// listNames lists the queues below Root.
func listNames(ctx context.Context, c *etcd.Client) ([]string, error) {
	if c == nil {
		return nil, errors.New("queue: names: no client")
	}
	var out []string
	for kv, err := range c.List(ctx, etcd.Prefix(ownRoot), etcd.ListKeysOnly()) {
		if err != nil {
			return nil, &Error{Op: "names", Name: ownRoot, Err: err}
		}
		if name, err := names.Unescape(kv.Key[len(ownRoot):]); err == nil {
			out = append(out, name)
		}
	}
	return out, nil
}
