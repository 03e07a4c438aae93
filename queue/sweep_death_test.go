package queue_test

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A process that is killed sends nothing more; its lease runs out. What it sent
// last has been carried out, or is just then.

func init() {
	dying := append([]error{context.Canceled, etcd.ErrUnavailable, etcd.ErrUnknownOutcome}, broken...)
	mishaps = append(mishaps,
		mishap{name: "the process is killed before it is carried out", does: kill, late: true, permits: dying},
		mishap{name: "the process is killed before the answer", does: kill, after: true, permits: dying},
	)
}

func kill(a *act) {
	a.srv.Inject(etcdtest.Fault{Members: []int{1}, LoseRequest: true})
	a.cancel()
	revoke(a)
}

// parts are what a transaction would put and delete, whichever branch is taken:
// keys of the queue without what all of them start with.
type parts struct{ puts, deletes []string }

func (p *parts) add(part any) {
	switch v := part.(type) {
	case map[string]any:
		for name, of := range v {
			switch name {
			case "request_put", "requestPut":
				p.puts = append(p.puts, keyOf(of))
			case "request_delete_range", "requestDeleteRange":
				p.deletes = append(p.deletes, keyOf(of))
			default:
				p.add(of)
			}
		}
	case []any:
		for _, of := range v {
			p.add(of)
		}
	}
}

func keyOf(op any) string {
	of, _ := op.(map[string]any)
	s, _ := of["key"].(string)
	b, _ := base64.StdEncoding.DecodeString(s)
	return strings.TrimPrefix(string(b), data)
}

func has(keys []string, prefix string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, prefix) })
}

// sorts are what the transactions of a process are for, and what tells each from
// the others.
var sorts = map[string]func(p parts) bool{
	"enqueue":         func(p parts) bool { return has(p.puts, "jobs/") && len(p.deletes) == 0 },
	"delayed enqueue": func(p parts) bool { return has(p.puts, "c/tail") && has(p.puts, "later/") && len(p.deletes) == 0 },
	"presence":        func(p parts) bool { return has(p.puts, "c/consumer/") },
	"claim":           func(p parts) bool { return has(p.puts, "claim/") && has(p.puts, "c/head") },
	"suspect's claim": func(p parts) bool {
		return has(p.puts, "claim/") && has(append(p.deletes, p.puts...), "c/free/") && !has(p.puts, "c/head")
	},
	"ack":              func(p parts) bool { return has(p.deletes, "jobs/") && len(p.puts) == 0 },
	"ack with":         func(p parts) bool { return has(p.deletes, "jobs/") && has(p.puts, "result/") },
	"nack":             func(p parts) bool { return has(p.deletes, "jobs/") && has(p.puts, "later/") },
	"dead":             func(p parts) bool { return has(p.deletes, "jobs/") && has(p.puts, "dead/") },
	"take-over":        func(p parts) bool { return has(p.deletes, "claim/") && has(p.puts, "c/free/") },
	"outbox promotion": func(p parts) bool { return has(p.deletes, "inbox/") && has(p.puts, "jobs/") },
	"due promotion":    func(p parts) bool { return has(p.deletes, "later/") && has(p.puts, "jobs/") },
	"redrive":          func(p parts) bool { return has(p.deletes, "dead/") && has(p.puts, "jobs/") },
	"cancellation":     func(p parts) bool { return has(p.deletes, "later/") && len(p.puts) == 0 },
	"end of presence":  func(p parts) bool { return has(p.deletes, "c/consumer/") },
}

// Otherwise the sweep would not show what it is said to show.
func TestMishapsBefallEverySortOfTransaction(t *testing.T) {
	inBubble(t, func(w *world) {
		var mu sync.Mutex
		seen := map[string]int{}
		w.srv.Inject(etcdtest.Fault{Path: txnPath, Members: []int{1}, Match: func(r *etcdtest.Request) bool {
			var p parts
			p.add(r.Body)
			mu.Lock()
			defer mu.Unlock()
			for sort, is := range sorts {
				if about(r) && is(p) {
					seen[sort]++
				}
			}
			return false
		}})
		w.suffer(mishap{}, 1<<30)
		for sort := range sorts {
			require.NotZero(w, seen[sort], sort)
		}
	}, etcdtest.WithMembers(3))
}
