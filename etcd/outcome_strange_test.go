package etcd_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// strangeReplies are answers that no etcd gives. After some of them a member
// behind may have applied the request; others say that it was not taken.
var strangeReplies = map[string]struct {
	reply      *etcdtest.Reply
	afterwards bool // it may come after the request was applied
	kind       error
}{
	"garbage":               {etcdtest.TextReply(200, "application/json", "\x00\xff{{{"), true, etcd.ErrBadReply},
	"nothing":               {etcdtest.TextReply(200, "application/json", ""), true, etcd.ErrBadReply},
	"half a document":       {etcdtest.TextReply(200, "application/json", `{"header":{"revision":"5"`), true, etcd.ErrBadReply},
	"two documents":         {etcdtest.TextReply(200, "application/json", `{"header":{"revision":"5"}}{}`), true, etcd.ErrBadReply},
	"an empty object":       {etcdtest.TextReply(200, "application/json", `{}`), true, etcd.ErrBadReply},
	"null":                  {etcdtest.TextReply(200, "application/json", `null`), true, etcd.ErrBadReply},
	"an array":              {etcdtest.TextReply(200, "application/json", `[]`), true, etcd.ErrBadReply},
	"some other JSON":       {etcdtest.TextReply(200, "application/json", `{"status":"ok"}`), true, etcd.ErrBadReply},
	"a login page":          {etcdtest.TextReply(200, "text/html", "<html>please log in"), true, etcd.ErrBadReply},
	"a huge reply":          {etcdtest.HugeReply(30 << 20), true, etcd.ErrBadReply},
	"a compressed bomb":     {etcdtest.BombReply(20 << 20), true, etcd.ErrBadReply},
	"no content":            {etcdtest.TextReply(204, "", ""), true, etcd.ErrNotEtcd},
	"a bad gateway":         {etcdtest.TextReply(502, "text/html", "<html>bad gateway"), true, etcd.ErrNotEtcd},
	"a gateway timeout":     {etcdtest.TextReply(504, "text/html", "<html>timeout"), true, etcd.ErrNotEtcd},
	"a request timeout":     {etcdtest.TextReply(408, "text/plain", "too slow"), true, etcd.ErrNotEtcd},
	"JSON without a code":   {etcdtest.TextReply(500, "application/json", `{"message":"oh"}`), true, etcd.ErrNotEtcd},
	"a redirect":            {etcdtest.RedirectReply("http://evil.example/"), false, etcd.ErrNotEtcd},
	"not found, in HTML":    {etcdtest.TextReply(404, "text/html", "<html>404"), false, etcd.ErrUnsupported},
	"forbidden, by a proxy": {etcdtest.TextReply(403, "text/html", "<html>403"), false, etcd.ErrNotEtcd},
}

func TestAStrangeReplyIsAClearErrorAndBounded(t *testing.T) {
	for name, strange := range strangeReplies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := context.Background()
				srv := etcdtest.Start(t)
				c := newClient(t, srv, func(cfg *etcd.Config) {
					cfg.MaxReplyBytes = 1 << 20
					cfg.RetryTimeout = -1
				})
				srv.Inject(etcdtest.Fault{Reply: strange.reply})
				calls := map[string]func() error{
					"get":    func() error { _, err := c.Get(ctx, etcd.Key("k")); return err },
					"put":    func() error { _, err := c.Put(ctx, "k", nil); return err },
					"delete": func() error { _, err := c.Delete(ctx, etcd.Key("k")); return err },
					"txn":    func() error { _, err := c.Txn(ctx, etcd.Txn{Then: []etcd.Op{etcd.Put("k", nil)}}); return err },
				}
				for what, call := range calls {
					err := call()
					require.ErrorIs(t, err, strange.kind, what)
					require.ErrorContains(t, err, "member1.etcdtest:2379")
					require.Less(t, len(err.Error()), 400)
					require.Equal(t, strange.afterwards && what != "get", !etcd.SafeToRetry(err), "%s: %v", what, err)
				}
			})
		})
	}
}

func TestReadsGoOnAtMembersThatAnswerAsTheyShould(t *testing.T) {
	for name, strange := range strangeReplies {
		if name == "a huge reply" || name == "a compressed bomb" {
			continue // the answer is too large wherever it comes from
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := context.Background()
				srv := etcdtest.Start(t, etcdtest.WithMembers(3))
				srv.Put("k", []byte("v"))
				c := newClient(t, srv)
				f := srv.Inject(etcdtest.Fault{Members: []int{0}, Reply: strange.reply})
				begin := time.Now()
				for range 10 {
					r, err := c.Get(ctx, etcd.Key("k"))
					require.NoError(t, err)
					require.Equal(t, "v", string(r.KVs[0].Value))
				}
				require.Zero(t, time.Since(begin), "no pause: another member is asked at once")
				require.LessOrEqual(t, f.Hits(), 2, "one attempt, and perhaps the question for its version")
			})
		})
	}
}

func TestAResultOfTheWrongShapeIsABadReply(t *testing.T) {
	const head = `{"header":{"revision":"7"},"succeeded":true,"responses":`
	for name, body := range map[string]string{
		"no results":            `{"header":{"revision":"7"},"succeeded":true}`,
		"too few":               head + `[{"response_put":{}}]}`,
		"too many":              head + `[{"response_put":{}},{"response_range":{}},{"response_put":{}}]}`,
		"another kind":          head + `[{"response_put":{}},{"response_put":{}}]}`,
		"an empty result":       head + `[{"response_put":{}},{}]}`,
		"two kinds":             head + `[{"response_put":{}},{"response_range":{},"response_put":{}}]}`,
		"the other branch":      `{"header":{"revision":"7"},"responses":[{"response_put":{}},{"response_range":{}}]}`,
		"no header":             `{"succeeded":true,"responses":[{"response_put":{}},{"response_range":{}}]}`,
		"a key that is no text": head + `[{"response_put":{}},{"response_range":{"kvs":[{"key":"!"}]}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := etcdtest.Start(t)
				c := newClient(t, srv)
				srv.Inject(etcdtest.Fault{Commit: true, Reply: etcdtest.TextReply(200, "application/json", body)})
				_, err := c.Txn(context.Background(), etcd.Txn{
					If:   []etcd.Cmp{etcd.Missing(etcd.Key("k"))},
					Then: []etcd.Op{etcd.Put("k", nil), etcd.Get(etcd.Key("k"))},
				})
				require.ErrorIs(t, err, etcd.ErrBadReply)
				require.ErrorIs(t, err, etcd.ErrUnknownOutcome)
			})
		})
	}
}
