package etcd

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/h1"
	"github.com/quorate/quorate/internal/jsonwire"
)

func TestEveryFieldOfAReplyIsRead(t *testing.T) {
	const kv = `{"key":"bi9h","create_revision":"2","mod_revision":"3","version":"4","value":"dg==","lease":"5"}`
	const header = `{"cluster_id":"14841639068965178418","member_id":"10276657743932975437","revision":"9","raft_term":"7"}`
	want := KV{Key: "a", Value: []byte("v"), CreateRevision: 2, ModRevision: 3, Version: 4, Lease: 5}
	h := Header{ClusterID: 14841639068965178418, MemberID: 10276657743932975437, Revision: 9, RaftTerm: 7}

	read := func(op Op, body string) OpResult {
		t.Helper()
		rd := jsonwire.NewReader([]byte(body))
		res, err := decodeSingle(rd, len("n/"), &op)
		require.NoError(t, err)
		require.NoError(t, rd.End())
		return res
	}
	require.Equal(t, &GetResult{Header: h, KVs: []KV{want, want}, More: true, Count: 12},
		read(Get(All()), `{"header":`+header+`,"kvs":[`+kv+`,`+kv+`],"more":true,"count":"12"}`).Get)
	require.Equal(t, &PutResult{Header: h, Prev: &want},
		read(Put("a", nil), `{"header":`+header+`,"prev_kv":`+kv+`}`).Put)
	require.Equal(t, &DeleteResult{Header: h, Deleted: 3, Prev: []KV{want}},
		read(Delete(All()), `{"header":`+header+`,"deleted":"3","prev_kvs":[`+kv+`]}`).Delete)

	txn := Nest(Txn{Then: []Op{Get(Key("a")), Put("b", nil), Delete(Key("c")), Nest(Txn{Else: []Op{Get(Key("d"))}})}})
	require.Equal(t, &TxnResult{Header: h, Succeeded: true, Results: []OpResult{
		{Get: &GetResult{Header: h, KVs: []KV{want}, Count: 1}},
		{Put: &PutResult{Header: h}},
		{Delete: &DeleteResult{Header: h, Deleted: 1}},
		{Txn: &TxnResult{Header: h, Results: []OpResult{{Get: &GetResult{Header: h}}}}},
	}}, read(txn, `{"header":`+header+`,"succeeded":true,"responses":[
		{"response_range":{"header":{"revision":"8"},"kvs":[`+kv+`],"count":"1"}},
		{"response_put":{"header":{"revision":"9"}}},
		{"response_delete_range":{"header":{"revision":"9"},"deleted":"1"}},
		{"response_txn":{"header":{},"responses":[{"response_range":{}}]}}]}`).Txn)
}

func TestFieldsOfNewerServersAreSkipped(t *testing.T) {
	op := Get(Key("a"))
	rd := jsonwire.NewReader([]byte(`{"news":[{"a":[1,2.5e3,null,true]}],"header":{"revision":"9","x":{}},"kvs":[{"key":"bi9h","y":""}]}`))
	res, err := decodeSingle(rd, len("n/"), &op)
	require.NoError(t, err)
	require.NoError(t, rd.End())
	require.Equal(t, "a", res.Get.KVs[0].Key)
}

