package queue

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// core is a queue without the type of its values.
type core struct {
	c         *etcd.Client
	name      string
	keys      keys
	bad       error // what is wrong with the name or an option
	producer  string
	retention time.Duration
	log       *slog.Logger
	ids       atomic.Int64 // ids given to jobs that do not start in the log
	out       combiner[*unit]
	rows      pace.Rows // of whoever drives out

	mu      sync.Mutex
	epoch   string // of the queue; empty until it was opened
	tail    cursorKV
	head    cursorKV
	seq     int64     // of the last batch composed
	alone   int       // batches composed since somebody else added one
	refused time.Time // when etcd said last that it is full
}

func newCore(c *etcd.Client, name string, o options) *core {
	q := &core{c: c, name: name, producer: nonce(5), retention: o.retention, log: o.log}
	if name == "" && o.raw != nil {
		q.name = *o.raw
	}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	q.keys, q.bad = makeKeys(name, o.raw)
	switch {
	case c == nil:
		q.bad = errors.New("no client")
	case o.retention < 0:
		q.bad = errors.New("the retention is negative")
	}
	q.out.take, q.out.ready, q.out.fly = q.takeUnits, q.awaitTurn, q.fly
	q.rows.Length = rowLength
	return q
}

// nonce gives n random bytes in hexadecimal.
func nonce(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// newID gives an id to a job that does not start in the log.
func (q *core) newID() string {
	return "t-" + strconv.FormatInt(q.ids.Add(1), 16) + "-" + q.producer
}

func (q *core) fail(op string, err error) error { return q.failJob(op, "", err) }

func (q *core) failJob(op, id string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Name: q.name, Job: id, Err: full(err)}
}

// ownValue is the value of the queue's own key.
type ownValue struct {
	Epoch string `json:"epoch"`
	Made  int64  `json:"made"`
}

// open makes sure that the queue is there, and reads its cursors the first time.
func (q *core) open(ctx context.Context) error {
	if q.bad != nil {
		return q.bad
	}
	q.mu.Lock()
	opened := q.epoch != ""
	q.mu.Unlock()
	if opened {
		return nil
	}
	now := time.Now()
	epoch := nonce(8)
	own, _ := json.Marshal(ownValue{Epoch: epoch, Made: now.UnixMilli()}) // always marshals
	start := (&cursor{Epoch: epoch}).encode(now)
	gets := []etcd.Op{etcd.Get(etcd.Key(q.keys.own)), etcd.Get(etcd.Key(q.keys.tail())), etcd.Get(etcd.Key(q.keys.head()))}
	create := etcd.Txn{
		If: []etcd.Cmp{
			etcd.Missing(etcd.Key(q.keys.own)), etcd.Missing(etcd.Key(q.keys.tail())), etcd.Missing(etcd.Key(q.keys.head())),
		},
		Then: []etcd.Op{etcd.Put(q.keys.own, own), etcd.Put(q.keys.tail(), start), etcd.Put(q.keys.head(), start)},
		Else: gets,
	}
	// Reading first keeps those who may not write, and an etcd that is full,
	// from failing on a queue that is there.
	res, err := q.c.Txn(ctx, etcd.Txn{Then: gets})
	if err != nil {
		return err
	}
	var retries pace.Retries
	for nothing(res) {
		if res, err = q.c.Txn(ctx, create); err == nil {
			if res.Succeeded {
				res, err = q.c.Txn(ctx, etcd.Txn{Then: gets})
			}
		} else if errors.Is(err, etcd.ErrUnknownOutcome) && transient(err) {
			if retries.Wait(ctx) != nil {
				return err
			}
			res, err = q.c.Txn(ctx, etcd.Txn{Then: gets}) // create is repeated if it is not there
		}
		if err != nil {
			return err
		}
	}
	return q.adoptState(res)
}

// nothing reports whether none of the keys that open reads is there.
func nothing(res *etcd.TxnResult) bool {
	for _, r := range res.Results {
		if _, ok := r.Get.First(); ok {
			return false
		}
	}
	return true
}

// adoptState takes in what open has read.
func (q *core) adoptState(res *etcd.TxnResult) error {
	own, ok := res.Results[0].Get.First()
	if !ok {
		return damaged(q.keys.own, "is missing, but the queue has cursors")
	}
	var v ownValue
	if err := json.Unmarshal(own.Value, &v); err != nil || v.Epoch == "" {
		return damaged(q.keys.own, "does not tell the queue's epoch")
	}
	tailKV, tailThere := res.Results[1].Get.First()
	tail, err := readCursor(q.keys.tail(), v.Epoch, tailKV, tailThere, nil)
	if err != nil {
		return err
	}
	headKV, headThere := res.Results[2].Get.First()
	head, err := readCursor(q.keys.head(), v.Epoch, headKV, headThere, nil)
	if err != nil {
		return err
	}
	for p := range head.Next {
		if head.Next[p] > tail.Next[p] {
			return damaged(q.keys.head(), "is at %d of priority %d, beyond the tail at %d", head.Next[p], p, tail.Next[p])
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.epoch == "" {
		q.epoch, q.tail, q.head = v.Epoch, tail, head
	}
	return nil
}

// sawTail takes in the tail as it was read.
func (q *core) sawTail(kv etcd.KV, there bool) (cursorKV, error) {
	return q.saw(q.keys.tail(), &q.tail, kv, there)
}

// sawHead takes in the head as it was read.
func (q *core) sawHead(kv etcd.KV, there bool) (cursorKV, error) {
	return q.saw(q.keys.head(), &q.head, kv, there)
}

// saw checks a cursor as it was read and keeps the newest of it.
func (q *core) saw(key string, seen *cursorKV, kv etcd.KV, there bool) (cursorKV, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c, err := readCursor(key, q.epoch, kv, there, seen)
	if err == nil && c.mod > seen.mod {
		*seen = c
	}
	return c, err
}

func (q *core) cursors() (tail, head cursorKV) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tail, q.head
}
