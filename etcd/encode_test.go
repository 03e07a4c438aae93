package etcd

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// golden is every sort of message, and what it must look like on the wire in
// the namespace "n/" ("bi8=" is "n/", "bi9h" is "n/a", "bjA=" is "n0").
var golden = map[string]struct {
	op   Op
	want string
}{
	"get":                     {Get(Key("a")), `{"key":"bi9h"}`},
	"get of a range":          {Get(Range("a", "b")), `{"key":"bi9h","range_end":"bi9i"}`},
	"get of a prefix":         {Get(Prefix("a")), `{"key":"bi9h","range_end":"bi9i"}`},
	"get from a key on":       {Get(From("a")), `{"key":"bi9h","range_end":"bjA="}`},
	"get of all":              {Get(All()), `{"key":"bi8A","range_end":"bjA="}`},
	"get of prefix ff":        {Get(Prefix("\xff\xff")), `{"key":"bi///w==","range_end":"bjA="}`},
	"get with limit":          {Get(Key("a"), WithLimit(3)), `{"key":"bi9h","limit":3}`},
	"get at revision":         {Get(Key("a"), WithRevision(1<<60)), `{"key":"bi9h","revision":1152921504606846976}`},
	"get serializable":        {Get(Key("a"), Serializable()), `{"key":"bi9h","serializable":true}`},
	"get of keys only":        {Get(Key("a"), KeysOnly()), `{"key":"bi9h","keys_only":true}`},
	"get of a count":          {Get(Key("a"), CountOnly()), `{"key":"bi9h","count_only":true}`},
	"get by mod revisions":    {Get(Key("a"), WithModRevisions(2, 3)), `{"key":"bi9h","min_mod_revision":2,"max_mod_revision":3}`},
	"get by create revisions": {Get(Key("a"), WithCreateRevisions(4, 5)), `{"key":"bi9h","min_create_revision":4,"max_create_revision":5}`},
	"get sorted by key":       {Get(Key("a"), WithSort(ByKey, Ascending)), `{"key":"bi9h","sort_order":"ASCEND","sort_target":"KEY"}`},
	"get sorted by version":   {Get(Key("a"), WithSort(ByVersion, Descending)), `{"key":"bi9h","sort_order":"DESCEND","sort_target":"VERSION"}`},
	"get sorted by create":    {Get(Key("a"), WithSort(ByCreateRevision, Ascending)), `{"key":"bi9h","sort_order":"ASCEND","sort_target":"CREATE"}`},
	"get sorted by mod":       {Get(Key("a"), WithSort(ByModRevision, Descending)), `{"key":"bi9h","sort_order":"DESCEND","sort_target":"MOD"}`},
	"get sorted by value":     {Get(Key("a"), WithSort(ByValue, Ascending)), `{"key":"bi9h","sort_order":"ASCEND","sort_target":"VALUE"}`},
	"put":                     {Put("a", []byte("v")), `{"key":"bi9h","value":"dg=="}`},
	"put of nothing":          {Put("a", nil), `{"key":"bi9h"}`},
	"put with lease":          {Put("a", []byte("v"), WithLease(7)), `{"key":"bi9h","value":"dg==","lease":7}`},
	"put with prev":           {Put("a", []byte("v"), WithPrev()), `{"key":"bi9h","value":"dg==","prev_kv":true}`},
	"put ignoring the value":  {Put("a", nil, IgnoreValue()), `{"key":"bi9h","ignore_value":true}`},
	"put ignoring the lease":  {Put("a", []byte("v"), IgnoreLease()), `{"key":"bi9h","value":"dg==","ignore_lease":true}`},
	"delete":                  {Delete(Key("a")), `{"key":"bi9h"}`},
	"delete of a prefix":      {Delete(Prefix("a"), WithPrev()), `{"key":"bi9h","range_end":"bi9i","prev_kv":true}`},
	"empty txn":               {Nest(Txn{}), `{}`},
	"txn without then":        {Nest(Txn{Else: []Op{Get(Key("a"))}}), `{"failure":[{"request_range":{"key":"bi9h"}}]}`},
	"txn of all kinds": {Nest(Txn{
		Then: []Op{Get(Key("a")), Put("a", []byte("v")), Delete(Key("a")), Nest(Txn{Then: []Op{Put("b", nil)}})},
		Else: []Op{Delete(All())},
	}), `{"success":[{"request_range":{"key":"bi9h"}},{"request_put":{"key":"bi9h","value":"dg=="}},{"request_delete_range":{"key":"bi9h"}},` +
		`{"request_txn":{"success":[{"request_put":{"key":"bi9i"}}]}}],"failure":[{"request_delete_range":{"key":"bi8A","range_end":"bjA="}}]}`},
	"compare of version": {ifOnly(IfVersion(Key("a"), Equal, 1)), `{"compare":[{"target":"VERSION","version":1,"key":"bi9h"}]}`},
	"compare of create":  {ifOnly(IfCreateRevision(Key("a"), NotEqual, 2)), `{"compare":[{"result":"NOT_EQUAL","target":"CREATE","create_revision":2,"key":"bi9h"}]}`},
	"compare of mod":     {ifOnly(IfModRevision(Key("a"), Greater, 3)), `{"compare":[{"result":"GREATER","target":"MOD","mod_revision":3,"key":"bi9h"}]}`},
	"compare of value":   {ifOnly(IfValue(Key("a"), Less, []byte("v"))), `{"compare":[{"result":"LESS","target":"VALUE","value":"dg==","key":"bi9h"}]}`},
	"compare of lease":   {ifOnly(IfLease(Key("a"), Equal, 9)), `{"compare":[{"target":"LEASE","lease":9,"key":"bi9h"}]}`},
	"compare of empty":   {ifOnly(IfValue(Key("a"), Equal, nil)), `{"compare":[{"target":"VALUE","value":"","key":"bi9h"}]}`},
	"compare with zero":  {ifOnly(IfVersion(Key("a"), Equal, 0)), `{"compare":[{"target":"VERSION","key":"bi9h"}]}`},
	"compare of a range": {ifOnly(IfModRevision(Range("a", "b"), Less, 3)), `{"compare":[{"result":"LESS","target":"MOD","mod_revision":3,"key":"bi9h","range_end":"bi9i"}]}`},
	"compare of all":     {ifOnly(Missing(All())), `{"compare":[{"target":"CREATE","key":"bi8A","range_end":"bjA="}]}`},
	"exists":             {ifOnly(Exists(Key("a"))), `{"compare":[{"result":"NOT_EQUAL","target":"CREATE","key":"bi9h"}]}`},
	"a conjunction": {ifOnly(AllOf(Missing(Key("a")), AllOf(), AllOf(Exists(Key("b"))))),
		`{"compare":[{"target":"CREATE","key":"bi9h"},{"result":"NOT_EQUAL","target":"CREATE","key":"bi9i"}]}`},
	"a compare behind a conjunction": {Nest(Txn{If: []Cmp{AllOf(Missing(Key("a"))), Missing(Key("b"))}}),
		`{"compare":[{"target":"CREATE","key":"bi9h"},{"target":"CREATE","key":"bi9i"}]}`},
	"a compare in a nested txn": {Nest(Txn{Then: []Op{ifOnly(Missing(Key("a")))}}),
		`{"success":[{"request_txn":{"compare":[{"target":"CREATE","key":"bi9h"}]}}]}`},
}

