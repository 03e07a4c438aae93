package queue

import (
	"encoding/json"
	"fmt"
)

// A Codec turns values into payloads and back. It is used by many goroutines at
// once.
type Codec[T any] interface {
	Encode(T) ([]byte, error)
	// Decode may keep the bytes it is given.
	Decode([]byte) (T, error)
}

// jsonCodec is the default.
type jsonCodec[T any] struct{}

func (jsonCodec[T]) Encode(v T) ([]byte, error) { return json.Marshal(v) }

func (jsonCodec[T]) Decode(b []byte) (v T, err error) {
	err = json.Unmarshal(b, &v)
	return v, err
}

// rawCodec is for []byte.
type rawCodec struct{}

func (rawCodec) Encode(b []byte) ([]byte, error) { return b, nil }
func (rawCodec) Decode(b []byte) ([]byte, error) { return b, nil }

// chooseCodec gives the codec that was asked for, or the default of the type.
func chooseCodec[T any](asked any) (Codec[T], error) {
	if asked != nil {
		c, ok := asked.(Codec[T])
		if !ok {
			var v T
			return nil, fmt.Errorf("the codec given is not one of %T", v)
		}
		return c, nil
	}
	if c, ok := any(rawCodec{}).(Codec[T]); ok {
		return c, nil
	}
	return jsonCodec[T]{}, nil
}
