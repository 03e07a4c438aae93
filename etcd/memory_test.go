package etcd

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A few bytes of JSON must not each become a key, a member or a result in
// memory: whatever a server sends, what is made of it is no larger than some
// times its own length.
func TestMemoryIsBoundedByTheLengthOfTheReplyWhateverItHolds(t *testing.T) {
	const size = 128 << 10
	many := func(before, item, after string) string {
		return before + strings.Repeat(item+",", size/(len(item)+1)) + item + after
	}
	const head = `{"header":{"cluster_id":"1","revision":"5"},`
	for name, body := range map[string]string{
		"keys of nothing":      many(head+`"kvs":[`, `{}`, `]}`),
		"keys of null":         many(head+`"kvs":[`, `null`, `]}`),
		"previous keys":        many(head+`"prev_kvs":[`, `{}`, `]}`),
		"results":              many(head+`"responses":[`, `{}`, `]}`),
		"results of results":   many(head+`"responses":[{"response_txn":{"responses":[`, `{}`, `]}}]}`),
		"ranges":               many(head+`"responses":[`, `{"response_range":{}}`, `]}`),
		"keys of ranges":       many(head+`"responses":[{"response_range":{"kvs":[`, `{}`, `]}}]}`),
		"members":              many(head+`"members":[`, `{}`, `]}`),
		"URLs":                 many(head+`"members":[{"ID":"1","peerURLs":[`, `""`, `]}]}`),
		"alarms":               many(head+`"alarms":[`, `{}`, `]}`),
		"leases":               many(head+`"leases":[`, `{"ID":1}`, `]}`),
		"keys of a lease":      many(head+`"TTL":"5","grantedTTL":"5","keys":[`, `""`, `]}`),
		"names":                many(head+`"users":[`, `""`, `]}`),
		"errors of a member":   many(head+`"errors":[`, `""`, `]}`),
		"permissions":          many(head+`"perm":[`, `{}`, `]}`),
		"permissions of bytes": many(head+`"perm":[`, `{"key":"YQ=="}`, `]}`),
		"fields":               many(`{`, `"":0`, `}`),
		"nesting":              head + `"x":` + strings.Repeat("[", size) + strings.Repeat("]", size) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newForeignClient(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Content-Length", fmt.Sprint(len(body)))
				_, _ = rw.Write([]byte(body)) // a client that has gone need not be heard
			}), func(cfg *Config) { cfg.RetryTimeout = -1 })
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for what, call := range map[string]func() error{
				"get":     func() error { _, err := c.Get(ctx, Key("k")); return err },
				"delete":  func() error { _, err := c.Delete(ctx, Key("k"), WithPrev()); return err },
				"txn":     func() error { _, err := c.Txn(ctx, Txn{Then: []Op{Put("k", nil)}}); return err },
				"members": func() error { _, err := c.Members(ctx, true); return err },
				"alarms":  func() error { _, err := c.Alarms(ctx); return err },
				"leases":  func() error { _, err := c.Leases(ctx); return err },
				"lease":   func() error { _, err := c.TimeToLive(ctx, 5, WithKeys()); return err },
				"users":   func() error { _, err := c.Users(ctx); return err },
				"status":  func() error { _, err := c.Status(ctx, c.Endpoints()[0]); return err },
				"role":    func() error { _, err := c.Role(ctx, "r"); return err },
			} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_ = call() // it may be a result or an error
				runtime.ReadMemStats(&after)
				took := after.TotalAlloc - before.TotalAlloc
				require.Less(t, took, uint64(48*len(body)), "%s: %d bytes took %d", what, len(body), took)
			}
		})
	}
}