func ifOnly(c Cmp) Op { return Nest(Txn{If: []Cmp{c}}) }

func TestEveryMessageIsWrittenAsTheGatewayReadsIt(t *testing.T) {
	for name, g := range golden {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, g.op.check(0))
			require.Equal(t, g.want, string(appendOp(nil, "n/", &g.op)))
		})
	}
}

func TestAConjunctionWithoutConditionsAlwaysHolds(t *testing.T) {
	op := ifOnly(AllOf())
	require.Equal(t, `{"compare":[]}`, string(appendOp(nil, "", &op)))
}

// The gateway's messages, written down field by field from rpc.proto and
// kv.proto of etcd 3.7. The gateway drops what it does not know, so a field
// that is not here would silently do nothing.
type (
	wireRange struct {
		Key               []byte `json:"key"`
		RangeEnd          []byte `json:"range_end"`
		Limit             int64  `json:"limit"`
		Revision          int64  `json:"revision"`
		SortOrder         string `json:"sort_order"`
		SortTarget        string `json:"sort_target"`
		Serializable      bool   `json:"serializable"`
		KeysOnly          bool   `json:"keys_only"`
		CountOnly         bool   `json:"count_only"`
		MinModRevision    int64  `json:"min_mod_revision"`
		MaxModRevision    int64  `json:"max_mod_revision"`
		MinCreateRevision int64  `json:"min_create_revision"`
		MaxCreateRevision int64  `json:"max_create_revision"`
	}
	wirePut struct {
		Key         []byte `json:"key"`
		Value       []byte `json:"value"`
		Lease       int64  `json:"lease"`
		PrevKV      bool   `json:"prev_kv"`
		IgnoreValue bool   `json:"ignore_value"`
		IgnoreLease bool   `json:"ignore_lease"`
	}
	wireDelete struct {
		Key      []byte `json:"key"`
		RangeEnd []byte `json:"range_end"`
		PrevKV   bool   `json:"prev_kv"`
	}
	wireCompare struct {
		Result         string  `json:"result"`
		Target         string  `json:"target"`
		Key            []byte  `json:"key"`
		RangeEnd       []byte  `json:"range_end"`
		Version        *int64  `json:"version"`
		CreateRevision *int64  `json:"create_revision"`
		ModRevision    *int64  `json:"mod_revision"`
		Value          *[]byte `json:"value"`
		Lease          *int64  `json:"lease"`
	}
	wireOp struct {
		Range  *wireRange  `json:"request_range"`
		Put    *wirePut    `json:"request_put"`
		Delete *wireDelete `json:"request_delete_range"`
		Txn    *wireTxn    `json:"request_txn"`
	}
	wireTxn struct {
		Compare []wireCompare `json:"compare"`
		Success []wireOp      `json:"success"`
		Failure []wireOp      `json:"failure"`
	}
)

