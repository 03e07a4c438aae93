package line

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/quorate/quorate/etcd"
)

// Settings are what all parties of a line have agreed on. They stand below the
// line's prefix, not bound to any lease, as JSON.
type Settings struct {
	Kind  string `json:"kind"`
	Limit int64  `json:"limit,omitempty"` // semaphore: number of permits
	// Quarantine is how long nobody gets in after a loss without a release, as
	// time.ParseDuration reads it.
	Quarantine string `json:"quarantine,omitempty"`
}

// The kinds of lines that have settings.
const (
	SemaphoreLine  = "semaphore"
	QuarantineLine = "quarantine"
)

// settings reads the settings of the line; nil where there are none.
func (l *Line) readSettings(kv *etcd.KV) (*Settings, error) {
	if kv == nil {
		return nil, nil
	}
	var s Settings
	if err := json.Unmarshal(kv.Value, &s); err != nil || s.Kind == "" {
		return nil, fmt.Errorf("%w: key %.200q does not hold settings", ErrMismatch, kv.Key)
	}
	return &s, nil
}

// limitOf gives the number of permits of a semaphore's line.
func (l *Line) limitOf(kv *etcd.KV) (int64, error) {
	s, err := l.readSettings(kv)
	switch {
	case err != nil:
		return 0, err
	case s == nil:
		return 0, l.mismatch(l.settingsKey(), "it is missing: the semaphore's limit was deleted")
	case s.Kind != SemaphoreLine || s.Limit <= 0:
		return 0, l.mismatch(l.settingsKey(), fmt.Sprintf("it belongs to a %.64q, not to a semaphore", s.Kind))
	}
	return s.Limit, nil
}

func (s Settings) encode() []byte {
	b, _ := json.Marshal(s) // a plain struct: never fails
	return b
}

// settings gives what the rule's line must have as settings; nil if it needs
// none.
func (r Rule) settings() *Settings {
	if r.Kind == Permits {
		return &Settings{Kind: SemaphoreLine, Limit: r.Limit}
	}
	if r.Quarantine != 0 {
		return &Settings{Kind: QuarantineLine, Quarantine: r.quarantine()}
	}
	return nil
}

// settingsOf gives the settings of a view as if they had been read alone.
func settingsOf(v view) *etcd.GetResult {
	r := new(etcd.GetResult)
	if v.settings != nil {
		r.KVs = []etcd.KV{*v.settings}
	}
	return r
}

// agree compares the line's settings, as read, with what the place needs. Where
// there are none yet it creates them, and says so.
func (p *place) agree(ctx, life context.Context, read *etcd.GetResult) (created bool, err error) {
	want := p.Rule.settings()
	if want == nil {
		return false, nil
	}
	if kv, ok := read.First(); ok {
		return false, p.Line.compare(want, kv)
	}
	// Only where nobody stands in the line: those who do know nothing of
	// settings, so this is another kind of line.
	t := etcd.Txn{
		If:   []etcd.Cmp{etcd.Missing(p.Line.set())},
		Then: []etcd.Op{etcd.Put(p.Line.settingsKey(), want.encode())},
		Else: []etcd.Op{etcd.Get(p.Line.set(), etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending))},
	}
	// Repeating it does no harm: it writes only where there is nothing.
	var pace pacer
	for {
		var res *etcd.TxnResult
		if res, err = p.Line.s.Client().Txn(ctx, t); err == nil {
			if res.Succeeded {
				return true, nil
			}
			v := p.readView(res.Results[0].Get, res.Header.Revision+1)
			if v.settings != nil {
				return true, nil // by somebody else: the next attempt compares
			}
			if len(v.front) == 0 { // what tells of a contender outlived the settings
				return false, p.Line.mismatch(p.Line.strange(res.Results[0].Get), "it is there, and the settings are missing")
			}
			return false, p.Line.mismatch(v.front[0].Key, fmt.Sprintf("it stands in a line that is no %q", want.Kind))
		}
		if !errors.Is(err, etcd.ErrUnknownOutcome) || !transient(err) || ctx.Err() != nil {
			return false, err
		}
		if werr := pace.wait(ctx, life); werr != nil {
			return false, errors.Join(werr, err)
		}
	}
}

// strange names a key of a line in which nobody stands.
func (l *Line) strange(r *etcd.GetResult) string {
	if kv, ok := r.First(); ok {
		return kv.Key
	}
	return l.settingsKey()
}

