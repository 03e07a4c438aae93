package etcdtest

import (
	"encoding/base64"
	"encoding/json"
)

// Request is a request as a fault's Match sees it.
type Request struct {
	// Path is the request's path.
	Path string
	// Member is the member asked, counted from 0.
	Member int
	// Body is the decoded JSON, with numbers as json.Number; for a stream its
	// first message, nil for a WebSocket.
	Body map[string]any
}

// Key returns the key at the top of the request: of a put, a range, a delete.
func (r *Request) Key() string { return decodeKey(r.Body["key"]) }

// Int returns a number at the top of the request, such as "ID" of a lease
// call; 0 where there is none.
func (r *Request) Int(field string) int64 {
	n, _ := parseInt(r.Body[field])
	return n
}

// Touches says whether any part of the request, at any depth, names key or a
// range that holds it.
func (r *Request) Touches(key string) bool { return touches(r.Body, key) }

// Puts says whether any part of the request, at any depth, puts key.
func (r *Request) Puts(key string) bool {
	if r.Path == "/v3/kv/put" {
		return r.Key() == key
	}
	return putsKey(r.Body, key)
}

func touches(v any, key string) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if touches(e, key) {
				return true
			}
		}
	case map[string]any:
		if k, ok := v["key"].(string); ok {
			sp := span{decodeKey(k), decodeKey(either(v, "range_end", "rangeEnd"))}
			if sp.contains(key) {
				return true
			}
		}
		for _, e := range v {
			if touches(e, key) {
				return true
			}
		}
	}
	return false
}

func putsKey(v any, key string) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if putsKey(e, key) {
				return true
			}
		}
	case map[string]any:
		if put, ok := either(v, "request_put", "requestPut").(map[string]any); ok && decodeKey(put["key"]) == key {
			return true
		}
		for _, e := range v {
			if putsKey(e, key) {
				return true
			}
		}
	}
	return false
}

func either(o map[string]any, names ...string) any {
	for _, n := range names {
		if v, ok := o[n]; ok {
			return v
		}
	}
	return nil
}

func decodeKey(v any) string {
	s, _ := v.(string)
	b, _ := base64.StdEncoding.DecodeString(s)
	return string(b)
}

// String returns the request's path and JSON, for a test's log. It is not for
// requests that hold passwords.
func (r *Request) String() string {
	b, err := json.Marshal(r.Body)
	if err != nil {
		return r.Path
	}
	return r.Path + " " + string(b)
}