// readStrictly decodes body into v and fails on a field v does not have.
func readStrictly(t testing.TB, body []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(v), "%s", body)
}

func TestNoMessageHasAFieldThatTheGatewayDoesNotKnow(t *testing.T) {
	for name, g := range golden {
		t.Run(name, func(t *testing.T) {
			body := appendOp(nil, "n/", &g.op)
			switch g.op.kind {
			case opGet:
				readStrictly(t, body, new(wireRange))
			case opPut:
				readStrictly(t, body, new(wirePut))
			case opDelete:
				readStrictly(t, body, new(wireDelete))
			case opTxn:
				var txn wireTxn
				readStrictly(t, body, &txn)
				for _, c := range txn.Compare {
					requireOneTarget(t, c)
				}
			}
			readStrictly(t, appendRequestOp(nil, "n/", &g.op), new(wireOp))
		})
	}
}

// requireOneTarget fails where the value compared with is not the target's.
func requireOneTarget(t *testing.T, c wireCompare) {
	given := map[string]bool{"VERSION": c.Version != nil, "CREATE": c.CreateRevision != nil, "MOD": c.ModRevision != nil, "VALUE": c.Value != nil, "LEASE": c.Lease != nil}
	for target, there := range given {
		require.False(t, there && target != c.Target, "%s is given, %s is compared", target, c.Target)
	}
}

func TestWhatMakesNoSenseIsRefusedBeforeItIsSent(t *testing.T) {
	for name, op := range map[string]Op{
		"the zero operation":           {},
		"an empty key":                 Put("", nil),
		"the zero key set":             Get(KeySet{}),
		"a range that ends before":     Delete(Range("b", "a")),
		"a range of nothing":           Delete(Range("a", "a")),
		"a range before the first key": Delete(Range("", "\x00")),
		"a value that is ignored":      Put("a", []byte("v"), IgnoreValue()),
		"a lease that is ignored":      Put("a", nil, IgnoreLease(), WithLease(1)),
		"a negative limit":             Get(Key("a"), WithLimit(-1)),
		"a negative revision":          Get(Key("a"), WithRevision(-1)),
		"an unknown order":             Get(Key("a"), WithSort(ByKey, 9)),
		"an unknown sort target":       Get(Key("a"), WithSort(9, Ascending)),
		"the zero condition":           ifOnly(Cmp{}),
		"an unknown relation":          ifOnly(IfVersion(Key("a"), 9, 1)),
		"a bad part of a conjunction":  ifOnly(AllOf(Missing(Key("")))),
		"a bad nested operation":       Nest(Txn{Else: []Op{Nest(Txn{Then: []Op{{}}})}}),
	} {
		require.Error(t, op.check(0), name)
	}
	deep := Nest(Txn{})
	for range maxNesting + 1 {
		deep = Nest(Txn{Then: []Op{deep}})
	}
	require.Error(t, deep.check(0))
}