// compare says where the line's settings differ from what is wanted; nil wants
// none.
func (l *Line) compare(want *Settings, kv etcd.KV) error {
	got, err := l.readSettings(&kv)
	switch {
	case err != nil:
		return err
	case want == nil:
		return l.mismatch(kv.Key, fmt.Sprintf("the line is a %.64q", got.Kind))
	case got.Kind != want.Kind:
		return l.mismatch(kv.Key, fmt.Sprintf("the line is a %.64q, not a %q", got.Kind, want.Kind))
	case got.Limit != want.Limit:
		return l.mismatch(kv.Key, fmt.Sprintf("the limit is %d, not %d", got.Limit, want.Limit))
	case got.Quarantine != want.Quarantine:
		return l.mismatch(kv.Key, fmt.Sprintf("the quarantine is %.32q, not %q", got.Quarantine, want.Quarantine))
	case string(kv.Value) != string(want.encode()):
		return l.mismatch(kv.Key, "the settings hold what this version does not know")
	}
	return nil
}

// known reports whether settings have no fields but those that this version knows.
func known(kv *etcd.KV) bool {
	d := json.NewDecoder(bytes.NewReader(kv.Value))
	d.DisallowUnknownFields()
	return d.Decode(new(Settings)) == nil
}

// Resize writes another limit into the settings of a semaphore's line.
func (l *Line) Resize(ctx context.Context, limit int64) (err error) {
	c, key := l.s.Client(), etcd.Key(l.settingsKey())
	want := Settings{Kind: SemaphoreLine, Limit: limit}
	var unknown error
	defer func() { err = stillUnknown(l.settingsKey(), err, unknown) }()
	var pace pacer
	for {
		r, err := c.Get(ctx, key)
		if err != nil {
			return err
		}
		kv, there := r.First()
		if there {
			now, err := l.limitOf(&kv)
			if err != nil {
				return err
			}
			if !known(&kv) {
				return l.mismatch(kv.Key, "the settings hold what this version does not know")
			}
			if now == limit {
				return nil
			}
		}
		cond := etcd.IfModRevision(key, etcd.Equal, kv.ModRevision)
		if !there {
			cond = etcd.Missing(l.set()) // as when it is first written
		}
		res, err := c.Txn(ctx, etcd.Txn{If: []etcd.Cmp{cond}, Then: []etcd.Op{etcd.Put(l.settingsKey(), want.encode())}})
		switch {
		case err == nil && res.Succeeded:
			return nil
		case err == nil && !there:
			if r, err := c.Get(ctx, key); err == nil && len(r.KVs) == 0 {
				return l.mismatch(l.settingsKey(), "it is missing, and somebody stands in the line")
			}
		case err != nil && (!errors.Is(err, etcd.ErrUnknownOutcome) || !transient(err)):
			return err
		case err != nil:
			unknown = err
		}
		// An attempt without an answer that comes late changes nothing: the
		// settings have changed, or hold that very number.
		if werr := pace.wait(ctx, l.s.Context()); werr != nil {
			return errors.Join(werr, err)
		}
	}
}

// Forget deletes the settings of a line if nobody stands in it.
func Forget(ctx context.Context, c *etcd.Client, prefix string) (err error) {
	if c == nil {
		return ErrNoClient
	}
	l := &Line{prefix: prefix}
	var unknown error
	defer func() { err = stillUnknown(l.settingsKey(), err, unknown) }()
	var pace pacer
	for {
		r, err := c.Get(ctx, l.set(), etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending))
		if err != nil {
			return err
		}
		v := (&place{Want: Want{Line: l}}).readView(r, r.Header.Revision+1)
		switch {
		case len(v.front) > 0:
			return blocked(v.front)
		case v.tenure != nil:
			return quarantined()
		case v.settings == nil:
			return nil
		}
		// Nobody has come since, and the settings are the same.
		res, err := c.Txn(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.IfModRevision(l.set(), etcd.Less, v.rev+1)},
			Then: []etcd.Op{etcd.Delete(etcd.Key(l.settingsKey()))},
		})
		if err == nil && res.Succeeded {
			return nil
		}
		if err != nil && (!errors.Is(err, etcd.ErrUnknownOutcome) || !transient(err)) {
			return err
		}
		if err != nil {
			unknown = err
		}
		if werr := pace.wait(ctx, ctx); werr != nil {
			return errors.Join(werr, err)
		}
	}
}
