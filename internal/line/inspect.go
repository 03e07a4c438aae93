package line

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/quorate/quorate/etcd"
)

// A Roll is a whole line at one revision.
type Roll struct {
	Revision int64
	Holders  []Member // those who are in, the oldest first
	Waiters  []Member // those who are not
	Settings *Settings
	tenure   *etcd.KV
}

// Quarantined reports whether the last holder was lost without a release and
// nobody has got in since.
func (r *Roll) Quarantined() bool { return r.tenure != nil && len(r.Holders) == 0 }

// Call reads the whole line. It needs no session.
func Call(ctx context.Context, c *etcd.Client, prefix string) (*Roll, error) {
	if c == nil {
		return nil, ErrNoClient
	}
	r, err := c.Get(ctx, etcd.Prefix(prefix), etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending))
	if err != nil {
		return nil, err
	}
	return Muster(prefix, r.KVs, r.Header.Revision)
}

// Muster makes the roll of a line of its keys, sorted by create revision.
func Muster(prefix string, kvs []etcd.KV, revision int64) (*Roll, error) {
	l := &Line{prefix: prefix}
	roll := &Roll{Revision: revision}
	v := view{whole: true, rev: revision}
	for _, kv := range kvs {
		if kv.Key == l.tenureKey() {
			roll.tenure = &kv
		}
		if kv.Key == l.settingsKey() {
			s, err := l.readSettings(&kv)
			if err != nil {
				return nil, err
			}
			roll.Settings, v.settings = s, &kv
		}
	}
	for _, kv := range kvs {
		if !l.isContender(kv.Key) {
			continue
		}
		m := member(kv)
		rule := Rule{Kind: m.Kind, Weight: m.Weight}
		rule.Quarantine, _ = time.ParseDuration(m.Quarantine)
		verdict := l.judge(rule, &v)
		in := verdict.err == nil && verdict.in
		switch { // Where the line is at odds with itself nobody gets in, and it shows.
		case m.Kind == Permits && m.Held != nil && roll.Settings != nil && roll.Settings.Kind == SemaphoreLine:
			in = true // perhaps under a greater limit than there is now
		case rule.Quarantine != 0: // the first has yet to write down that it holds
			in = in && roll.tenure != nil && m.holds(*roll.tenure)
		}
		if in {
			roll.Holders = append(roll.Holders, m)
		} else {
			roll.Waiters = append(roll.Waiters, m)
		}
		v.front = append(v.front, m)
	}
	return roll, nil
}

// ErrNoSuchContender: nobody in the line has that token.
var ErrNoSuchContender = errors.New("nobody in the line has that token")

// Break takes the contender with that token out of the line, and tells it why:
// the reason is put into its value and its key deleted in one commit, so that
// whoever watches the key sees both, and nothing is left of either. Where etcd
// is full the key is deleted without a reason. It gives the contender as it
// stood there.
func Break(ctx context.Context, c *etcd.Client, prefix string, token int64, why *Breaking) (Member, error) {
	if c == nil {
		return Member{}, ErrNoClient
	}
	r, err := c.Get(ctx, etcd.Prefix(prefix), etcd.WithCreateRevisions(token, token))
	if err != nil {
		return Member{}, err
	}
	l := &Line{prefix: prefix}
	for _, kv := range r.KVs {
		if !l.isContender(kv.Key) {
			continue
		}
		m := member(kv)
		key := etcd.Key(kv.Key)
		told := Note{Value: m.Value, Broken: why}.encode()
		if !m.Foreign {
			told = m.amended(map[string]any{"broken": why})
		}
		t := etcd.Txn{
			If: []etcd.Cmp{etcd.IfCreateRevision(key, etcd.Equal, token)},
			Then: []etcd.Op{
				etcd.Nest(etcd.Txn{Then: []etcd.Op{etcd.Put(kv.Key, told)}}),
				etcd.Nest(etcd.Txn{Then: []etcd.Op{etcd.Delete(key)}}),
			},
		}
		var pace pacer
		var unknown error
		for {
			res, err := c.Txn(ctx, t)
			switch {
			case err == nil && (res.Succeeded || unknown != nil):
				return m, nil
			case err == nil:
				return Member{}, ErrNoSuchContender
			case errors.Is(err, etcd.ErrNoSpace) && len(t.Then) > 1:
				unknown = err
				t.Then = []etcd.Op{etcd.Delete(key)}
				continue
			case !errors.Is(err, etcd.ErrUnknownOutcome) || !transient(err) || ctx.Err() != nil:
				return Member{}, stillUnknown(kv.Key, err, unknown)
			}
			// Repeating it does no harm: the token is of this contender alone.
			unknown = err
			if werr := pace.wait(ctx, ctx); werr != nil {
				return Member{}, errors.Join(werr, err)
			}
		}
	}
	return Member{}, ErrNoSuchContender
}

// ByAge sorts the keys of a line by create revision. Those that were created in
// one commit, of which at most one is a contender's, stay as they are.
func ByAge(kvs []etcd.KV) {
	slices.SortStableFunc(kvs, func(a, b etcd.KV) int { return cmp.Compare(a.CreateRevision, b.CreateRevision) })
}
