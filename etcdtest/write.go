package etcdtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

func tooLargeForTransport(n, limit int) *Error {
	return &Error{Code: ResourceExhausted,
		Message: fmt.Sprintf("grpc: received message larger than max (%d vs. %d)", n, limit)}
}

// marshal encodes a unary reply. From 3.6 on there is a space after each
// comma, so that nobody comes to rely on the exact text.
func (s *Server) marshal(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte("{}") // replies are plain structs, they always encode
	}
	b := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if s.minor <= 5 {
		return b
	}
	out := make([]byte, 0, len(b)+len(b)/16)
	quoted := false
	for i := 0; i < len(b); i++ {
		out = append(out, b[i])
		switch {
		case b[i] == '\\':
			i++
			out = append(out, b[i])
		case b[i] == '"':
			quoted = !quoted
		case b[i] == ',' && !quoted:
			out = append(out, ' ')
		}
	}
	return out
}

// writeJSON sends the first n bytes of a body, announced in full.
func (s *Server) writeJSON(w http.ResponseWriter, status int, b []byte, n int) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b[:n]) // the client may be gone
}

type errorReply struct {
	Error   string `json:"error,omitempty"` // 3.5 alone
	Code    Code   `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

func (s *Server) writeError(w http.ResponseWriter, e *Error) {
	rep := errorReply{Code: e.Code, Message: e.Message}
	if s.minor <= 5 {
		rep.Error = e.Message
	}
	b := s.marshal(rep)
	s.writeJSON(w, e.status(), b, len(b))
}

// writeNoRoute answers a path or a method that is not there.
func (s *Server) writeNoRoute(w http.ResponseWriter, status int) {
	switch {
	case s.minor <= 5:
		http.Error(w, http.StatusText(status), status)
	case status == http.StatusMethodNotAllowed:
		s.writeError(w, &Error{Code: Unimplemented, Message: "Method Not Allowed"})
	default:
		s.writeError(w, &Error{Code: NotFound, Message: "Not Found"})
	}
}

// frame encodes one message of a stream.
func frame(result any) []byte {
	b, err := json.Marshal(struct {
		Result any `json:"result"`
	}{result})
	if err != nil {
		return nil // replies are plain structs, they always encode
	}
	return append(b, '\n')
}

type streamError35 struct {
	GRPCCode   Code   `json:"grpc_code,omitempty"`
	HTTPCode   int    `json:"http_code,omitempty"`
	Message    string `json:"message,omitempty"`
	HTTPStatus string `json:"http_status,omitempty"`
}

// errorFrame encodes the error that ends a stream.
func (s *Server) errorFrame(e *Error) []byte {
	var v any = errorReply{Code: e.Code, Message: e.Message}
	if s.minor <= 5 {
		v = streamError35{e.Code, e.status(), e.Message, http.StatusText(e.status())}
	}
	b, err := json.Marshal(struct {
		Error any `json:"error"`
	}{v})
	if err != nil {
		return nil // as above
	}
	if s.minor > 5 {
		b = append(b, '\n')
	}
	return b
}