// shapes are operations that the fuzzer pretends to have asked for.
var shapes = []Op{
	Get(Key("a")), Put("a", nil, WithPrev()), Delete(All(), WithPrev()), Nest(Txn{}),
	Nest(Txn{Then: []Op{Get(Key("a")), Put("b", nil)}, Else: []Op{Delete(Key("c"))}}),
	Nest(Txn{Then: []Op{Nest(Txn{Then: []Op{Get(All())}, Else: []Op{Nest(Txn{})}})}}),
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{
		`{"header":{"revision":"5"},"kvs":[{"key":"YQ==","value":"dg=="}],"count":"1"}`,
		`{"header":{"revision":"5"},"succeeded":true,"responses":[{"response_range":{"kvs":[{"key":"YQ=="}]}},{"response_put":{"prev_kv":{}}}]}`,
		`{"header":{"revision":5},"responses":[{"response_delete_range":{"deleted":"1","prev_kvs":[{}]}}]}`,
		`{"header":{"revision":"5"},"succeeded":true,"responses":[{"response_txn":{"responses":[{"response_txn":{}}]}}]}`,
		`{"header":null,"responses":null}`, `null`, `[]`, ``, `{"responses":[[]]}`,
	} {
		for i := range shapes {
			f.Add(uint8(i), 2, s)
		}
	}
	f.Fuzz(func(t *testing.T, shape uint8, ns int, body string) {
		op := &shapes[int(shape)%len(shapes)]
		ns &= 0xff
		rd := jsonwire.NewReader([]byte(body))
		res, err := decodeSingle(rd, ns, op)
		if err == nil && rd.End() == nil {
			if !json.Valid([]byte(body)) {
				t.Fatalf("accepted what is no JSON: %q", body)
			}
			requireShape(t, op, &res)
		}
		calls := []*call{{op: *op}, {op: shapes[0]}}
		if results, err := decodeBatch(jsonwire.NewReader([]byte(body)), ns, calls); err == nil {
			for i := range results {
				requireShape(t, &calls[i].op, &results[i])
			}
		}
	})
}

// requireShape walks a result the way a caller does, who relies on what it
// asked for.
func requireShape(t *testing.T, op *Op, r *OpResult) {
	if r.kinds() != 1 {
		t.Fatalf("%d results in one", r.kinds())
	}
	var h Header
	switch op.kind {
	case opGet:
		h = r.Get.Header
	case opPut:
		h = r.Put.Header
	case opDelete:
		h = r.Delete.Header
	case opTxn:
		h = r.Txn.Header
		ops := op.txn.Then
		if !r.Txn.Succeeded {
			ops = op.txn.Else
		}
		if len(ops) != len(r.Txn.Results) {
			t.Fatalf("%d results of %d operations", len(r.Txn.Results), len(ops))
		}
		for i := range ops {
			requireShape(t, &ops[i], &r.Txn.Results[i])
		}
	}
	if h.Revision <= 0 {
		t.Fatal("a result without a revision")
	}
}

func FuzzErrorBody(f *testing.F) {
	for _, s := range []string{
		`{"error":"etcdserver: request timed out","code":14,"message":"etcdserver: request timed out"}`,
		`{"code":5,"message":"etcdserver: requested lease not found","details":[]}`,
		`{"error":{"grpc_code":14,"http_code":503,"message":"no leader","http_status":"Service Unavailable"}}`,
		`{"error":{"error":{"code":3}}}`, `{"code":"x"}`, `<html>`, ``, `{"code":8,"message":"etcdserver: mvcc: database space exceeded"}`,
	} {
		for _, status := range []int{200, 204, 302, 400, 401, 404, 429, 500, 503} {
			f.Add(status, s, "text/html; charset=utf-8")
		}
	}
	f.Fuzz(func(t *testing.T, status int, body, contentType string) {
		reply := h1.Reply{Status: status, Body: []byte(body), ContentType: contentType}
		fail := classifyReply(reply, &request{mode: modeWrite})
		if fail == nil || fail.err == nil {
			t.Fatal("a failure that is none")
		}
		text := fail.err.Error()
		if len(text) > 1200 {
			t.Fatalf("an error of %d bytes", len(text))
		}
		if utf8.ValidString(body) && !utf8.ValidString(text) {
			t.Fatalf("broken text %q", text)
		}
		staleToken(reply)
		// What no server sends must not pass for a definite refusal.
		definite := fail.verdict != verdictUnknown && fail.verdict != verdictLost
		if e := parseError(reply.Body); definite && !e.ok && (status < 300 || status >= 500 || status == 408) {
			t.Fatalf("status %d and %q refuses a write", status, body)
		}
		if definite && strings.Contains(fail.err.Message, "space exceeded") && fail.err.Code == CodeResourceExhausted {
			t.Fatal("a full server's refusal is not definite")
		}
	})
}

