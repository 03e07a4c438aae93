package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"testing"
)

// node is a value in a JSON document, or the absence of one.
type node struct {
	value any
	found bool
}

func parse(b []byte) (node, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return node{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return node{}, errors.New("more than one JSON value")
	}
	return node{v, true}, nil
}

// at follows names and indexes.
func (n node) at(path ...any) node {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := n.value.(map[string]any)
			n.value, n.found = m[step]
		case int:
			l, _ := n.value.([]any)
			n = node{}
			if step < len(l) {
				n = node{l[step], true}
			}
		}
	}
	return n
}

func (n node) exists() bool   { return n.found }
func (n node) is(v any) bool  { return n.found && n.value == v }
func (n node) String() string { b, _ := json.Marshal(n.value); return string(b) } //nolint:errcheck // it was JSON
func (n node) length() int    { l, _ := n.value.([]any); return len(l) }
func (n node) isTrue() bool   { return n.is(true) }
func (n node) text() string   { s, _ := n.value.(string); return s }
func (n node) members() []string {
	var out []string
	m, _ := n.value.(map[string]any)
	for k := range m {
		out = append(out, k)
	}
	return out
}

func (n node) str(t testing.TB) string {
	t.Helper()
	s, ok := n.value.(string)
	if !ok {
		t.Fatalf("%s is not a string", n)
	}
	return s
}

func (n node) bytes(t testing.TB) string {
	t.Helper()
	if !n.found {
		return "" // empty bytes are absent
	}
	b, err := base64.StdEncoding.DecodeString(n.str(t))
	if err != nil {
		t.Fatalf("%s is not base64: %v", n, err)
	}
	return string(b)
}

// int reads a JSON number.
func (n node) int(t testing.TB) int64 {
	t.Helper()
	num, ok := n.value.(json.Number)
	if !ok {
		t.Fatalf("%s is not a number", n)
	}
	i, err := num.Int64()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// int64 reads a 64-bit integer: a string, or absent where it is zero.
func (n node) int64(t testing.TB) int64 {
	t.Helper()
	if !n.found {
		return 0
	}
	i, err := strconv.ParseInt(n.str(t), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return i
}
