package etcd

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/h1"
	"github.com/quorate/quorate/internal/jsonwire"
)

// staleToken reports whether a refusal is about the token that was sent, or
// about one that was missing, so that a new one may help.
func staleToken(reply h1.Reply) bool {
	e := parseError(reply.Body)
	switch {
	case e.code == CodeUnauthenticated:
		return true
	case e.code == CodeInvalidArgument:
		return strings.Contains(e.message, "user name is empty") ||
			strings.Contains(e.message, "revision of auth store is old")
	}
	return false
}

// classifyReply says what a reply means whose status is not 200.
//
// The HTTP status alone is ambiguous (429 is both "too large" and "no space"),
// so the gRPC code and the message decide. What is listed as refused here was
// refused before it was proposed to the cluster; everything else may have been
// applied, ErrNoSpace among it, which the server reports also of requests it
// has just carried out.
func classifyReply(reply h1.Reply, r *request) *failure {
	if reply.Status >= 300 && reply.Status < 400 {
		return &failure{verdict: verdictElsewhere, err: &Error{Kind: ErrNotEtcd, Message: fmt.Sprintf("answered with a redirect (status %d), which is not followed", reply.Status)}}
	}
	e := parseError(reply.Body)
	if !e.ok {
		return foreignReply(reply)
	}
	return classifyError(e, r)
}

// classifyError says what an error of the server means, whichever way it came.
func classifyError(e serverError, r *request) *failure {
	f := &failure{verdict: verdictUnknown, err: &Error{Code: e.code, Message: e.message}}
	f.err.Kind = errorKind(e.code, e.message)
	msg := e.message
	switch e.code {
	case CodeInvalidArgument, CodePermissionDenied, CodeFailedPrecondition, CodeOutOfRange, CodeUnauthenticated, CodeUnimplemented:
		f.verdict = verdictFinal
		if strings.Contains(msg, "not supported for learner") {
			f.verdict = verdictElsewhere
		}
	case CodeNotFound:
		f.verdict = verdictFinal
		if f.err.Kind == nil && strings.EqualFold(msg, "not found") { // no such path
			f.verdict, f.err.Kind = verdictElsewhere, ErrNotEtcd
		}
	case CodeResourceExhausted, CodeUnknown:
		switch f.err.Kind {
		case ErrTooLarge:
			f.verdict = verdictFinal
		case ErrRateLimited:
			f.verdict = verdictRefused
		}
	case CodeUnavailable:
		// A change of members is refused as "unhealthy" before it is proposed.
		if f.err.Kind == ErrNoLeader && !r.anyMember || strings.Contains(msg, "not supported for learner") || strings.Contains(msg, "unhealthy cluster") {
			f.verdict = verdictRefused
		}
	}
	if f.err.Kind == ErrNoSpace {
		f.verdict = verdictLost // no member has more space than another
	}
	return f
}

// errorKind gives the sentinel for an error of the server, or nil.
func errorKind(code Code, msg string) error {
	has := func(s string) bool { return strings.Contains(msg, s) }
	switch code {
	case CodeInvalidArgument:
		switch {
		case has("request is too large"):
			return ErrTooLarge
		case has("too many operations"):
			return ErrTooManyOps
		case has("duplicate key"):
			return ErrDuplicateKey
		case has("key not found"):
			return ErrKeyNotFound
		case has("authentication failed"), has("user name is empty"), has("user name not found"):
			return ErrUnauthenticated
		}
		return ErrInvalid
	case CodeNotFound:
		if has("lease not found") {
			return ErrLeaseNotFound
		}
	case CodeFailedPrecondition:
		if has("lease already exists") {
			return ErrLeaseExists
		}
	case CodeOutOfRange:
		switch {
		case has("compacted"):
			return ErrCompacted
		case has("future revision"):
			return ErrFutureRevision
		}
		return ErrInvalid
	case CodePermissionDenied:
		return ErrPermissionDenied
	case CodeUnauthenticated:
		return ErrUnauthenticated
	case CodeResourceExhausted, CodeUnknown:
		switch {
		case has("space exceeded"):
			return ErrNoSpace
		case has("larger than max"):
			return ErrTooLarge
		case has("too many requests"):
			return ErrRateLimited
		}
	case CodeUnavailable:
		if has("no leader") {
			return ErrNoLeader
		}
		return ErrUnavailable
	case CodeDeadlineExceeded:
		return ErrUnavailable
	}
	return adminKind(code, msg)
}

// foreignReply judges an answer that is not in etcd's form: from a proxy in
// between, or from some other server. A proxy's 4xx refuses the request; a
// proxy's 5xx says nothing of what the member behind it did.
func foreignReply(reply h1.Reply) *failure {
	f := &failure{verdict: verdictUnknown, err: &Error{Kind: ErrNotEtcd, Message: fmt.Sprintf("answered with status %d and %s instead of an etcd error", reply.Status, describeBody(reply))}}
	if reply.Status >= 400 && reply.Status < 500 && reply.Status != 408 {
		f.verdict = verdictElsewhere
	}
	return f
}

func describeBody(reply h1.Reply) string {
	if len(reply.Body) == 0 {
		return "an empty body"
	}
	if t, _, _ := strings.Cut(reply.ContentType, ";"); t != "" && len(t) < 40 {
		return fmt.Sprintf("a body of type %q", t)
	}
	return "a body of no type"
}

// serverError is an error as the gateway writes it, in any of its forms.
type serverError struct {
	code    Code
	message string
	ok      bool
}

// A streamError is an error that stands in a stream's reply instead of a
// result.
type streamError struct{ serverError }

func (e *streamError) Error() string { return e.message }

// maxMessage bounds how much of a server's words is kept.
const maxMessage = 512

// parseError reads an error of the gateway: {"code","message"}, of 3.5 with
// "error" as well, or inside {"error":{...}} as streams have it.
func parseError(body []byte) serverError {
	rd := jsonwire.NewReader(body)
	e := readError(rd, 0)
	if rd.End() != nil {
		return serverError{}
	}
	return e
}

func readError(rd *jsonwire.Reader, depth int) serverError {
	var e serverError
	for name := range rd.Object {
		switch string(name) {
		case "code", "grpc_code":
			e.code, e.ok = Code(rd.Int64()), true
		case "message":
			e.message = rd.String()
			if len(e.message) > maxMessage {
				e.message = strings.ToValidUTF8(e.message[:maxMessage], "")
			}
		case "error":
			if depth == 0 && rd.Kind() == jsonwire.Object {
				if inner := readError(rd, 1); inner.ok {
					e = inner
				}
			}
		}
	}
	return e
}

// replyError makes the Error of a refusal.
func replyError(reply h1.Reply) *Error {
	e := parseError(reply.Body)
	return &Error{Code: e.code, Message: e.message, Kind: errorKind(e.code, e.message)}
}
