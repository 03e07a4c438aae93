package queue

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
)

// A batch is units composed for one state of the tail.
type batch struct {
	on    cursorKV // the tail that is compared
	next  cursorKV // the tail that is put
	units []*unit
	rings bool // if the tail has moved; see rows.go
	txn   etcd.Txn
}

// producers is how many producers' last batches the tail remembers.
const producers = 16

// compose makes the batch that adds units behind the tail.
func (q *core) compose(on cursorKV, units []*unit) *batch {
	now := time.Now()
	b := &batch{on: on, next: on, units: units}
	q.mu.Lock()
	q.seq++
	by := q.producer + "." + strconv.FormatInt(q.seq, 36)
	b.rings = q.contended(on)
	q.mu.Unlock()
	b.next.By = remember(on.By, q.producer, by)
	b.next.version++

	tailKey := etcd.Key(q.keys.tail())
	b.txn.If = []etcd.Cmp{etcd.IfModRevision(tailKey, etcd.Equal, on.mod)}
	b.txn.Else = []etcd.Op{etcd.Get(tailKey)}
	check := func(c etcd.Cmp, set etcd.KeySet) {
		b.txn.If = append(b.txn.If, c)
		b.txn.Else = append(b.txn.Else, etcd.Get(set, etcd.WithLimit(1)))
	}
	n := 0
	for _, u := range units {
		n += u.ops
	}
	ops := make([]etcd.Op, 1, n+3) // the tail, what the units ask for, soon and ring
	var largest [levels]int64
	soon := int64(0)
	for _, u := range units {
		if u.from != nil {
			from := etcd.Key(u.from.Key)
			as := etcd.IfModRevision(from, etcd.Equal, u.from.ModRevision)
			if mutant.QueueMovesTwice {
				as = etcd.IfModRevision(etcd.Key(q.keys.tail()), etcd.Equal, on.mod)
			}
			check(as, from)
			ops = append(ops, etcd.Delete(from))
			for _, key := range u.along {
				ops = append(ops, etcd.Delete(etcd.Key(key)))
			}
		}
		// What was found to be due is due, also if the clock was set back since.
		was := u.from != nil && strings.HasPrefix(u.from.Key, q.keys.laters())
		for i := range u.jobs {
			e := &u.jobs[i]
			if e.Due > now.UnixMilli() && !was {
				key := q.keys.later(e.Due, e.ID)
				ops = append(ops, etcd.Put(key, e.encode()), etcd.Put(q.keys.at(e.ID), []byte(key)))
				if soon == 0 || e.Due < soon {
					soon = e.Due
				}
				continue
			}
			p := e.Priority
			pos := b.next.Next[p]
			b.next.Next[p]++
			if u.fresh && e.Due == 0 {
				e.ID = strconv.Itoa(p) + "-" + strconv.FormatInt(pos, 16) + "-" + q.producer
			}
			v := e.encode()
			largest[p] = max(largest[p], int64(len(v)))
			ops = append(ops, etcd.Put(q.keys.job(p, pos), v))
		}
		if u.claims {
			e := &u.jobs[0]
			key := q.keys.unique(e.Unique, e.UniqueUntil)
			others := q.keys.occupied(e.Unique, now.UnixMilli())
			check(etcd.Missing(others), others)
			ops = append(ops, etcd.Put(key, []byte(e.ID)))
			if e.UniqueUntil != 0 {
				ops = append(ops, etcd.Put(q.keys.window(e.UniqueUntil, e.ID), []byte(key)))
			}
		}
	}
	for p, n := range largest {
		if n > 0 {
			b.next.Sizes = b.next.Sizes.with(p, on.Next[p], n)
		}
	}
	if soon != 0 {
		v, _ := json.Marshal(soonValue{Due: soon}) // always marshals
		ops = append(ops, etcd.Put(q.keys.soon(), v))
	}
	ring := q.keys.ring()
	ops[0] = etcd.Put(q.keys.tail(), b.next.encode(now))
	b.txn.Then = append(nested(ops), etcd.Get(etcd.Key(ring)))
	if b.rings {
		b.txn.Else = append(b.txn.Else, etcd.Nest(etcd.Txn{ // who is refused for a unique key contends with nobody
			If:   []etcd.Cmp{etcd.IfModRevision(tailKey, etcd.Equal, on.mod)},
			Else: []etcd.Op{etcd.Get(etcd.Key(ring)), etcd.Put(ring, []byte(q.producer))},
		}))
	}
	return b
}

// nested divides many operations among nested transactions.
func nested(ops []etcd.Op) []etcd.Op {
	if len(ops) <= chunk {
		return ops
	}
	var out []etcd.Op
	for part := range slices.Chunk(ops, chunk) {
		out = append(out, etcd.Nest(etcd.Txn{Then: part}))
	}
	return out
}

// remember gives the list of last batches with a producer's newest in front.
func remember(list []string, producer, by string) []string {
	out := make([]string, 0, producers)
	out = append(out, by)
	for _, e := range list {
		if len(out) < producers && !isOf(e, producer) {
			out = append(out, e)
		}
	}
	return out
}

func isOf(entry, producer string) bool {
	return len(entry) > len(producer) && entry[:len(producer)] == producer && entry[len(producer)] == '.'
}

// soonValue is the value of c/soon.
type soonValue struct {
	Due int64 `json:"due"`
}
