package jsonwire

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsAppendedIsWhatEncodingJSONReads(t *testing.T) {
	b := []byte{'{'}
	b = AppendBase64StringField(b, "key", "a/b\xff")
	b = AppendBase64Field(b, "value", nil)
	b = AppendInt64Field(b, "lease", math.MinInt64)
	b = AppendUint64Field(b, "id", math.MaxUint64)
	b = AppendBoolField(b, "prev_kv", true)
	b = AppendStringField(b, "name", "ro\"ot\\\x01\u2028é\xff")
	b = AppendQuotedInt64(AppendField(b, "ttl"), -5)
	b = append(AppendField(b, "list"), '[')
	for i := range int64(3) {
		b = AppendInt64(AppendElem(b), i)
	}
	b = append(b, ']')
	b = append(AppendField(b, "empty"), "{}"...)
	b = append(b, '}')

	var got struct {
		Key, Value []byte
		Lease      int64
		ID         uint64
		PrevKV     bool `json:"prev_kv"`
		Name       string
		TTL        int64 `json:"ttl,string"`
		List       []int
		Empty      map[string]any
	}
	require.NoError(t, json.Unmarshal(b, &got), string(b))
	require.Equal(t, "a/b\xff", string(got.Key))
	require.NotNil(t, got.Value)
	require.Empty(t, got.Value)
	require.Equal(t, int64(math.MinInt64), got.Lease)
	require.EqualValues(t, uint64(math.MaxUint64), got.ID)
	require.True(t, got.PrevKV)
	require.Equal(t, "ro\"ot\\\x01\u2028é\ufffd", got.Name)
	require.EqualValues(t, -5, got.TTL)
	require.Equal(t, []int{0, 1, 2}, got.List)
	require.NotNil(t, got.Empty)
}

func TestAppendingToAPreparedBufferAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 1<<10)
	key, value := "registry/key/of/some/length/and/more/than/32/bytes", make([]byte, 128)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b := append(buf, '{')
		b = AppendBase64StringField(b, "key", key)
		b = AppendBase64Field(b, "value", value)
		b = AppendInt64Field(b, "lease", math.MaxInt64)
		b = AppendStringField(b, "name", key)
		_ = append(b, '}')
	}))
}

func ExampleAppendField() {
	b := []byte{'{'}
	b = AppendBase64StringField(b, "key", "greeting")
	b = AppendBase64Field(b, "value", []byte("hello"))
	b = AppendInt64Field(b, "lease", 7)
	b = append(b, '}')
	fmt.Println(string(b))
	// Output: {"key":"Z3JlZXRpbmc=","value":"aGVsbG8=","lease":7}
}

func ExampleReader() {
	r := NewReader([]byte(`{"header":{"revision":"9"}, "kvs":[{"key":"Z3JlZXRpbmc=", "value":"aGVsbG8="}], "count":"1"}`))
	for key := range r.Object {
		switch string(key) {
		case "kvs":
			for range r.Array {
				for field := range r.Object {
					fmt.Printf("%s is %s\n", field, r.Bytes())
				}
			}
		case "count":
			fmt.Println("count is", r.Int64())
		}
	}
	if err := r.End(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// key is greeting
	// value is hello
	// count is 1
}
