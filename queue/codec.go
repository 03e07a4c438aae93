package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A Codec turns values into payloads and back. It is used by many goroutines at
// once. If it panics, that is an error, a *PanicError.
type Codec[T any] interface {
	// Encode gives bytes that nobody changes any more, whatever becomes of the
	// value: they may be sent when Enqueue has returned.
	Encode(T) ([]byte, error)
	// Decode may keep the bytes it is given. Neither it nor whoever has the value
	// then may change them: they are what is tried again.
	Decode([]byte) (T, error)
}

// jsonCodec is the default.
type jsonCodec[T any] struct{}

func (jsonCodec[T]) Encode(v T) ([]byte, error) { return json.Marshal(v) }

func (jsonCodec[T]) Decode(b []byte) (v T, err error) {
	err = json.Unmarshal(b, &v)
	return v, err
}

// rawCodec is for []byte. It copies: the value is the caller's, who may use it again.
type rawCodec struct{}

func (rawCodec) Encode(b []byte) ([]byte, error) { return bytes.Clone(b), nil }
func (rawCodec) Decode(b []byte) ([]byte, error) { return bytes.Clone(b), nil }

// guardedCodec makes errors of the panics of a codec, or of the methods of a value
// that it calls.
type guardedCodec[T any] struct{ c Codec[T] }

func (g guardedCodec[T]) Encode(v T) (b []byte, err error) {
	perr := protect("the codec", func() error {
		b, err = g.c.Encode(v)
		return nil
	})
	if perr != nil {
		return nil, perr
	}
	return b, err
}

func (g guardedCodec[T]) Decode(b []byte) (v T, err error) {
	perr := protect("the codec", func() error {
		v, err = g.c.Decode(b)
		return nil
	})
	if perr != nil {
		var none T
		return none, perr
	}
	return v, err
}

// noCodec stands for one that is missing.
type noCodec[T any] struct{ err error }

func (n noCodec[T]) Encode(T) ([]byte, error)        { return nil, n.err }
func (n noCodec[T]) Decode([]byte) (none T, _ error) { return none, n.err }

// chooseCodec gives the codec that was asked for, or the default of the type.
func chooseCodec[T any](asked any) (Codec[T], error) {
	if asked != nil {
		c, ok := asked.(Codec[T])
		if !ok {
			var v T
			err := fmt.Errorf("the codec given is not one of %T", v)
			return noCodec[T]{err}, err
		}
		return guardedCodec[T]{c}, nil
	}
	if c, ok := any(rawCodec{}).(Codec[T]); ok {
		return c, nil
	}
	return guardedCodec[T]{jsonCodec[T]{}}, nil
}
