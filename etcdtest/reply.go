package etcdtest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
)

// Reply is an answer that no etcd gives.
type Reply struct {
	// Status is the HTTP status; 0 means 200.
	Status int
	// Header is added to the reply's.
	Header http.Header
	// Body writes the body; nil means none.
	Body func(io.Writer) error
}

// TextReply returns a reply of that status, content type and text: garbage,
// half a JSON document, an error page of some proxy.
func TextReply(status int, contentType, text string) *Reply {
	return &Reply{
		Status: status,
		Header: http.Header{"Content-Type": {contentType}},
		Body:   func(w io.Writer) error { _, err := io.WriteString(w, text); return err },
	}
}

// RedirectReply returns a redirect to url.
func RedirectReply(url string) *Reply {
	return &Reply{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {url}}}
}

// HugeReply returns a reply whose JSON is n bytes long.
func HugeReply(n int64) *Reply {
	return &Reply{
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   func(w io.Writer) error { return writeHuge(w, n) },
	}
}

// BombReply returns a compressed reply that unpacks to JSON of n bytes.
func BombReply(n int64) *Reply {
	return &Reply{
		Header: http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}},
		Body: func(w io.Writer) error {
			z := gzip.NewWriter(w)
			if err := writeHuge(z, n); err != nil {
				return err
			}
			return z.Close()
		},
	}
}

func writeHuge(w io.Writer, n int64) error {
	const head, tail = `{"header":{"revision":"1"},"kvs":[{"key":"YQ==","value":"`, `"}],"count":"1"}`
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	chunk := bytes.Repeat([]byte("A"), 32<<10)
	for left := n - int64(len(head)+len(tail)); left > 0; left -= int64(len(chunk)) {
		if _, err := w.Write(chunk[:min(left, int64(len(chunk)))]); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, tail)
	return err
}

func (r *Reply) write(w http.ResponseWriter) {
	for k, vs := range r.Header {
		w.Header()[http.CanonicalHeaderKey(k)] = vs
	}
	w.WriteHeader(max(r.Status, http.StatusOK))
	if r.Body != nil {
		_ = r.Body(w) // the client may hang up before it has read all of it
	}
}
