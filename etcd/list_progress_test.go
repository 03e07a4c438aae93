package etcd_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// pageOf is a page of a listing that says that there is more.
func pageOf(keys ...string) *etcdtest.Reply {
	var kvs []string
	for _, k := range keys {
		kvs = append(kvs, fmt.Sprintf(`{"key":%q,"mod_revision":"2"}`, base64.StdEncoding.EncodeToString([]byte(k))))
	}
	return etcdtest.TextReply(200, "application/json", `{"header":{"revision":"9"},"kvs":[`+strings.Join(kvs, ",")+`],"more":true,"count":"1000"}`)
}

func TestAListingOfWhichAPageGetsNoFurtherIsAnErrorThatNamesTheKey(t *testing.T) {
	for name, test := range map[string]struct {
		set    etcd.KeySet
		pages  []*etcdtest.Reply // the last is given for ever
		before []string          // what the listing gives
		says   string
	}{
		"the same page of a prefix for ever":        {etcd.Prefix("k/"), []*etcdtest.Reply{pageOf("k/1", "k/2")}, []string{"k/1", "k/2"}, `list "k/"*: the page after "k/2" holds "k/1"`},
		"the same page of a range for ever":         {etcd.Range("k/1", "k/9"), []*etcdtest.Reply{pageOf("k/1")}, []string{"k/1"}, `the page after "k/1" holds "k/1"`},
		"the same page of all keys for ever":        {etcd.All(), []*etcdtest.Reply{pageOf("a")}, []string{"a"}, `the page after "a" holds "a"`},
		"the same page of all from one on for ever": {etcd.From("k"), []*etcdtest.Reply{pageOf("k")}, []string{"k"}, `the page after "k" holds "k"`},
		"a page that goes back":                     {etcd.All(), []*etcdtest.Reply{pageOf("b", "c"), pageOf("d", "a")}, []string{"b", "c", "d"}, `the page after "c" holds "a" behind "d"`},
		"two pages in turns":                        {etcd.All(), []*etcdtest.Reply{pageOf("b"), pageOf("a")}, []string{"b"}, `the page after "b" holds "a"`},
		"a page without a key":                      {etcd.Prefix("k/"), []*etcdtest.Reply{pageOf("k/1"), pageOf()}, []string{"k/1"}, `the page after "k/1" is empty, and there is to be more`},
		"a first page without a key":                {etcd.Prefix("k/"), []*etcdtest.Reply{pageOf()}, nil, `the first page is empty, and there is to be more`},
		"a key that was not asked for":              {etcd.Prefix("k/"), []*etcdtest.Reply{pageOf("k/1", "l")}, []string{"k/1"}, `the first page holds "l" behind "k/1"`},
		"a first key that was not asked for":        {etcd.Prefix("k/"), []*etcdtest.Reply{pageOf("a", "k/1")}, nil, `the first page holds "a"`},
		"another key than the one asked for":        {etcd.Key("k"), []*etcdtest.Reply{pageOf("l")}, nil, `the first page holds "l"`},
	} {
		t.Run(name, func(t *testing.T) {
			etcd.BothWays(t, func(t *etcd.World) {
				srv := t.Start()
				for i, page := range test.pages {
					f := etcdtest.Fault{Path: "/v3/kv/range", Skip: i, Reply: page, Times: 1}
					if i == len(test.pages)-1 {
						f.Times = 0
					}
					srv.Inject(f)
				}
				c := newClient(t, srv)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var keys []string
				var errs []error
				for kv, err := range c.List(ctx, test.set) {
					if err != nil {
						errs = append(errs, err)
						continue
					}
					keys = append(keys, kv.Key)
					require.Less(t, len(keys), 100, "it goes on for ever")
				}
				require.Equal(t, test.before, keys)
				require.Len(t, errs, 1)
				require.ErrorIs(t, errs[0], etcd.ErrBadReply)
				require.ErrorContains(t, errs[0], test.says)
			})
		})
	}
}

func TestAListingOfOneKeyEndsWithItWhateverTheServerSays(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		srv.Inject(etcdtest.Fault{Path: "/v3/kv/range", Reply: pageOf("k")})
		c := newClient(t, srv)
		require.Equal(t, []string{"k"}, listed(t.T, c, etcd.Key("k")))
		require.Equal(t, 1, srv.Requests()["/v3/kv/range"])
	})
}
