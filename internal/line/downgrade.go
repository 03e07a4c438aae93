package line

import (
	"bytes"
	"context"
	"errors"

	"github.com/quorate/quorate/etcd"
)

// Downgrade turns a writer into a reader that keeps its place: its key gets
// another value, and readers behind it, who watch it, get in. From the commit
// on Guard fails for ever, and Presence goes on. The keys of the entry must be
// of one line, and its guard strict. It can be repeated after an error.
func (e *Entry) Downgrade(ctx context.Context) error {
	p := &e.places[0]
	note := p.Note
	note.Kind = Reader
	value := note.encode()
	key := etcd.Key(p.key)
	t := etcd.Txn{
		// A repetition of an attempt that was carried out finds the key
		// changed, and its own value.
		If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, e.rev)},
		Then: []etcd.Op{etcd.Put(p.key, value, etcd.IgnoreLease())},
		Else: []etcd.Op{etcd.Get(key)},
	}
	var pace pacer
	for {
		if err := e.Err(); err != nil {
			return err
		}
		res, err := e.s.Client().Txn(ctx, t)
		switch {
		case err == nil && res.Succeeded:
			return nil
		case err == nil:
			kv, ok := res.Results[0].Get.First()
			if !ok || kv.CreateRevision != e.rev {
				return e.lost(e.history(p))
			}
			if !bytes.Equal(kv.Value, value) {
				return p.Line.mismatch(p.key, "it was changed by somebody else")
			}
			return nil
		case !errors.Is(err, etcd.ErrUnknownOutcome):
			return err
		}
		if err = e.retry(ctx, err, &pace); err != nil {
			return err
		}
	}
}
