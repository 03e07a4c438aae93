package jsonwire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// tree reads any value through the typed reads.
func tree(r *Reader) any {
	switch r.Kind() {
	case Object:
		m := map[string]any{}
		for key := range r.Object {
			m[string(key)] = tree(r)
		}
		return m
	case Array:
		a := []any{}
		for range r.Array {
			a = append(a, tree(r))
		}
		return a
	case String:
		return r.String()
	case Bool:
		return r.Bool()
	case Number:
		return json.Number(r.Raw())
	default: // null, or an error
		r.Skip()
		return nil
	}
}

// depth is how deeply containers are nested in a valid document.
func depth(doc []byte) int {
	deepest, d := 0, 0
	dec := json.NewDecoder(bytes.NewReader(doc))
	for {
		tok, err := dec.Token()
		if err != nil {
			return deepest
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			d++
			deepest = max(deepest, d)
		case json.Delim('}'), json.Delim(']'):
			d--
		}
	}
}

// FuzzReader checks Readers against encoding/json, strconv and
// encoding/base64 on arbitrary documents.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `null`, `{}`, `[]`, `[1,]`, `{"a":}`, `{"a":1,}`, `nul`, `truex`, `"`, `"\`, `"\u12`,
		`{"header":{"cluster_id":"15118495548433857066", "revision":"2"}, "kvs":[{"key":"YS9i","value":"+//+Pj8="}], "count":"1"}`,
		`{"error":{"grpc_code":14,"http_code":503,"message":"lost \"quorum\"\n","http_status":"Service Unavailable"}}`,
		`[-0,1e5,0.1E-2,01,-,1.,1e,"9223372036854775808","-9223372036854775808",18446744073709551616]`,
		`"\ud83d\ude00\ud83d \u0000\/\b"`, "\"\xff\xc3\x28é\"", "\"\x01\"", `"YQ=="`, `"YR=="`, `"Y\u0051=="`, "\"YQ=\n=\"",
		strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		r := NewReader(doc)
		r.Skip()
		accepted := r.End() == nil
		if want := json.Valid(doc) && depth(doc) <= MaxDepth; accepted != want {
			t.Fatalf("Skip accepts: %v, want %v (%v)", accepted, want, r.Err())
		}

		r.Reset(doc)
		got := tree(r)
		if (r.End() == nil) != accepted {
			t.Fatalf("the typed reads say %v, Skip accepts: %v", r.Err(), accepted)
		}
		if r.Err() != nil && len(r.Err().Error()) > 100 {
			t.Fatalf("long error: %v", r.Err())
		}
		if accepted {
			var want any
			dec := json.NewDecoder(bytes.NewReader(doc))
			dec.UseNumber()
			if err := dec.Decode(&want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got %#v, want %#v", got, want)
			}
		}

		checkIntegers(t, doc)
		checkBase64(t, doc)
		checkFrames(t, doc, accepted)
	})
}

// checkIntegers reads doc as an integer of each type.
func checkIntegers(t *testing.T, doc []byte) {
	text := string(bytes.Trim(doc, " \t\r\n"))
	if text == "null" {
		return
	}
	quoted := len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"'
	if quoted {
		text = text[1 : len(text)-1]
	}
	wellFormed := isInteger(text)

	r := NewReader(doc)
	i64 := r.Int64()
	want64, err := strconv.ParseInt(text, 10, 64)
	if ok := err == nil && wellFormed; (r.End() == nil) != ok || ok && i64 != want64 {
		t.Fatalf("Int64 %d, %v; strconv %d, %v", i64, r.Err(), want64, err)
	}
	r.Reset(doc)
	i32 := r.Int32()
	want32, err := strconv.ParseInt(text, 10, 32)
	if ok := err == nil && wellFormed; (r.End() == nil) != ok || ok && int64(i32) != want32 {
		t.Fatalf("Int32 %d, %v; strconv %d, %v", i32, r.Err(), want32, err)
	}
	r.Reset(doc)
	u64 := r.Uint64()
	wantU, err := strconv.ParseUint(strings.TrimPrefix(text, "-"), 10, 64)
	ok := err == nil && wellFormed && (text[0] != '-' || wantU == 0)
	if (r.End() == nil) != ok || ok && u64 != wantU {
		t.Fatalf("Uint64 %d, %v; strconv %d, %v", u64, r.Err(), wantU, err)
	}
}

// isInteger says whether text is one by JSON's grammar.
func isInteger(text string) bool {
	text = strings.TrimPrefix(text, "-")
	return text != "" && strings.Trim(text, "0123456789") == "" && (text == "0" || text[0] != '0')
}

// checkBase64 reads doc as base64.
func checkBase64(t *testing.T, doc []byte) {
	r := NewReader(doc)
	got := r.Bytes()
	ok := r.End() == nil && r.data != nil
	var text *string
	if json.Unmarshal(doc, &text) != nil {
		if ok && len(doc) > 0 {
			t.Fatalf("Bytes accepts %q", doc)
		}
		return
	}
	if text == nil {
		if got != nil || !ok {
			t.Fatalf("null is %q, %v", got, r.Err())
		}
		return
	}
	want, err := base64.StdEncoding.Strict().DecodeString(*text)
	if wantOK := err == nil && !strings.ContainsAny(*text, "\r\n"); ok != wantOK {
		t.Fatalf("Bytes says %v, encoding/base64 %v", r.Err(), err)
	}
	if ok && (!bytes.Equal(got, want) || cap(got) != len(got)) {
		t.Fatalf("Bytes %q (capacity %d), want %q", got, cap(got), want)
	}
	r.Reset(doc)
	if s := r.BytesString(); ok && s != string(want) {
		t.Fatalf("BytesString %q, want %q", s, want)
	}
	r.Reset(doc)
	if b := r.AppendBytes([]byte("x")); ok && string(b) != "x"+string(want) {
		t.Fatalf("AppendBytes %q, want x%q", b, want)
	}
	if !ok {
		return
	}
	r.Reset(AppendBase64(nil, want))
	if b := r.Bytes(); r.End() != nil || !bytes.Equal(b, want) {
		t.Fatalf("%q comes back as %q, %v", want, b, r.Err())
	}
	r.Reset(AppendString(nil, *text))
	if s := r.String(); r.End() != nil || s != *text {
		t.Fatalf("%q comes back as %q, %v", *text, s, r.Err())
	}
}

// checkFrames sends doc three times over and expects it back as often.
func checkFrames(t *testing.T, doc []byte, valid bool) {
	doc = bytes.Trim(doc, " \t\r\n")
	stream := bytes.Repeat(append(bytes.Clone(doc), '\n'), 3)
	fr := NewFrames(&dribble{data: stream}, len(stream))
	isObject := valid && doc[0] == '{'
	for i := range 3 {
		got, err := fr.Next()
		if isObject && (err != nil || !bytes.Equal(got, doc)) {
			t.Fatalf("frame %d is %q, %v, want %q", i, got, err, doc)
		}
		if err != nil {
			return
		}
	}
}
