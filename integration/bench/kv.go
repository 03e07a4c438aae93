package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/quorate/quorate/etcd"
)

var scenarios = []scenario{
	{name: "put-128", unit: "puts/s", better: "higher", must: 2.5, aim: 3.5, ours: ourPuts(128, false), peer: peerPuts(128, false)},
	{name: "get-128", unit: "gets/s", better: "higher", must: 2.5, aim: 3.5, ours: ourGets(128, false), peer: peerGets(128, false)},
	{name: "put-1", unit: "ms", better: "lower", must: 1.35, aim: 1.2, ours: ourPuts(1, true), peer: peerPuts(1, true)},
	{name: "get-1", unit: "ms", better: "lower", must: 1.8, aim: 1.5, ours: ourGets(1, true), peer: peerGets(1, true)},
}

// payload is the value that is written and read: 128 bytes.
var payload = func() []byte {
	b := make([]byte, 128)
	for i := range b {
		b[i] = byte('a' + i%26)
	}
	return b
}()

func kvKey(worker int) string { return fmt.Sprintf("bench/kv/%03d", worker) }

func ourClient(endpoints []string) (*etcd.Client, func() int64, error) {
	var n atomic.Int64
	c, err := etcd.New(etcd.Config{Endpoints: endpoints, Hooks: etcd.Hooks{Request: func(etcd.RequestInfo) { n.Add(1) }}})
	return c, n.Load, err
}

// peerRequests counts the unary calls of all peers; only one is measured at a
// time.
var peerRequests atomic.Int64

func peerClient(endpoints []string) (*clientv3.Client, error) {
	count := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		peerRequests.Add(1)
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	return clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(count)}})
}

func ourPuts(workers int, perCall bool) setup {
	return func(_ context.Context, endpoints []string) (*side, error) {
		c, requests, err := ourClient(endpoints)
		if err != nil {
			return nil, err
		}
		keys := workerKeys(workers)
		return &side{workers: workers, perCall: perCall, requests: requests, close: func() { c.Close() },
			call: func(ctx context.Context, w, _ int) error {
				_, err := c.Put(ctx, keys[w], payload)
				return err
			}}, nil
	}
}

func peerPuts(workers int, perCall bool) setup {
	return func(_ context.Context, endpoints []string) (*side, error) {
		c, err := peerClient(endpoints)
		if err != nil {
			return nil, err
		}
		keys, value := workerKeys(workers), string(payload)
		return &side{workers: workers, perCall: perCall, close: func() { c.Close() },
			call: func(ctx context.Context, w, _ int) error {
				_, err := c.Put(ctx, keys[w], value)
				return err
			}}, nil
	}
}

func ourGets(workers int, perCall bool) setup {
	return func(ctx context.Context, endpoints []string) (*side, error) {
		c, requests, err := ourClient(endpoints)
		if err != nil {
			return nil, err
		}
		keys := workerKeys(workers)
		for _, k := range keys {
			if _, err := c.Put(ctx, k, payload); err != nil {
				return nil, err
			}
		}
		return &side{workers: workers, perCall: perCall, requests: requests, close: func() { c.Close() },
			call: func(ctx context.Context, w, _ int) error {
				r, err := c.Get(ctx, etcd.Key(keys[w]))
				if err == nil && len(r.KVs) != 1 {
					err = fmt.Errorf("read %d keys", len(r.KVs))
				}
				return err
			}}, nil
	}
}

func peerGets(workers int, perCall bool) setup {
	return func(ctx context.Context, endpoints []string) (*side, error) {
		c, err := peerClient(endpoints)
		if err != nil {
			return nil, err
		}
		keys := workerKeys(workers)
		return &side{workers: workers, perCall: perCall, close: func() { c.Close() },
			call: func(ctx context.Context, w, _ int) error {
				r, err := c.Get(ctx, keys[w])
				if err == nil && len(r.Kvs) != 1 {
					err = fmt.Errorf("read %d keys", len(r.Kvs))
				}
				return err
			}}, nil
	}
}

func workerKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = kvKey(i)
	}
	return keys
}