func TestErrorsOfTheServerAreToldApart(t *testing.T) {
	for _, test := range []struct {
		status  int
		body    string
		kind    error
		verdict verdict
	}{
		{400, `{"code":3,"message":"etcdserver: request is too large"}`, ErrTooLarge, verdictFinal},
		{400, `{"code":3,"message":"etcdserver: too many operations in txn request"}`, ErrTooManyOps, verdictFinal},
		{400, `{"code":3,"message":"etcdserver: duplicate key given in txn request"}`, ErrDuplicateKey, verdictFinal},
		{400, `{"code":3,"message":"etcdserver: key not found"}`, ErrKeyNotFound, verdictFinal},
		{400, `{"code":3,"message":"etcdserver: authentication failed, invalid user ID or password"}`, ErrUnauthenticated, verdictFinal},
		{400, `{"code":3,"message":"etcdserver: key is not provided"}`, ErrInvalid, verdictFinal},
		{404, `{"code":5,"message":"etcdserver: requested lease not found"}`, ErrLeaseNotFound, verdictFinal},
		{404, `{"code":5,"message":"Not Found"}`, ErrNotEtcd, verdictElsewhere},
		{403, `{"code":7,"message":"etcdserver: permission denied"}`, ErrPermissionDenied, verdictFinal},
		{429, `{"code":8,"message":"etcdserver: mvcc: database space exceeded"}`, ErrNoSpace, verdictLost},
		{429, `{"code":8,"message":"grpc: received message larger than max (2 vs. 1)"}`, ErrTooLarge, verdictFinal},
		{429, `{"code":8,"message":"something else"}`, nil, verdictUnknown},
		{400, `{"code":9,"message":"etcdserver: lease already exists"}`, ErrLeaseExists, verdictFinal},
		{400, `{"code":11,"message":"etcdserver: mvcc: required revision has been compacted"}`, ErrCompacted, verdictFinal},
		{400, `{"code":11,"message":"etcdserver: mvcc: required revision is a future revision"}`, ErrFutureRevision, verdictFinal},
		{501, `{"code":12,"message":"Method Not Allowed"}`, nil, verdictFinal},
		{401, `{"code":16,"message":"etcdserver: invalid auth token"}`, ErrUnauthenticated, verdictFinal},
		{500, `{"code":2,"message":"etcdserver: too many requests"}`, ErrRateLimited, verdictRefused},
		{500, `{"code":2,"message":"something else"}`, nil, verdictUnknown},
		{503, `{"code":14,"message":"etcdserver: no leader"}`, ErrNoLeader, verdictRefused},
		{503, `{"code":14,"message":"etcdserver: leader changed"}`, ErrUnavailable, verdictUnknown},
		{504, `{"code":4,"message":"context deadline exceeded"}`, ErrUnavailable, verdictUnknown},
		{499, `{"code":1,"message":"context canceled"}`, nil, verdictUnknown},
		{500, `{"code":13,"message":"broken"}`, nil, verdictUnknown},
		{500, `{"code":15,"message":"lost"}`, nil, verdictUnknown},
	} {
		for _, body := range []string{test.body, strings.Replace(test.body, `{"code"`, `{"error":"text","code"`, 1), `{"error":` + test.body + `}`} {
			f := classifyReply(h1.Reply{Status: test.status, Body: []byte(body)}, &request{mode: modeWrite})
			require.Equal(t, test.verdict, f.verdict, body)
			if test.kind != nil {
				require.ErrorIs(t, f.err, test.kind, body)
			}
		}
	}
	f := classifyReply(h1.Reply{Status: 503, Body: []byte(`{"code":14,"message":"etcdserver: no leader"}`)}, &request{anyMember: true})
	require.Equal(t, verdictUnknown, f.verdict, "without the header the refusal may come late")
}

func TestANumberThatIsNoKnownEnumIsNotTakenForOne(t *testing.T) {
	for _, n := range []string{"2", "256", "257", "-1", "-256", "2147483647"} {
		var rd jsonwire.Reader
		var f watchFrame
		err := parseWatchFrame(&rd, []byte(`{"result":{"events":[{"type":`+n+`,"kv":{"key":"YQ==","mod_revision":"9"}}]}}`), 0, &f)
		require.ErrorContains(t, err, "unknown type", n)
		if n != "2" {
			_, _, p := decodePermission(jsonwire.NewReader([]byte(`{"permType":` + n + `,"key":"YQ=="}`)))
			require.Greater(t, p, ReadWrite, n)
		}
	}
}
